"""So many at once, in order; and one that hangs does not hold up the rest."""

import asyncio

from daemon.service.gate import Gate


async def test_no_more_than_allowed_at_once() -> None:
    gate = Gate(at_once=3, turn_seconds=10)
    inside = most = 0

    async def pass_through() -> None:
        nonlocal inside, most
        async with gate.turn():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.005)
            inside -= 1

    await asyncio.gather(*(pass_through() for _ in range(20)))
    assert most == 3


async def test_one_that_hangs_gives_up_its_place_and_goes_on() -> None:
    gate = Gate(at_once=1, turn_seconds=0.05)
    done = asyncio.Event()

    async def hang() -> str:
        async with gate.turn():
            await done.wait()
        return "ended"

    hanging = asyncio.create_task(hang())
    await asyncio.sleep(0)
    async with asyncio.timeout(5), gate.turn():
        assert not hanging.done()
    done.set()
    assert await hanging == "ended"
    async with asyncio.timeout(5), gate.turn():  # the place was given back once, not twice
        waiting = asyncio.create_task(hang())
        await asyncio.sleep(0.01)
        assert not waiting.done()
    waiting.cancel()


async def test_failure_inside_gives_the_place_back() -> None:
    gate = Gate(at_once=1, turn_seconds=10)
    for _ in range(3):
        try:
            async with gate.turn():
                raise ValueError
        except ValueError:
            continue
    async with asyncio.timeout(5), gate.turn():
        pass
