"""What leaves a maildrop, and what must not."""

import pytest

from daemon.model.errors import RemoteProtocolError, ServerRefused
from tests.sync.pop3_stage import let_pass, letter, open_drop, sha
from tests.sync.stage import LeapingClock


@pytest.fixture
async def drop(tmp_path):
    async with open_drop(tmp_path) as drop:
        yield drop


async def test_stored_messages_leave_the_server_when_told_to(drop):
    drop.deliver(letter(1), letter(2))
    async with drop.bridge(leave_on_server=False) as bridge:
        assert (await bridge.poll()).expunged_there == 2
        assert drop.there() == []
        assert len(bridge.digests()) == 2
        assert (await bridge.poll()).is_quiet


async def test_messages_leave_after_their_days_counted_over_restarts(drop):
    drop.deliver(letter(1))
    clock = LeapingClock()
    async with drop.bridge(leave_on_server=14 * 86400, clock=clock) as bridge:
        await bridge.poll()
        await let_pass(bridge, clock, 13.9)
    async with drop.bridge(leave_on_server=14 * 86400, clock=clock) as bridge:
        drop.deliver(letter(2))
        await bridge.poll()
        assert len(drop.there()) == 2
        clock.ahead = 14.1 * 86400
        drop.commands.clear()
        assert (await bridge.poll()).expunged_there == 1
        assert drop.said(b"TOP") == 1, "the header is looked at before"
        assert drop.there() == [sha(letter(2))]


async def test_nothing_leaves_when_the_header_is_another(drop):
    drop.deliver(letter(1))
    clock = LeapingClock()
    async with drop.bridge(leave_on_server=86400, clock=clock) as bridge:
        await bridge.poll()
        uid, message = next(iter(drop.user.inbox.messages.items()))
        other = letter(7)
        assert len(other) == len(message.octets)
        drop.user.inbox.messages[uid] = type(message)(
            uid=uid, octets=other, flags=message.flags, internal_date=1, mod_seq=1
        )
        await let_pass(bridge, clock, 0.9, step_hours=5)
        clock.ahead = 1.1 * 86400
        await bridge.poll()
        assert drop.said(b"TOP") == 1
        assert drop.there() == [sha(other)], "what is behind the id is not what was stored"


async def test_refused_quit_counts_as_not_deleted(drop):
    """P10."""
    drop.deliver(letter(1))
    drop.answer(lambda line: b"-ERR not all removed\r\n" if line == b"QUIT" else None)
    async with drop.bridge(leave_on_server=False) as bridge:
        with pytest.raises(ServerRefused):
            await bridge.poll()
        drop.answer(lambda line: None)
        assert len(drop.there()) == 1
        assert (await bridge.poll()).expunged_there == 1
        assert len(bridge.digests()) == 1


@pytest.mark.parametrize("words", [b"-ERR locked by the scanner\r\n", b"-ERR unknown command\r\n"])
async def test_refused_header_keeps_its_message_and_the_proof_of_the_others(drop, words):
    drop.deliver(letter(1), letter(2), letter(3))
    clock = LeapingClock()
    async with drop.bridge(leave_on_server=86400, clock=clock) as bridge:
        await bridge.poll()
        *_, (uid, message) = drop.user.inbox.messages.items()
        other = letter(7)
        drop.user.inbox.messages[uid] = type(message)(
            uid=uid, octets=other, flags=message.flags, internal_date=1, mod_seq=1
        )
        await let_pass(bridge, clock, 0.9, step_hours=5)
        clock.ahead = 1.1 * 86400
        drop.answer(lambda line: words if line == b"TOP 1 0" else None)
        assert (await bridge.poll()).expunged_there == 1
        assert drop.there() == sorted([sha(letter(1)), sha(other)])
        drop.answer(lambda line: None)
        assert (await bridge.poll()).expunged_there == 1, "its header is asked for again the next time"
        assert drop.there() == [sha(other)]


async def test_server_without_top_is_believed_by_id_and_size(tmp_path):
    """P3."""
    async with open_drop(tmp_path, without=["TOP"]) as drop:
        drop.deliver(letter(1))
        clock = LeapingClock()
        async with drop.bridge(leave_on_server=86400, clock=clock) as bridge:
            await bridge.poll()
            await let_pass(bridge, clock, 0.9, step_hours=5)
            clock.ahead = 1.1 * 86400
            assert (await bridge.poll()).expunged_there == 1


async def test_header_of_each_message_is_asked_for_once(drop):
    drop.deliver(*(letter(number) for number in range(60)))
    clock = LeapingClock()
    async with drop.bridge(leave_on_server=86400, clock=clock) as bridge:
        await bridge.poll()
        await let_pass(bridge, clock, 0.9, step_hours=5)
        clock.ahead = 1.1 * 86400
        drop.commands.clear()
        assert (await bridge.poll()).expunged_there == 60
        assert drop.said(b"TOP") == 60


# Numbers that name another message (P12)


async def test_maildrop_renumbered_since_the_listing_loses_nothing(drop):
    drop.deliver(letter(1), letter(2))
    drop.answer(lambda line: b"+OK 2 another\r\n" if line == b"UIDL 2" else None)
    async with drop.bridge(leave_on_server=False) as bridge:
        with pytest.raises(RemoteProtocolError) as caught:
            await bridge.poll()
        assert caught.value.reason == "maildrop_changed"
        assert not drop.said(b"QUIT")
        assert not drop.said(b"DELE")
        assert len(drop.there()) == 2
        drop.answer(lambda line: None)
        result = await bridge.poll()
        assert (result.downloaded, result.expunged_there) == (0, 2)
        assert len(bridge.digests()) == 2


async def test_maildrop_renumbered_by_a_deletion_loses_nothing(drop):
    """The server closes the ranks behind each DELE, so number 2 is the third message by then."""
    drop.deliver(letter(1), letter(2), letter(3))
    ids = [f"{drop.user.inbox.uid_validity}.{uid}" for uid in drop.user.inbox.messages]

    def close_ranks(line):
        if line == b"UIDL 2" and drop.said(b"DELE 1"):
            return f"+OK 2 {ids[2]}\r\n".encode()
        return None

    drop.answer(close_ranks)
    async with drop.bridge(leave_on_server=False) as bridge:
        with pytest.raises(RemoteProtocolError):
            await bridge.poll()
        assert len(drop.there()) == 3
        assert len(bridge.digests()) == 3


async def test_message_whose_id_cannot_be_asked_for_stays(drop):
    drop.deliver(letter(1), letter(2))
    drop.answer(lambda line: b"-ERR no such message\r\n" if line == b"UIDL 1" else None)
    async with drop.bridge(leave_on_server=False) as bridge:
        assert (await bridge.poll()).expunged_there == 1
        assert drop.there() == [sha(letter(1))]
        drop.commands.clear()
        drop.answer(lambda line: None)
        assert (await bridge.poll()).expunged_there == 1
        assert drop.said(b"RETR") == 0
