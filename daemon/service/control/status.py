"""What is going on now: a snapshot out of memory, for a dashboard that asks every second.

No I/O and no await: it answers while the disk, a server or an account hangs.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from daemon.model.clock import Clock
from daemon.model.errors import no_account
from daemon.model.ids import AccountId
from daemon.model.service_status import ServiceState, ServiceStatus, is_healthy
from daemon.model.states import AccountStatus
from daemon.service.runner import Runner
from daemon.store.store import Store


class StatusControl:
    """Reads what the accounts and the store keep in memory."""

    def __init__(
        self,
        *,
        store: Store,
        runners: Mapping[AccountId, Runner],
        clock: Clock,
        version: str,
        is_running: Callable[[], bool],
    ) -> None:
        self._store = store
        self._runners = runners
        self._clock = clock
        self._version = version
        self._is_running = is_running
        self._started = clock.monotonic()

    def status(self) -> ServiceStatus:
        """The whole service now."""
        now = self._clock.now()
        accounts = {account: self._status_of(account) for account in self._runners}
        healthy = sum(is_healthy(status, now) for status in accounts.values())
        return ServiceStatus(
            at=now,
            state=ServiceState.OK if healthy == len(accounts) else ServiceState.DEGRADED,
            version=self._version,
            uptime_seconds=self._clock.monotonic() - self._started,
            unread=sum(status.unread for status in accounts.values()),
            total=sum(status.total for status in accounts.values()),
            accounts_ok=healthy,
            accounts_error=len(accounts) - healthy,
            last_sync=max((s.last_sync for s in accounts.values() if s.last_sync is not None), default=None),
            event_id=self._store.events.latest_id,
            accounts=accounts,
        )

    def account_status(self, account: str) -> AccountStatus:
        """One account now. NotFound(reason=account_unknown)."""
        if account not in self._runners:
            raise no_account(account, self._runners)
        return self._status_of(AccountId(account))

    def is_account_healthy(self, account: str) -> bool:
        """Whether nobody needs to look at it. NotFound(reason=account_unknown)."""
        return is_healthy(self.account_status(account), self._clock.now())

    def is_ready(self) -> bool:
        """Whether every account has its task."""
        return self._is_running()

    def _status_of(self, account: AccountId) -> AccountStatus:
        counts = self._store.counts_of(account)
        return replace(self._runners[account].status, unread=counts.unread, total=counts.total)
