"""Places for requests that stay."""

import asyncio

import pytest

from api.limits import Places
from api.problems import Problem


async def hold(places, entered):
    async with places.hold():
        entered.set()
        await asyncio.Event().wait()


async def test_place_is_given_back():
    places = Places(1)
    for _ in range(3):
        async with places.hold():
            assert places.taken == 1
    assert places.taken == 0


async def test_full_house_is_too_busy():
    places = Places(1)
    entered = asyncio.Event()
    holder = asyncio.create_task(hold(places, entered), name="holder")
    await entered.wait()
    with pytest.raises(Problem) as caught:
        async with places.hold():
            raise AssertionError("there was no place")
    assert caught.value.code == "too_busy"
    assert "Retry-After" in caught.value.headers
    holder.cancel()
    await asyncio.gather(holder, return_exceptions=True)
    assert places.taken == 0


async def test_closing_cancels_holders_and_lets_nobody_in():
    places = Places(2)
    entered = asyncio.Event()
    holder = asyncio.create_task(hold(places, entered), name="holder")
    await entered.wait()
    places.close()
    with pytest.raises(asyncio.CancelledError):
        await holder
    with pytest.raises(Problem):
        async with places.hold():
            raise AssertionError("the house is closed")
