"""What comes down from a maildrop, and by what it is known again."""

import pytest

from daemon.model.errors import ConnectionLost
from tests.sync.pop3_stage import letter, open_drop, sha
from tests.sync.stage import LeapingClock


@pytest.fixture
async def drop(tmp_path):
    async with open_drop(tmp_path) as drop:
        yield drop


# Unique ids that are none (sync.md 25)


async def test_equal_ids_in_one_listing_lose_and_double_nothing_and_delete_nothing(drop):
    """P1."""
    drop.deliver(letter(1), letter(2), letter(3, "longer"), letter(1))
    drop.rename_ids(lambda one: "same")
    async with drop.bridge(leave_on_server=False) as bridge:
        await bridge.poll()
        assert bridge.digests() == drop.there()
        assert (await bridge.poll()).is_quiet
        assert len(drop.there()) == 4
        drop.deliver(letter(4))
        assert (await bridge.poll()).downloaded == 1
        assert bridge.digests() == drop.there()


async def test_changed_ids_double_nothing(drop):
    """P2."""
    drop.deliver(*(letter(number) for number in range(20)))
    async with drop.bridge() as bridge:
        await bridge.poll()
        before = [message.id for message in await bridge.messages()]
        drop.rename_ids(lambda one: f"new-{one.uid}")
        assert (await bridge.poll()).is_quiet
        assert [message.id for message in await bridge.messages()] == before
        assert bridge.digests() == drop.there()
        drop.rename_ids(lambda one: f"1001.{one.uid}")
        await bridge.poll()
        assert bridge.digests() == drop.there()


async def test_id_with_another_size_is_another_message(drop):
    drop.deliver(letter(1))
    drop.rename_ids(lambda one: "reused")
    async with drop.bridge(leave_on_server=True) as bridge:
        await bridge.poll()
        drop.user.inbox.expunge(list(drop.user.inbox.messages))
        drop.deliver(letter(2, "something longer"))
        assert (await bridge.poll()).downloaded == 1
        assert len(bridge.digests()) == 2, "one-way: what left the server stays here"


@pytest.mark.parametrize("without", [["UIDL"], ["UIDL", "TOP"], ["UIDL", "TOP", "PIPELINING"]])
async def test_server_without_ids_doubles_nothing_and_loses_nothing_there(tmp_path, without):
    """P3."""
    async with open_drop(tmp_path, without=without) as drop:
        drop.deliver(letter(1), letter(2), letter(2))
        async with drop.bridge(leave_on_server=False) as bridge:
            await bridge.poll()
            assert bridge.digests() == drop.there()
            assert (await bridge.poll()).is_quiet
            drop.deliver(letter(3))
            assert (await bridge.poll()).downloaded == 1
            assert bridge.digests() == drop.there()
            assert not drop.said(b"DELE")


@pytest.mark.parametrize("uidl", ["../../../etc/passwd", "x" * 600, "with space", "a/b", ""])
async def test_odd_ids_are_only_compared(drop, uidl):
    """P4."""
    drop.deliver(letter(1), letter(2))
    drop.rename_ids(lambda one: f"{uidl}{one.uid}" if uidl else "")
    async with drop.bridge() as bridge:
        await bridge.poll()
        assert bridge.digests() == drop.there()
        assert (await bridge.poll()).is_quiet


# Faults


async def test_refused_message_holds_up_none_and_is_asked_for_later(drop):
    """P9."""
    drop.deliver(letter(1), letter(2), letter(3))
    clock = LeapingClock()
    drop.answer(lambda line: b"-ERR locked by the scanner\r\n" if line == b"RETR 2" else None)
    async with drop.bridge(clock=clock) as bridge:
        result = await bridge.poll()
        assert (result.downloaded, result.failed) == (2, 1)
        drop.answer(lambda line: None)
        assert (await bridge.poll()).downloaded == 0, "not at every poll"
        clock.ahead = 3600
        assert (await bridge.poll()).downloaded == 1
        assert bridge.digests() == drop.there()


async def test_line_lost_in_a_message_stores_nothing_of_it(drop):
    """P7."""
    drop.deliver(letter(1), letter(2), letter(3))
    drop.answer(lambda line: b"" if line == b"RETR 3" else None)
    async with drop.bridge(leave_on_server=False) as bridge:
        with pytest.raises(ConnectionLost):
            await bridge.poll()
        assert len(drop.there()) == 3
        drop.answer(lambda line: None)
        await bridge.poll()
        assert len(bridge.digests()) == 3
        assert len(set(bridge.digests())) == 3


async def test_listing_with_wrong_sizes_does_not_matter(drop):
    """P5."""
    drop.deliver(letter(1), letter(2), b"Subject: big\r\n\r\n" + b"x" * 70 * 1024 + b"\r\n" * 30)
    lies = {b"1": b"-7", b"2": b"99999999999999999999999", b"3": b"12"}
    listing = b"+OK\r\n" + b"".join(b"%s %s\r\n" % item for item in lies.items()) + b".\r\n"
    drop.answer(lambda line: listing if line == b"LIST" else None)
    async with drop.bridge() as bridge:
        await bridge.poll()
        assert bridge.digests() == drop.there()
        assert (await bridge.poll()).is_quiet


async def test_large_message_goes_through_the_disk(drop):
    big = b"Received: by a; Tue, 14 Nov 2023 22:13:20 +0000\r\nSubject: big\r\n\r\n" + b".dots\r\n" * 400_000
    drop.deliver(letter(1), big, letter(2))
    async with drop.bridge(leave_on_server=False) as bridge:
        assert (await bridge.poll()).downloaded == 3
        assert sha(big) in bridge.digests()
        found = [one for one in await bridge.messages() if one.content.envelope.subject == "big"]
        assert found[0].internal_date == 1_700_000_000
    assert drop.there() == []
