"""The schedule wakes accounts and does nothing else; stopping it in any state is safe."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from daemon.model.clock import SystemClock
from daemon.model.ids import AccountId
from daemon.service.schedule import Rhythm, Schedule

WORK = AccountId("work")
HOME = AccountId("home")


async def test_pass_is_woken_again_and_again() -> None:
    woken = 0
    enough = asyncio.Event()

    def wake() -> None:
        nonlocal woken
        woken += 1
        if woken == 3:
            enough.set()

    schedule = Schedule(clock=SystemClock(), random=lambda: 0.0)
    schedule.start()
    schedule.add_pass(WORK, 0.05, wake)
    async with asyncio.timeout(5):
        await enough.wait()
    schedule.stop()
    await asyncio.sleep(0.15)
    assert woken == 3


async def test_first_runs_are_spread_over_the_interval() -> None:
    """Jobs due at the same instant stall the loop."""
    rolls = iter([0.0, 0.999])
    clock = SystemClock()
    schedule = Schedule(clock=clock, random=lambda: next(rolls))
    schedule.start()
    schedule.add_pass(WORK, 60, lambda: None)
    schedule.add_pass(HOME, 60, lambda: None)
    first, second = schedule.jobs()
    schedule.stop()
    assert (first.account, second.account) == (WORK, HOME)
    assert first.next_run_at is not None
    assert second.next_run_at is not None
    assert 50 < second.next_run_at - first.next_run_at < 60
    assert first.interval_seconds == 60


async def test_stop_is_harmless_when_not_running_and_twice() -> None:
    schedule = Schedule(clock=SystemClock(), random=lambda: 0.5)
    schedule.stop()
    schedule.start()
    schedule.stop()
    schedule.stop()


async def test_job_of_the_same_account_is_replaced() -> None:
    schedule = Schedule(clock=SystemClock(), random=lambda: 0.5)
    schedule.start()
    schedule.add_pass(WORK, 60, lambda: None)
    schedule.add_pass(WORK, 30, lambda: None)
    jobs = schedule.jobs()
    schedule.stop()
    assert [job.interval_seconds for job in jobs] == [30]


async def test_runs_missed_while_the_loop_stood_still_are_one() -> None:
    woken = 0

    def wake() -> None:
        nonlocal woken
        woken += 1

    schedule = Schedule(clock=SystemClock(), random=lambda: 0.0)
    schedule.start()
    schedule.add_pass(WORK, 0.2, wake)
    time.sleep(1.0)  # five runs are due meanwhile
    async with asyncio.timeout(5):
        while not woken:
            await asyncio.sleep(0)
    schedule.stop()
    assert woken == 1


async def test_run_that_is_late_by_hours_is_made_up_for(jumping_clock) -> None:
    """A poll once a day that fell into a suspend must not wait for tomorrow's."""
    woken = asyncio.Event()
    schedule = Schedule(clock=jumping_clock, random=lambda: 0.0)
    schedule.start()
    jumping_clock.jump = -6 * 3600.0
    schedule.add_pass(WORK, 86400, woken.set)
    async with asyncio.timeout(5):
        await woken.wait()
    following = schedule.next_run_of(WORK)
    schedule.stop()
    assert following is not None
    assert following > time.time()


def test_missed_runs_are_not_counted_through() -> None:
    """A machine without a battery wakes up in 1970 and is set forward by millions of intervals."""
    rhythm = Rhythm(60, lambda: 0.5)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    following = rhythm.get_next_fire_time(datetime(1970, 1, 1, tzinfo=UTC), now)
    assert now + timedelta(seconds=60) <= following <= now + timedelta(seconds=66)


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_interval_is_never_shorter_than_it_was_set(chance: float) -> None:
    rhythm = Rhythm(60, lambda: chance)
    previous = datetime(2026, 1, 1, tzinfo=UTC)
    step = rhythm.get_next_fire_time(previous, previous) - previous
    assert timedelta(seconds=60) <= step <= timedelta(seconds=66)


async def test_paused_account_is_not_woken_until_it_runs_again() -> None:
    woken = 0

    def wake() -> None:
        nonlocal woken
        woken += 1

    schedule = Schedule(clock=SystemClock(), random=lambda: 0.0)
    schedule.start()
    schedule.add_pass(WORK, 0.05, wake)
    schedule.set_paused(WORK, is_paused=True)
    schedule.set_paused(WORK, is_paused=True)
    await asyncio.sleep(0.2)
    assert woken == 0
    assert schedule.next_run_of(WORK) is None
    assert [job.next_run_at for job in schedule.jobs()] == [None]
    schedule.start_over()
    assert schedule.next_run_of(WORK) is None
    schedule.set_paused(WORK, is_paused=False)
    async with asyncio.timeout(5):
        while not woken:
            await asyncio.sleep(0.01)
    schedule.stop()


async def test_account_that_is_not_paused_keeps_its_next_run() -> None:
    schedule = Schedule(clock=SystemClock(), random=lambda: 0.5)
    schedule.start()
    schedule.add_pass(WORK, 60, lambda: None)
    before = schedule.next_run_of(WORK)
    schedule.set_paused(WORK, is_paused=False)
    assert schedule.next_run_of(WORK) == before
    schedule.set_paused(HOME, is_paused=True)
    schedule.stop()
    schedule.set_paused(WORK, is_paused=True)


async def test_starting_over_brings_near_what_a_clock_set_back_left_hours_ahead(jumping_clock) -> None:
    jumping_clock.jump = 5 * 3600.0
    schedule = Schedule(clock=jumping_clock, random=lambda: 0.5)
    schedule.start()
    schedule.add_pass(WORK, 60, lambda: None)
    jumping_clock.jump = 0.0
    schedule.start_over()
    following = schedule.next_run_of(WORK)
    schedule.stop()
    assert following is not None
    assert time.time() < following <= time.time() + 60
