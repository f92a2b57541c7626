"""The schedule wakes accounts and does nothing else; stopping it in any state is safe."""

import asyncio

from daemon.model.clock import SystemClock
from daemon.model.ids import AccountId
from daemon.service.schedule import Schedule

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
