"""What is told of a pass, or a poll, while it runs and when it ends: events for the journal, a line for the log.

A pass that finds nothing to transfer and changes nothing says nothing. Progress is told once a second at most.
"""

from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import MailError
from daemon.model.events import EventData, EventName, NewEvent
from daemon.model.ids import AccountId
from daemon.model.passes import PassResult, Progress
from daemon.service.standing import Announce, Standing
from daemon.service.states import AccountEvent

SERVER_SIDE: Final = ("uploaded", "held")
"""Counts that a one-way street never has."""


class PassTelling:
    """One account's passes, one after the other."""

    def __init__(
        self,
        *,
        account: AccountId,
        standing: Standing,
        announce: Announce,
        clock: Clock,
        pause_seconds: float,
        is_one_way: bool,
        log: FilteringBoundLogger,
    ) -> None:
        self._account = account
        self._standing = standing
        self._announce = announce
        self._clock = clock
        self._pause_seconds = pause_seconds
        self._is_one_way = is_one_way
        self._log = log
        self._is_running = False
        self._is_told = False
        self._told_at = 0.0

    def begin(self) -> None:
        """A pass begins; what a look at the tree alone has to say is no progress."""
        self._is_running, self._is_told = True, False

    def end(self) -> None:
        """It is over, however it ended."""
        self._is_running = False

    def note_progress(self, progress: Progress) -> None:
        """Work to do is what makes a pass worth showing."""
        if not self._is_running or progress.messages_total == 0:
            return
        self._standing.apply(AccountEvent.WORK_FOUND)
        now = self._clock.monotonic()
        if self._is_told and now - self._told_at < self._pause_seconds:
            return
        if not self._is_told:
            self._tell(EventName.SYNC_STARTED, {})
        self._is_told, self._told_at = True, now
        self._tell(
            EventName.SYNC_PROGRESS,
            {
                "messages_done": progress.messages_done,
                "messages_total": progress.messages_total,
                "bytes_done": progress.bytes_done,
                "bytes_total": progress.bytes_total,
            },
        )

    def note_failed(self, error: MailError) -> None:
        """It ended early."""
        self._tell(EventName.SYNC_FAILED, {"reason": error.reason, "detail": str(error)})

    def note_result(self, result: PassResult, seconds: float) -> None:
        """What it did; nothing where it did nothing and nobody was told that it works."""
        if result.is_quiet and not self._is_told:
            return
        counts = {
            "downloaded": result.downloaded,
            "uploaded": result.uploaded,
            "flags_changed": result.flags_changed,
            "removed_here": result.removed_here,
            "expunged_there": result.expunged_there,
            "moved": result.moved,
            "failed": result.failed,
            "held": result.held,
        }
        if self._is_one_way:
            counts = {name: count for name, count in counts.items() if name not in SERVER_SIDE}
        self._tell(EventName.SYNC_FINISHED, counts)
        self._log.info("account.synced", duration_ms=round(seconds * 1000), **counts)

    def _tell(self, name: EventName, data: EventData) -> None:
        self._announce(NewEvent(name=name, account=self._account, data=data))
