"""The face of an account's runner as supervisor and control see it, whatever its protocol."""

from collections.abc import Mapping
from typing import Protocol

from daemon.model.ids import AccountId, MailboxName
from daemon.model.jobs import Job
from daemon.model.states import AccountStatus, WatchMode
from daemon.service.wakes import WakeReason
from daemon.sync.guard import HeldDeletions


class Runner(Protocol):
    """One account's life."""

    @property
    def account(self) -> AccountId: ...

    @property
    def status(self) -> AccountStatus:
        """Where it stands; no I/O."""
        ...

    @property
    def operation_scope(self) -> str:
        """How far a change to mail goes: `server`, or `local` where the protocol is a one-way street."""
        ...

    @property
    def pass_interval_seconds(self) -> float:
        """How often the schedule is to wake it."""
        ...

    @property
    def is_polling(self) -> bool:
        """Whether it comes and goes, by its protocol, and has no line in between."""
        ...

    def hold_back(self, seconds: float) -> None:
        """Begin no sooner than in so many seconds, unless a person asks for it."""
        ...

    async def run(self) -> None:
        """Keep the account in step until cancelled."""
        ...

    def wake(self, reason: WakeReason, mailbox: MailboxName | None = None) -> None:
        """Ask for a look; never blocks, never lost."""
        ...

    def is_stuck(self) -> bool:
        """Whether it is past its deadline."""
        ...

    def note_crash(self, error: Exception, retry_at: float) -> None:
        """It ended by our own fault and will be run again at `retry_at`."""
        ...

    def note_clock_jump(self, spread_seconds: float) -> None:
        """The machine slept: whatever lines there were are dead. Come back within `spread_seconds`."""
        ...

    def request_sync(self) -> Job: ...

    async def pause(self) -> Job: ...

    async def resume(self) -> Job: ...

    async def reconnect(self) -> Job: ...

    @property
    def held(self) -> Mapping[MailboxName, HeldDeletions]:
        """Deletions that wait for a person."""
        ...

    async def approve(self, mailbox: MailboxName) -> Job:
        """Let the held deletions of a mailbox go on."""
        ...

    def watch_of(self, mailbox: MailboxName) -> WatchMode:
        """How changes of this mailbox are noticed now."""
        ...

    def lag_of(self, mailbox: MailboxName) -> float | None:
        """Seconds since the mailbox was last known to be in step with the server (`service_status.MailboxStatus`)."""
        ...

    @property
    def is_connected(self) -> bool:
        """Whether a line is up and logged in."""
        ...
