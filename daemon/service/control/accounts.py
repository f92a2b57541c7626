"""Accounts as clients see and steer them: jobs, and the mailboxes of each."""

from collections.abc import Mapping

from daemon.model.errors import NotFound, no_account
from daemon.model.ids import INBOX, AccountId, MailboxName
from daemon.model.jobs import Job
from daemon.model.mailbox import MailboxCounts
from daemon.model.service_status import MailboxStatus
from daemon.service.jobs import JobBook
from daemon.service.runner import Runner
from daemon.store.store import Store
from daemon.sync.guard import HeldDeletions

_EMPTY = MailboxCounts(total=0, unread=0)


class AccountsControl:
    """Hands wishes to the runners and reads the store."""

    def __init__(self, *, store: Store, runners: Mapping[AccountId, Runner], jobs: JobBook) -> None:
        self._store = store
        self._runners = runners
        self._jobs = jobs

    async def request_sync(self, account: str, *, wait_seconds: float | None) -> Job:
        """A job that is done when a full pass begun from now on is quiet."""
        return await self._jobs.wait(self._runner(account).request_sync().id, wait_seconds)

    async def pause(self, account: str, *, wait_seconds: float | None) -> Job:
        """A job that is done when the line is down; durable."""
        job = await self._runner(account).pause()
        return await self._jobs.wait(job.id, wait_seconds)

    async def resume(self, account: str, *, wait_seconds: float | None) -> Job:
        """A job that is done when the account is logged in; durable."""
        job = await self._runner(account).resume()
        return await self._jobs.wait(job.id, wait_seconds)

    async def reconnect(self, account: str, *, wait_seconds: float | None) -> Job:
        """A job that is done when a new line is logged in."""
        job = await self._runner(account).reconnect()
        return await self._jobs.wait(job.id, wait_seconds)

    def held_deletions(self, account: str) -> tuple[HeldDeletions, ...]:
        """What waits for a person, by mailbox."""
        held = self._runner(account).held
        return tuple(held[name] for name in sorted(held))

    async def approve_deletions(self, account: str, mailbox: str, *, wait_seconds: float | None) -> Job:
        """A job that is done when a pass has carried them out. NotFound(reason=hold_unknown) when none wait."""
        runner = self._runner(account)
        if mailbox not in runner.held:
            raise NotFound(f"no deletions are held in {mailbox[:200]!r}", reason="hold_unknown")
        job = await runner.approve(MailboxName(mailbox))
        return await self._jobs.wait(job.id, wait_seconds)

    def job(self, job_id: str) -> Job:
        """A job as it is now."""
        return self._jobs.get(job_id)

    async def list_mailboxes(self, account: str) -> tuple[MailboxStatus, ...]:
        """INBOX first, then by name."""
        runner = self._runner(account)
        records = await self._store.mailboxes.list(runner.account)
        counts = await self._store.mailboxes.counts(runner.account)
        return tuple(
            MailboxStatus(
                record=record,
                counts=counts.get(record.name, _EMPTY),
                watch=runner.watch_of(record.name),
                lag_seconds=runner.lag_of(record.name),
            )
            for record in sorted(records, key=lambda record: _rank(record.name))
        )

    def _runner(self, account: str) -> Runner:
        runner = self._runners.get(AccountId(account))
        if runner is None:
            raise no_account(account, self._runners)
        return runner


def _rank(name: MailboxName) -> tuple[bool, str]:
    return name != INBOX, name
