"""What leaves a maildrop, and what must not."""

import pytest

from daemon.model.errors import ServerRefused
from tests.sync.pop3_stage import letter, open_drop, sha
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


async def test_many_messages_are_announced_for_one_poll_before_they_leave(drop):
    drop.deliver(*(letter(number) for number in range(101)))
    async with drop.bridge(leave_on_server=False) as bridge:
        assert (await bridge.poll()).expunged_there == 0
        assert bridge.engine.announced_count == 101
        assert len(drop.there()) == 101
        assert (await bridge.poll()).expunged_there == 101
        assert bridge.engine.announced_count == 0


async def test_messages_leave_after_their_days_counted_over_restarts(drop):
    drop.deliver(letter(1))
    clock = LeapingClock()
    async with drop.bridge(leave_on_server=14 * 86400, clock=clock) as bridge:
        await bridge.poll()
        clock.ahead = 13.9 * 86400
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
        clock.ahead = 2 * 86400
        await bridge.poll()
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
