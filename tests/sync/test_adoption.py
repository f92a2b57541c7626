"""Files without a partner: a message with their octets is theirs, once each, with the flags of both sides."""

import dataclasses

import pytest

from daemon.model.flags import FLAGGED, SEEN
from daemon.model.operations import OperationKind
from daemon.model.views import BaseState
from tests.sync.stage import agree, ask, entries, letter, messages


async def renumbered(bridge, stage, *letters):
    """Synced, and then renumbered by a server whose sizes say nothing: only octets can tell."""
    stage.line.replace(rb"RFC822.SIZE (\d+)", rb"RFC822.SIZE 1\1")
    stage.deliver(*letters)
    await bridge.sync()
    await bridge.disconnect()
    stage.box().reset(99)


async def settled(bridge):
    """Passes until the one after a quiet one is quiet too: what is bound counts as nothing done."""
    for _ in range(3):
        await bridge.sync()


async def test_equal_octets_are_adopted_as_often_as_they_are_there(stage):
    async with stage.bridge() as bridge:
        await renumbered(bridge, stage, letter(1), letter(1), letter(2))
        await settled(bridge)
        assert len(await bridge.files()) == 3
        assert {entry.state for entry in await entries(bridge)} == {BaseState.SYNCED}
        await agree(bridge, stage)


async def test_one_message_for_two_equal_files_leaves_one_of_them_unmatched(stage):
    async with stage.bridge() as bridge:
        await renumbered(bridge, stage, letter(1), letter(1))
        stage.box().expunge([2])
        await settled(bridge)
        assert len(await bridge.files()) == 2
        assert sum(one.is_unmatched for one in await messages(bridge)) == 1


@pytest.mark.parametrize("where", ["here", "there"])
async def test_flags_of_both_sides_survive(stage, where):
    """The true base is lost: a flag that one side has must not be taken for one that the other removed."""
    async with stage.bridge() as bridge:
        await renumbered(bridge, stage, letter(1))
        if where == "there":
            stage.box().set_flags(1, frozenset({SEEN}))
        else:
            ((name, path),) = (await bridge.files()).items()
            path.rename(path.parent.parent / "cur" / f"{name}:2,S")
        await settled(bridge)
        assert stage.flags_there() == {1: {SEEN}}
        await agree(bridge, stage)


async def test_wish_follows_a_message_that_only_its_octets_could_match(stage):
    async with stage.bridge() as bridge:
        await renumbered(bridge, stage, letter(1))
        ((message),) = await messages(bridge)
        operation = await ask(bridge, message.id, OperationKind.FLAGS, add={FLAGGED})
        await settled(bridge)
        assert (await bridge.store.operations.get(operation.id)).state == "done"
        assert stage.flags_there() == {1: {FLAGGED}}
        await agree(bridge, stage)


async def test_adopted_octets_cross_the_line_once(stage):
    async with stage.bridge() as bridge:
        await renumbered(bridge, stage, letter(1), letter(2))
        fetched = stage.line.count(b"BODY.PEEK[]")
        await settled(bridge)
        assert stage.line.count(b"BODY.PEEK[]") == fetched + 1
        assert not any(one.is_unmatched for one in await messages(bridge))


async def test_other_octets_of_the_same_size_and_date_come_down_beside_the_file(stage):
    async with stage.bridge() as bridge:
        await renumbered(bridge, stage, letter(1))
        box = stage.box()
        box.messages[1] = dataclasses.replace(box.messages[1], octets=letter(2))
        await settled(bridge)
        assert len(await bridge.files()) == 2
        assert sum(one.is_unmatched for one in await messages(bridge)) == 1


async def test_file_whose_message_has_neither_its_size_nor_its_date_is_adopted_when_it_is_fetched(stage):
    async with stage.bridge() as bridge:
        await renumbered(bridge, stage, letter(1))
        box = stage.box()
        box.messages[1] = dataclasses.replace(box.messages[1], internal_date=5)
        await settled(bridge)
        assert len(await bridge.files()) == 1
        assert not any(one.is_unmatched for one in await messages(bridge))


async def test_equal_files_are_each_adopted_when_fetched_and_keep_the_flags_of_both_sides(stage):
    """Two files of the same octets, found only by their octets, each with a flag that the other side lacks."""
    async with stage.bridge() as bridge:
        await renumbered(bridge, stage, letter(1), letter(1))
        for name, path in (await bridge.files()).items():
            path.rename(path.parent.parent / "cur" / f"{name}:2,S")
        box = stage.box()
        for uid, message in list(box.messages.items()):
            box.messages[uid] = dataclasses.replace(message, internal_date=5 + uid)
            box.set_flags(uid, frozenset({FLAGGED}))
        await settled(bridge)
        assert len(await bridge.files()) == 2
        assert not any(one.is_unmatched for one in await messages(bridge))
        assert stage.flags_there() == {1: {SEEN, FLAGGED}, 2: {SEEN, FLAGGED}}
        await agree(bridge, stage)
