"""An account whose protocol this version does not serve: shown with the reason, and no burden to the others."""

import asyncio
from collections.abc import Mapping

from daemon.model.errors import MailError
from daemon.model.ids import AccountId, MailboxName
from daemon.model.jobs import Job, JobKind
from daemon.model.settings import AccountSettings
from daemon.model.states import AccountStatus, WatchMode
from daemon.service.jobs import JobBook
from daemon.service.standing import Standing
from daemon.service.states import AccountEvent
from daemon.service.wakes import WakeReason
from daemon.sync.guard import HeldDeletions


class UnservedAccount:
    """Implements `runner.Runner` by saying no."""

    operation_scope = "local"
    is_connected = False

    def __init__(
        self, *, settings: AccountSettings, protocol: str, standing: Standing, jobs: JobBook
    ) -> None:
        self._account = settings.id
        self._standing = standing
        self._jobs = jobs
        self._refusal = MailError(
            f"this version does not serve {protocol.upper()} accounts yet; the account is left alone",
            reason="protocol_unsupported",
            remedy='remove the account from the configuration, or set protocol = "imap"',
        )

    @property
    def account(self) -> AccountId:
        return self._account

    @property
    def status(self) -> AccountStatus:
        return self._standing.status

    async def run(self) -> None:
        """Say why nothing happens, and wait."""
        self._standing.apply(
            AccountEvent.FAULTED,
            reason=self._refusal.reason,
            detail=str(self._refusal),
            remedy=self._refusal.remedy,
        )
        await asyncio.Event().wait()

    def wake(self, reason: WakeReason, mailbox: MailboxName | None = None) -> None:
        """There is nothing to look at."""

    def is_stuck(self) -> bool:
        return False

    def note_crash(self, error: Exception, retry_at: float) -> None:
        """It has no code that could fail; the reason shown stays."""

    def note_clock_jump(self, spread_seconds: float) -> None:
        """It has no line."""

    def request_sync(self) -> Job:
        return self._refuse(JobKind.SYNC)

    async def pause(self) -> Job:
        return self._refuse(JobKind.PAUSE)

    async def resume(self) -> Job:
        return self._refuse(JobKind.RESUME)

    async def reconnect(self) -> Job:
        return self._refuse(JobKind.RECONNECT)

    @property
    def held(self) -> Mapping[MailboxName, HeldDeletions]:
        return {}

    async def approve(self, mailbox: MailboxName) -> Job:
        return self._refuse(JobKind.SYNC)

    def watch_of(self, mailbox: MailboxName) -> WatchMode:
        return WatchMode.POLL

    def lag_of(self, mailbox: MailboxName) -> float | None:
        return None

    def _refuse(self, kind: JobKind) -> Job:
        job = self._jobs.open(self._account, kind)
        self._jobs.fail_waiting(self._account, kind, self._refusal)
        return self._jobs.get(job.id)
