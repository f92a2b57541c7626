"""A poll of a maildrop in which nothing has changed compares nothing; one in which anything has compares all."""

import pytest

from daemon.store.maildrop import MaildropRoom
from tests.sync.pop3_stage import ACCOUNT, letter, open_drop
from tests.sync.stage import LeapingClock


@pytest.fixture
async def drop(tmp_path):
    async with open_drop(tmp_path) as drop:
        drop.deliver(letter(1), letter(2), letter(3))
        yield drop


@pytest.fixture
def compared(monkeypatch):
    """How often a listing was compared; what it was compared with is the real thing."""
    calls = []
    compare = MaildropRoom.compare

    async def counted(self, account, consume):
        calls.append(account)
        return await compare(self, account, consume)

    monkeypatch.setattr(MaildropRoom, "compare", counted)
    return calls


async def settle(bridge, compared) -> None:
    """Poll until a poll compares nothing."""
    for _ in range(3):
        compared.clear()
        assert not (await bridge.poll()).failed
        if not compared:
            return
    raise AssertionError("every poll compares")


@pytest.mark.parametrize("days", [True, 86400])
async def test_second_poll_without_news_compares_nothing(drop, compared, days):
    async with drop.bridge(leave_on_server=days) as bridge:
        await bridge.poll()
        await bridge.poll()
        compared.clear()
        drop.commands.clear()
        assert (await bridge.poll()).is_quiet
        assert not compared
        assert [drop.said(word) for word in (b"UIDL", b"LIST", b"QUIT")] == [1, 1, 1]


async def test_new_message_among_unchanged_ones_is_fetched(drop, compared):
    async with drop.bridge() as bridge:
        await settle(bridge, compared)
        drop.deliver(letter(4))
        assert (await bridge.poll()).downloaded == 1
        assert bridge.digests() == drop.there()


async def test_message_that_left_the_server_is_noticed(drop, compared):
    async with drop.bridge() as bridge:
        await settle(bridge, compared)
        drop.user.inbox.expunge([next(iter(drop.user.inbox.messages))])
        await bridge.poll()
        assert await bridge.store.maildrop.count(ACCOUNT) == 2


@pytest.mark.parametrize("what", ["id", "size"])
async def test_id_or_size_that_changes_alone_is_noticed(drop, compared, what):
    async with drop.bridge() as bridge:
        await settle(bridge, compared)
        if what == "id":
            drop.rename_ids(lambda parcel: f"other.{parcel.uidl}")
        else:
            said = b"+OK\r\n1 7\r\n2 8\r\n3 9\r\n.\r\n"
            drop.answer(lambda line: said if line == b"LIST" else None)
        await bridge.poll()
        assert compared


async def test_forgotten_message_comes_again(drop, compared):
    """A row that is changed by anyone is looked at."""
    async with drop.bridge() as bridge:
        await settle(bridge, compared)
        message = (await bridge.messages())[0]
        await bridge.store.maildrop.forget(ACCOUNT, [message.id])
        drop.commands.clear()
        await bridge.poll()
        assert drop.said(b"RETR") == 1
        assert bridge.digests() == drop.there()


async def test_wish_of_a_person_is_carried_out_though_nothing_changed_there(drop, compared):
    async with drop.bridge() as bridge:
        await settle(bridge, compared)
        await bridge.ask((await bridge.messages())[0].id)
        assert (await bridge.poll()).removed_here == 1
        assert len(bridge.digests()) == 2
        drop.commands.clear()
        await bridge.poll()
        assert drop.said(b"RETR") == 0


async def test_removal_that_falls_due_is_carried_out_though_nothing_changed_there(drop, compared):
    clock = LeapingClock()
    async with drop.bridge(leave_on_server=7200, clock=clock) as bridge:
        await settle(bridge, compared)
        removed = 0
        for minutes in range(10, 241, 10):
            clock.ahead = minutes * 60
            removed += (await bridge.poll()).expunged_there
            assert not removed or minutes * 60 >= 7200
        assert removed == 3
        assert drop.there() == []


async def test_message_that_was_refused_is_tried_again_though_nothing_changed_there(drop, compared):
    clock = LeapingClock()
    drop.answer(lambda line: b"-ERR locked\r\n" if line == b"RETR 2" else None)
    async with drop.bridge(clock=clock) as bridge:
        for _ in range(3):
            await bridge.poll()
        drop.answer(lambda line: None)
        clock.ahead = 1000
        assert (await bridge.poll()).downloaded == 1


async def test_changed_setting_is_looked_at_though_nothing_changed_there(drop, compared):
    async with drop.bridge() as bridge:
        await settle(bridge, compared)
    async with drop.bridge(leave_on_server=False) as bridge:
        assert (await bridge.poll()).expunged_there == 3


async def test_poll_that_ended_early_is_made_whole(drop, compared):
    async with drop.bridge() as bridge:
        await settle(bridge, compared)
        drop.deliver(letter(4))
        drop.answer(lambda line: b"" if line == b"RETR 4" else None)
        with pytest.raises(Exception, match="closed"):
            await bridge.poll()
        drop.answer(lambda line: None)
        assert (await bridge.poll()).downloaded == 1


async def test_everything_is_compared_once_an_hour(drop, compared):
    clock = LeapingClock()
    async with drop.bridge(clock=clock) as bridge:
        await settle(bridge, compared)
        clock.ahead = 3700
        await bridge.poll()
        assert compared
