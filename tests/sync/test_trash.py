"""Copies into the trash without MOVE: one copy, however often the deletion has to be repeated (S27)."""

import pytest

from daemon.model.errors import ConnectionLost
from daemon.model.settings import DeleteRule
from tests.sync.stage import agree, ask, letter, messages, open_stage, sha, sync_through


@pytest.mark.parametrize(
    ("word", "how"), [(rb"UID COPY", "lose"), (rb"UID STORE", "cut"), (rb"UID EXPUNGE", "cut")]
)
@pytest.mark.parametrize("without", [("MOVE",), ("MOVE", "UIDPLUS")])
async def test_line_lost_on_the_way_leaves_one_copy(tmp_path, word, how, without):
    async with open_stage(tmp_path, without=without) as stage:
        stage.trash()
        async with stage.bridge(delete=DeleteRule.TRASH) as bridge:
            # Two messages alike: both must arrive, and one that arrived must not stand for the other.
            stage.deliver(letter(1), letter(1), letter(2), letter(3))
            await bridge.sync()
            for one in await messages(bridge):
                if one.content.envelope.subject != "letter 3":
                    await ask(bridge, one.id)
            getattr(stage.line, how)(word)
            await sync_through(bridge)
            assert stage.there("Trash") == sorted(sha(letter(number)) for number in (1, 1, 2))
            left = [uid for uid, flags in stage.flags_there().items() if "\\Deleted" not in flags]
            assert left == [4]
            if "UIDPLUS" not in without:
                await agree(bridge, stage, "INBOX", "Trash")
            assert (await bridge.sync()).is_quiet


async def test_same_octets_that_were_in_the_trash_before_are_no_copy(tmp_path):
    async with open_stage(tmp_path, without=("MOVE",)) as stage:
        stage.trash()
        stage.deliver(letter(1), mailbox="Trash")
        async with stage.bridge(delete=DeleteRule.TRASH) as bridge:
            stage.deliver(letter(1))
            await bridge.sync()
            (one,) = await messages(bridge, "INBOX")
            await ask(bridge, one.id)
            stage.line.cut(rb"UID COPY")
            await sync_through(bridge)
            assert stage.there("Trash") == [sha(letter(1))] * 2
            await agree(bridge, stage, "INBOX", "Trash")


async def test_note_is_gone_when_the_deletion_is_done(tmp_path):
    async with open_stage(tmp_path, without=("MOVE",)) as stage:
        stage.trash()
        async with stage.bridge(delete=DeleteRule.TRASH) as bridge:
            stage.deliver(letter(1))
            await bridge.sync()
            (one,) = await messages(bridge)
            await ask(bridge, one.id)
            await bridge.sync()
            assert await bridge.store.facts.get(bridge.settings.id, "trash_copies") is None


@pytest.mark.parametrize("other", [letter(2), letter(1)], ids=["other", "equal"])
@pytest.mark.parametrize("how", ["lose", "cut"])
async def test_copy_of_another_mailbox_meanwhile_leaves_one_copy_of_each(tmp_path, how, other):
    """INBOX comes first when the deletion in Archive is repeated: one attempt must not be forgotten for another."""
    async with open_stage(tmp_path, without=("MOVE",)) as stage:
        stage.trash()
        async with stage.bridge(delete=DeleteRule.TRASH) as bridge:
            stage.deliver(letter(1), letter(5), mailbox="Archive")
            stage.deliver(other, letter(6))
            await bridge.sync()
            for mailbox in ("Archive", "INBOX"):
                one = next(
                    one for one in await messages(bridge, mailbox) if one.uid == 1
                )  # the other stays: nothing is emptied
                await ask(bridge, one.id)
                if mailbox == "Archive":
                    getattr(stage.line, how)(rb"UID COPY")
                    with pytest.raises(ConnectionLost):
                        await bridge.run_pass()
                    bridge.client = None
            await bridge.sync()
            assert stage.there("Trash") == sorted([sha(letter(1)), sha(other)])
            await agree(bridge, stage, "INBOX", "Archive", "Trash")


async def test_copy_that_was_removed_from_the_trash_is_made_again(tmp_path):
    async with open_stage(tmp_path, without=("MOVE",)) as stage:
        stage.trash()
        async with stage.bridge(delete=DeleteRule.TRASH) as bridge:
            stage.deliver(letter(1), letter(5))
            await bridge.sync()
            await ask(bridge, next(one.id for one in await messages(bridge) if one.uid == 1))
            stage.line.cut(rb"UID STORE")
            with pytest.raises(ConnectionLost):
                await bridge.run_pass()
            bridge.client = None
            stage.box("Trash").expunge([1])
            await bridge.sync()
            assert stage.there("Trash") == [sha(letter(1))]
