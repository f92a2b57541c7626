"""What is said before it is removed, and for what that stands."""

import pytest

from daemon.model.errors import ConnectionLost
from tests.support.pop3_bridge import Pop3Bridge
from tests.sync.pop3_stage import letter, open_drop


@pytest.fixture
async def drop(tmp_path):
    async with open_drop(tmp_path) as drop:
        yield drop


def letters(first: int, count: int) -> list[bytes]:
    return [letter(number) for number in range(first, first + count)]


async def removed(bridge: Pop3Bridge) -> tuple[int, int]:
    """What one poll removed, and what it announced."""
    return (await bridge.poll()).expunged_there, bridge.engine.announced_count


async def test_many_messages_are_announced_for_one_poll_before_they_leave(drop):
    drop.deliver(*letters(0, 101))
    async with drop.bridge(leave_on_server=False) as bridge:
        assert await removed(bridge) == (0, 101)
        assert len(drop.there()) == 101
        assert await removed(bridge) == (101, 0)


async def test_few_messages_leave_without_a_word_and_so_does_what_follows(drop):
    drop.deliver(*letters(0, 100))
    async with drop.bridge(leave_on_server=False) as bridge:
        assert await removed(bridge) == (100, 0)
        drop.deliver(*letters(100, 150))
        assert await removed(bridge) == (150, 0)


async def test_announcement_outlives_a_restart(drop):
    drop.deliver(*letters(0, 101))
    async with drop.bridge(leave_on_server=False) as bridge:
        assert await removed(bridge) == (0, 101)
    async with drop.bridge(leave_on_server=False) as bridge:
        assert await removed(bridge) == (101, 0)


async def test_announcement_of_a_poll_that_failed_is_made_again(drop):
    drop.deliver(*letters(0, 101))
    drop.answer(lambda line: b"" if line == b"RETR 101" else None)
    async with drop.bridge(leave_on_server=False) as bridge:
        with pytest.raises(ConnectionLost):
            await bridge.poll()
        assert bridge.engine.announced_count == 0
        drop.answer(lambda line: None)
        assert await removed(bridge) == (0, 101)
        assert await removed(bridge) == (101, 0)


async def test_announcement_that_was_not_shown_is_made_again(drop, monkeypatch):
    drop.deliver(*letters(0, 101))
    async with drop.bridge(leave_on_server=False) as bridge:

        async def unseen() -> None:
            """Whoever shows it failed."""

        monkeypatch.setattr(bridge.engine, "note_shown", unseen)
        assert await removed(bridge) == (0, 101)
        monkeypatch.undo()
        assert await removed(bridge) == (0, 101)
        assert await removed(bridge) == (101, 0)


async def test_announcement_stays_unused_when_the_removing_poll_fails(drop):
    drop.deliver(*letters(0, 101))
    async with drop.bridge(leave_on_server=False) as bridge:
        assert await removed(bridge) == (0, 101)
        drop.answer(lambda line: b"" if line == b"QUIT" else None)
        with pytest.raises(ConnectionLost):
            await bridge.poll()
        drop.answer(lambda line: None)
        assert await removed(bridge) == (101, 0)


async def test_messages_left_there_meanwhile_are_announced_anew(drop):
    drop.deliver(*letters(0, 1))
    async with drop.bridge(leave_on_server=False) as bridge:
        assert await removed(bridge) == (1, 0)
    drop.deliver(*letters(1, 300))
    async with drop.bridge(leave_on_server=True) as bridge:
        assert await removed(bridge) == (0, 0)
    async with drop.bridge(leave_on_server=False) as bridge:
        assert await removed(bridge) == (0, 300)
        assert await removed(bridge) == (300, 0)


async def test_announcement_is_void_under_another_setting(drop):
    drop.deliver(*letters(0, 101))
    async with drop.bridge(leave_on_server=False) as bridge:
        assert await removed(bridge) == (0, 101)
    async with drop.bridge(leave_on_server=14 * 86400) as bridge:
        assert await removed(bridge) == (0, 0)
    async with drop.bridge(leave_on_server=True) as bridge:
        await bridge.poll()
    async with drop.bridge(leave_on_server=False) as bridge:
        assert await removed(bridge) == (0, 101)


async def test_announcement_stands_for_what_it_counted(drop):
    drop.deliver(*letters(0, 101))
    async with drop.bridge(leave_on_server=False) as bridge:
        assert await removed(bridge) == (0, 101)
        drop.deliver(*letters(101, 150))
        assert await removed(bridge) == (101, 150)
        drop.deliver(*letters(251, 20))
        assert await removed(bridge) == (170, 0)
