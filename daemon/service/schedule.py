"""The schedule: APScheduler jobs, each of which only wakes an account.

A job that did more would be cancelled at shutdown in the middle of it. Runs missed during a stall or a suspend become
one (coalesce). First runs are spread over the interval: jobs due at the same instant stall the loop.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from daemon.model.clock import Clock
from daemon.model.ids import AccountId

MISFIRE_GRACE_SECONDS: Final = (
    3600  # the default of 1 s drops runs after every stall; late is better than never
)
JITTER_SHARE: Final = 0.1  # keeps accounts that were started together from staying together


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledJob:
    """One entry; `next_run_at` is seconds since 1970, UTC, None when it will not run any more."""

    id: str
    account: AccountId
    interval_seconds: float
    next_run_at: float | None


class Schedule:
    """Interval jobs in UTC. Open between `start` and `stop`; the event loop's thread only."""

    def __init__(self, *, clock: Clock, random: Callable[[], float]) -> None:
        self._clock = clock
        self._random = random
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": MISFIRE_GRACE_SECONDS},
        )
        self._intervals: dict[str, tuple[AccountId, float]] = {}

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        """End it; harmless when it is not running."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def add_pass(self, account: AccountId, interval_seconds: float, wake: Callable[[], None]) -> None:
        """Call `wake` about every `interval_seconds`, for the first time at a random point of the first interval."""

        async def run() -> (
            None
        ):  # a coroutine runs in the loop; a function would go to the loop's default executor
            wake()

        job_id = f"pass:{account}"
        first = datetime.fromtimestamp(self._clock.now(), UTC) + timedelta(
            seconds=(0.1 + 0.9 * self._random()) * interval_seconds
        )
        self._scheduler.add_job(
            run,
            "interval",
            seconds=interval_seconds,
            jitter=JITTER_SHARE * interval_seconds,
            next_run_time=first,
            id=job_id,
            name=job_id,
            replace_existing=True,
        )
        self._intervals[job_id] = (account, interval_seconds)

    def next_run_of(self, account: AccountId) -> float | None:
        """When the account is woken next, in seconds since 1970, UTC; None when it is not."""
        return next((job.next_run_at for job in self.jobs() if job.account == account), None)

    def jobs(self) -> tuple[ScheduledJob, ...]:
        """What is scheduled, in order of the next run."""
        return tuple(
            ScheduledJob(
                id=job.id,
                account=self._intervals[job.id][0],
                interval_seconds=self._intervals[job.id][1],
                next_run_at=None if job.next_run_time is None else job.next_run_time.timestamp(),
            )
            for job in self._scheduler.get_jobs()
        )
