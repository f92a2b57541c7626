"""The journal through the facade: from where one left off, each event once."""

import asyncio
import time

import pytest

from daemon.model.errors import InvalidRequest
from daemon.model.events import EventName
from daemon.model.states import AccountState as S
from daemon.service.control.events import EventsGone


async def test_events_follow_the_id_of_a_snapshot(open_house, scripted, imap_account) -> None:
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.IDLE)
    since = house.control.latest_event_id()
    await house.control.pause("work", wait_seconds=5)
    # States are journalled behind the change itself: what came before the snapshot may be written after it.
    events = []
    while not events or events[-1].data["state"] != "paused":
        after = events[-1].id if events else since
        more = await house.control.events_since(after, types={EventName.ACCOUNT_STATE}, wait_seconds=5)
        assert more, "the journal never says that the account is paused"
        events += more
    assert len({event.id for event in events}) == len(events)


async def test_wait_ends_with_the_first_event(open_house, scripted, imap_account) -> None:
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.IDLE)
    await asyncio.sleep(0.2)
    since = house.control.latest_event_id()
    waiting = asyncio.create_task(house.control.events_since(since, wait_seconds=10))
    await asyncio.sleep(0.05)
    started = time.monotonic()
    await house.control.pause("work", wait_seconds=5)
    assert (await waiting)[0].name is EventName.ACCOUNT_STATE
    assert time.monotonic() - started < 5


async def test_wait_without_events_ends_empty(open_house) -> None:
    house = await open_house()
    since = house.control.latest_event_id()
    assert await house.control.events_since(since, wait_seconds=0.05) == ()
    assert await house.control.events_since(since) == ()


async def test_event_of_another_type_does_not_end_the_wait(open_house, scripted, imap_account) -> None:
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.IDLE)
    since = house.control.latest_event_id()
    waiting = asyncio.create_task(
        house.control.events_since(since, types={EventName.MESSAGE_NEW}, wait_seconds=0.4)
    )
    await house.control.pause("work", wait_seconds=5)
    assert await waiting == ()


async def test_id_of_another_epoch_is_gone(open_house) -> None:
    house = await open_house()
    with pytest.raises(EventsGone):
        await house.control.events_since("0000-000000000001")


@pytest.mark.parametrize("limit", [0, -1, 10**9])
async def test_absurd_limit_is_refused(open_house, limit: int) -> None:
    house = await open_house()
    with pytest.raises(InvalidRequest) as caught:
        await house.control.events_since(None, limit=limit)
    assert caught.value.reason == "limit_invalid"


async def test_subscription_tells_of_commits(open_house, scripted, imap_account) -> None:
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.IDLE)
    async with house.control.subscribe_events() as news:
        await house.control.pause("work", wait_seconds=5)
        assert await news.wait(5)
