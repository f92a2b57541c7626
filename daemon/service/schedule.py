"""The schedule: APScheduler jobs, each of which only wakes an account.

A job that did more would be cancelled at shutdown in the middle of it. Runs missed during a stall or a suspend become
one, however long ago they were due. First runs are spread over the interval: jobs due at the same instant stall the loop.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from daemon.model.clock import Clock
from daemon.model.ids import AccountId

JITTER_SHARE: Final = 0.1  # keeps accounts that were started together from staying together


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledJob:
    """One entry; `next_run_at` is seconds since 1970, UTC, None while it is paused."""

    id: str
    account: AccountId
    interval_seconds: float
    next_run_at: float | None


class Rhythm(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Every `interval_seconds` and a bit; what was missed is one run, and its successor counts from now.

    APScheduler's own interval counts through every missed run: after a clock that was set forward by years, millions.
    """

    def __init__(self, interval_seconds: float, random: Callable[[], float]) -> None:
        self.interval_seconds = interval_seconds
        self._random = random

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The next run; without a previous one, a random point of the interval that begins now."""
        if previous_fire_time is None:
            return self.first_after(now)
        step = timedelta(seconds=(1 + JITTER_SHARE * self._random()) * self.interval_seconds)
        due = previous_fire_time + step
        return due if due > now else now + step

    def first_after(self, start: datetime) -> datetime:
        """A random point of the interval that begins at `start`, but not at once."""
        return start + timedelta(seconds=(0.1 + 0.9 * self._random()) * self.interval_seconds)


class Schedule:
    """Interval jobs in UTC. Open between `start` and `stop`; the event loop's thread only."""

    def __init__(self, *, clock: Clock, random: Callable[[], float]) -> None:
        self._clock = clock
        self._random = random
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            # Late is better than never: a grace would drop runs after a stall.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._rhythms: dict[str, tuple[AccountId, Rhythm]] = {}

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

        job_id = _job_of(account)
        rhythm = Rhythm(interval_seconds, self._random)
        self._scheduler.add_job(
            run,
            rhythm,
            next_run_time=rhythm.first_after(self._now()),
            id=job_id,
            name=job_id,
            replace_existing=True,
        )
        self._rhythms[job_id] = (account, rhythm)

    def set_paused(self, account: AccountId, *, is_paused: bool) -> None:
        """Let the account's job rest, or run again from a random point of an interval that begins now.

        As it is already changes nothing; neither does an account without a job, or a schedule that was stopped.
        """
        job = self._scheduler.get_job(_job_of(account)) if self._scheduler.running else None
        if job is None or (job.next_run_time is None) is is_paused:
            return
        if is_paused:
            job.pause()
        else:
            job.modify(next_run_time=self._rhythms[job.id][1].first_after(self._now()))

    def start_over(self) -> None:
        """Spread every run anew, from now: a clock that was set back would leave them hours ahead."""
        now = self._now()
        for job in self._scheduler.get_jobs():
            if job.next_run_time is not None:
                job.modify(next_run_time=self._rhythms[job.id][1].first_after(now))

    def next_run_of(self, account: AccountId) -> float | None:
        """When the account is woken next, in seconds since 1970, UTC; None when it is not."""
        job = self._scheduler.get_job(_job_of(account))
        return None if job is None or job.next_run_time is None else float(job.next_run_time.timestamp())

    def jobs(self) -> tuple[ScheduledJob, ...]:
        """What is scheduled, in order of the next run."""
        return tuple(
            ScheduledJob(
                id=job.id,
                account=self._rhythms[job.id][0],
                interval_seconds=self._rhythms[job.id][1].interval_seconds,
                next_run_at=None if job.next_run_time is None else job.next_run_time.timestamp(),
            )
            for job in self._scheduler.get_jobs()
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)


def _job_of(account: AccountId) -> str:
    return f"pass:{account}"
