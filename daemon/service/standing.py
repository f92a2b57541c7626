"""Where one account stands: its state in memory, moved by the table, told to the journal and the log.

Reading it is free. Telling never waits: the events go to an outbox that is emptied elsewhere, so that a slow disk
does not hold up a line. The log has codes and numbers; a server's words, which may name a person, only at debug.
"""

from collections.abc import Callable
from dataclasses import replace

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.events import EventName, NewEvent
from daemon.model.ids import AccountId
from daemon.model.states import AccountState, AccountStatus
from daemon.service.states import AccountEvent, move

Announce = Callable[[NewEvent], None]


class Standing:
    """The status of one account and its history's pen."""

    def __init__(
        self,
        *,
        account: AccountId,
        protocol: str,
        clock: Clock,
        log: FilteringBoundLogger,
        announce: Announce,
    ) -> None:
        self._clock = clock
        self._log = log
        self._announce = announce
        self._status = AccountStatus(
            account=account, protocol=protocol, state=AccountState.STARTING, since=clock.now()
        )

    @property
    def status(self) -> AccountStatus:
        return self._status

    @property
    def state(self) -> AccountState:
        return self._status.state

    def apply(
        self,
        event: AccountEvent,
        *,
        reason: str | None = None,
        detail: str | None = None,
        remedy: str | None = None,
        retry_at: float | None = None,
    ) -> None:
        """Move by the table. The same state for the same reason is no news; only the words and times are renewed.

        Raises LocalProtocolError for an illegal move.
        """
        before = self._status
        state = move(before.state, event)
        is_news = (state, reason) != (before.state, before.reason)
        self._status = replace(
            before,
            state=state,
            since=self._clock.now() if state is not before.state else before.since,
            reason=reason,
            detail=detail,
            remedy=remedy,
            retry_at=retry_at,
        )
        if is_news:
            self._tell(before.state)

    def note_sync(self) -> None:
        """A pass over every mailbox, or over the one that changed, is complete."""
        self._status = replace(self._status, last_sync=self._clock.now())

    def note_retry(self, at: float) -> None:
        """The next attempt is at another time than was said; no news."""
        self._status = replace(self._status, retry_at=at)

    def _tell(self, previous: AccountState) -> None:
        status = self._status
        self._announce(
            NewEvent(
                name=EventName.ACCOUNT_STATE,
                account=status.account,
                data={
                    "state": status.state.value,
                    "previous": previous.value,
                    "reason": status.reason,
                    "detail": status.detail,
                    "remedy": status.remedy,
                    "retry_at": status.retry_at,
                },
            )
        )
        retry_in = None if status.retry_at is None else round(max(0.0, status.retry_at - status.since), 1)
        self._log.info(
            "account.state_changed",
            state=status.state.value,
            previous=previous.value,
            reason=status.reason,
            retry_in_seconds=retry_in,
        )
        if status.detail is not None:
            self._log.debug("account.state_explained", detail=status.detail)
