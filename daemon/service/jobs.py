"""The book of jobs: what was asked of accounts in this run of the service, and how it ended.

In memory and bounded. A request that has not been begun yet answers for every later one of its kind, so a client that
asks a thousand times makes one job.
"""

import asyncio
from collections import OrderedDict
from dataclasses import replace
from typing import Final

from daemon.model.clock import Clock
from daemon.model.errors import MailError, NotFound
from daemon.model.ids import AccountId
from daemon.model.jobs import Job, JobId, JobKind, JobState, new_job_id
from daemon.model.passes import PassResult

FINISHED_JOBS_LIMIT: Final = (
    1000  # a client that asks for its job later than this many others is told it is unknown
)


class JobBook:
    """All jobs of the service; the event loop's thread only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._jobs: OrderedDict[JobId, Job] = OrderedDict()
        self._waiting: dict[tuple[AccountId, JobKind], JobId] = {}
        self._finished: dict[JobId, asyncio.Event] = {}

    def open(self, account: AccountId, kind: JobKind) -> Job:
        """A job that is waiting to be begun: the one there is, or a new one."""
        waiting = self._waiting.get((account, kind))
        if waiting is not None:
            return self._jobs[waiting]
        job = Job(
            id=new_job_id(), account=account, kind=kind, state=JobState.RUNNING, created_at=self._clock.now()
        )
        self._jobs[job.id] = job
        self._finished[job.id] = asyncio.Event()
        self._waiting[account, kind] = job.id
        self._prune()
        return job

    def begin(self, account: AccountId, kind: JobKind) -> JobId | None:
        """The job that was waiting, if any; a request from now on opens another one."""
        return self._waiting.pop((account, kind), None)

    def finish(self, job_id: JobId | None, result: PassResult | None = None) -> None:
        """The job is done as asked; None is no job and does nothing."""
        if job_id is not None:
            self._end(job_id, state=JobState.DONE, result=result)

    def fail(self, job_id: JobId | None, error: MailError) -> None:
        """The job could not be done; None is no job and does nothing."""
        if job_id is not None:
            self._end(job_id, state=JobState.FAILED, reason=error.reason, detail=str(error))

    def fail_waiting(self, account: AccountId, kind: JobKind, error: MailError) -> None:
        """The job that waits to be begun, if any, cannot be done."""
        self.fail(self.begin(account, kind), error)

    def get(self, job_id: str) -> Job:
        """A job as it is now. NotFound(reason=job_unknown)."""
        job = self._jobs.get(JobId(job_id))
        if job is None:
            raise NotFound(f"there is no job {job_id[:64]!r}", reason="job_unknown")
        return job

    async def wait(self, job_id: JobId, seconds: float | None) -> Job:
        """The job when it is finished or `seconds` are over; at once for None."""
        finished = self._finished.get(job_id)
        if seconds is not None and finished is not None:
            try:
                async with asyncio.timeout(seconds):
                    await finished.wait()
            except TimeoutError:
                return self.get(job_id)
        return self.get(job_id)

    def _end(
        self,
        job_id: JobId,
        *,
        state: JobState,
        result: PassResult | None = None,
        reason: str | None = None,
        detail: str | None = None,
    ) -> None:
        self._jobs[job_id] = replace(
            self._jobs[job_id],
            state=state,
            finished_at=self._clock.now(),
            result=result,
            reason=reason,
            detail=detail,
        )
        self._finished.pop(job_id).set()

    def _prune(self) -> None:
        """Forget the oldest finished jobs; a running one is never forgotten, and there are few of these."""
        excess = len(self._jobs) - len(self._finished) - FINISHED_JOBS_LIMIT
        if excess > 0:
            finished = [job_id for job_id in self._jobs if job_id not in self._finished]
            for job_id in finished[:excess]:
                del self._jobs[job_id]
