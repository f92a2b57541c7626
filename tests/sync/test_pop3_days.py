"""Days that count, and days that a clock only pretends."""

import time

import pytest

from tests.sync.pop3_stage import let_pass, letter, open_drop
from tests.sync.stage import LeapingClock
from tests.sync.steps import Stopped

DAY = 86400.0
FORTNIGHT = 14 * 86400


@pytest.fixture
async def drop(tmp_path):
    async with open_drop(tmp_path) as drop:
        drop.deliver(letter(1))
        yield drop


async def test_time_with_polls_in_it_counts(drop):
    clock = LeapingClock()
    async with drop.bridge(leave_on_server=86400, clock=clock) as bridge:
        await bridge.poll()
        await let_pass(bridge, clock, 0.9, step_hours=5)
        assert (await bridge.poll()).expunged_there == 0
        clock.ahead = 1.1 * DAY
        assert (await bridge.poll()).expunged_there == 1


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_message_seen_by_a_clock_of_1970_stays_its_days_once_the_clock_is_right(drop, is_restarted):
    clock = LeapingClock()
    clock.ahead = DAY - time.time()
    async with drop.bridge(leave_on_server=86400, clock=clock) as bridge:
        await bridge.poll()
        clock.ahead = 0.0
        if not is_restarted:
            assert (await bridge.poll()).expunged_there == 0
    async with drop.bridge(leave_on_server=86400, clock=clock) as bridge:
        assert (await bridge.poll()).expunged_there == 0
        await let_pass(bridge, clock, 0.9, step_hours=5)
        assert (await bridge.poll()).expunged_there == 0
        clock.ahead = 1.1 * DAY
        assert (await bridge.poll()).expunged_there == 1


@pytest.mark.parametrize("days", [20, 40_000])
async def test_leap_ahead_counts_as_one_day(drop, days):
    clock = LeapingClock()
    async with drop.bridge(leave_on_server=FORTNIGHT, clock=clock) as bridge:
        await bridge.poll()
        clock.ahead = days * DAY
        assert (await bridge.poll()).expunged_there == 0
    async with drop.bridge(leave_on_server=FORTNIGHT, clock=clock) as bridge:
        for more in range(1, 14):
            clock.ahead = (days + more) * DAY - 3600
            assert (await bridge.poll()).expunged_there == 0
        clock.ahead = (days + 13.1) * DAY
        assert (await bridge.poll()).expunged_there == 1


async def test_days_are_kept_when_the_clock_goes_back_and_is_right_again(drop):
    clock = LeapingClock()
    async with drop.bridge(leave_on_server=FORTNIGHT, clock=clock) as bridge:
        await bridge.poll()
        await let_pass(bridge, clock, 10)
        await bridge.poll()
        clock.ahead -= 20_000 * DAY
        assert (await bridge.poll()).expunged_there == 0
        clock.ahead += 20_000 * DAY
        assert (await bridge.poll()).expunged_there == 0
        await let_pass(bridge, clock, 13.9)
        assert (await bridge.poll()).expunged_there == 0
        clock.ahead = 14.1 * DAY
        assert (await bridge.poll()).expunged_there == 1


@pytest.mark.parametrize("leap", [20_000, -20_000])
@pytest.mark.parametrize("broken", ["shift", "note"])
async def test_stop_while_a_leap_is_noted_has_no_message_leave_early(drop, leap, broken):
    clock = LeapingClock()
    async with drop.bridge(leave_on_server=FORTNIGHT, clock=clock) as bridge:
        await bridge.poll()
        await let_pass(bridge, clock, 10)
        await bridge.poll()
    async with drop.bridge(leave_on_server=FORTNIGHT, clock=clock) as bridge:
        room, name = {
            "shift": (bridge.store.maildrop, "shift_first_seen"),
            "note": (bridge.store.facts, "set"),
        }[broken]

        go_on = getattr(room, name)

        async def stop(account, what, *arguments, **options) -> None:
            if name == "set" and what != "pop3.looked_at":
                return await go_on(account, what, *arguments, **options)
            raise Stopped

        setattr(room, name, stop)
        clock.ahead += leap * DAY
        with pytest.raises(Stopped):
            await bridge.poll()
    async with drop.bridge(leave_on_server=FORTNIGHT, clock=clock) as bridge:
        assert (await bridge.poll()).expunged_there == 0
        clock.ahead += 2 * DAY
        assert (await bridge.poll()).expunged_there == 0


async def test_store_that_does_not_know_when_it_last_looked_counts_from_now(drop):
    clock = LeapingClock()
    async with drop.bridge(leave_on_server=86400, clock=clock) as bridge:
        await bridge.poll()
        await bridge.store.facts.set(bridge.settings.id, "pop3.looked_at", None)
    clock.ahead = 30 * DAY
    async with drop.bridge(leave_on_server=86400, clock=clock) as bridge:
        assert (await bridge.poll()).expunged_there == 0


async def test_poll_interval_longer_than_a_day_counts(drop):
    clock = LeapingClock()
    async with drop.bridge(leave_on_server=FORTNIGHT, poll_interval_seconds=7 * 86400, clock=clock) as bridge:
        await bridge.poll()
        clock.ahead = 7 * DAY + 60
        assert (await bridge.poll()).expunged_there == 0
        clock.ahead = 14 * DAY + 60
        assert (await bridge.poll()).expunged_there == 1
