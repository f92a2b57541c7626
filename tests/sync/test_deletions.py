"""Deletions: the account's rule on the server, tombstone and unlink here, and every crash in between."""

import asyncio

import pytest

from daemon.model.errors import StoreError
from daemon.model.events import EventName
from daemon.model.flags import DELETED, FLAGGED, SEEN
from daemon.model.operations import OperationKind
from daemon.model.settings import DeleteRule
from daemon.model.views import BaseState
from tests.sync.stage import (
    agree,
    ask,
    entries,
    events,
    letter,
    messages,
    open_stage,
    put,
    sha,
    sync_through,
)


async def synced(bridge, stage, count=3):
    """That many messages on both sides; their ids and names by subject."""
    stage.deliver(*(letter(number) for number in range(count)))
    await bridge.sync()
    return {one.content.envelope.subject: one for one in await messages(bridge)}


async def test_deletion_by_name_goes_out_first_and_the_file_follows(stage):
    async with stage.bridge() as bridge:
        known = await synced(bridge, stage)
        operation = await ask(bridge, known["letter 1"].id)
        assert len(await messages(bridge)) == 2, "hidden at once"
        result = await bridge.sync()
        assert result.expunged_there == 1
        assert sha(letter(1)) not in stage.there()
        await agree(bridge, stage)
        ended = await bridge.store.operations.get(operation.id)
        assert ended.state == "done"
        assert [event.data["operation"] for event in await events(bridge, EventName.OP_APPLIED)] == [
            operation.id
        ]
        assert len(await events(bridge, EventName.MESSAGE_DELETED)) == 1


async def test_deletion_of_a_message_already_gone_there_succeeds(stage):
    async with stage.bridge() as bridge:
        known = await synced(bridge, stage)
        operation = await ask(bridge, known["letter 1"].id)
        stage.box().expunge([2])
        await bridge.sync()
        await agree(bridge, stage)
        assert (await bridge.store.operations.get(operation.id)).state == "done"


@pytest.mark.parametrize("where", ["before the unlink", "after the unlink"])
async def test_crash_between_tombstone_and_unlink_ends_in_the_same_state(stage, where):
    """Sync.md 17: the file is neither uploaded nor revived."""
    async with stage.bridge() as bridge:
        known = await synced(bridge, stage)
        name = known["letter 1"].maildir_name
        operation = await ask(bridge, known["letter 1"].id)
        remove = bridge.tree.remove

        async def die(directory, names, **more):
            if where == "after the unlink":
                await remove(directory, names, **more)
            raise StoreError("power cut")

        bridge.tree.remove = die
        with pytest.raises(StoreError):
            await bridge.run_pass()
        assert (name in await bridge.files()) is (where == "before the unlink")
    async with stage.bridge() as bridge:
        sent = stage.line.count(b"APPEND")
        await bridge.sync()
        assert stage.line.count(b"APPEND") == sent
        assert name not in await bridge.files()
        await agree(bridge, stage)
        assert (await bridge.store.operations.get(operation.id)).state == "done"
        assert not await bridge.store.tombstones.pending_unlinks(bridge.settings.id)


async def test_pending_unlink_survives_the_loss_of_the_index(stage):
    """A scan that meets the name unlinks it, whatever is known of the mailbox when the service starts."""
    async with stage.bridge() as bridge:
        known = await synced(bridge, stage)
        name = known["letter 1"].maildir_name
        await ask(bridge, known["letter 1"].id)

        async def die(*_):
            raise StoreError("power cut")

        bridge.tree.remove = die
        with pytest.raises(StoreError):
            await bridge.run_pass()
    for path in (stage.path / "store").glob("index.sqlite3*"):
        path.unlink()
    async with stage.bridge() as bridge:
        await bridge.sync()
        assert name not in await bridge.files()
        assert len(stage.there()) == 2
        await agree(bridge, stage)


async def test_mark_leaves_the_message_there_and_never_brings_it_back(stage):
    """Sync.md 20."""
    async with stage.bridge(delete=DeleteRule.MARK) as bridge:
        known = await synced(bridge, stage)
        operation = await ask(bridge, known["letter 1"].id)
        await bridge.sync()
        assert stage.flags_there()[2] == {DELETED}
        assert known["letter 1"].maildir_name not in await bridge.files()
        assert (await bridge.store.operations.get(operation.id)).state == "marked"
        assert (await bridge.sync()).downloaded == 0
        assert not stage.line.count(b"EXPUNGE")
        stage.box().set_flags(2, frozenset())
        assert (await bridge.sync()).downloaded == 1, "someone took the mark away: it comes back"
        await agree(bridge, stage)
        (back,) = [one for one in await messages(bridge) if one.uid == 2]
        assert back.internal_date == known["letter 1"].internal_date, "with the date it had"


async def test_marked_message_expunged_there_closes_its_row(stage):
    async with stage.bridge(delete=DeleteRule.MARK) as bridge:
        known = await synced(bridge, stage)
        await ask(bridge, known["letter 1"].id)
        await bridge.sync()
        stage.box().expunge([2])
        await bridge.sync()
        assert {entry.uid for entry in await entries(bridge)} == {1, 3}
        assert len(await events(bridge, EventName.MESSAGE_DELETED)) == 1, "told once"


async def test_crash_between_mark_and_burial_is_finished(stage):
    async with stage.bridge(delete=DeleteRule.MARK) as bridge:
        known = await synced(bridge, stage)
        operation = await ask(bridge, known["letter 1"].id)

        async def die(*_):
            raise StoreError("power cut")

        bridge.store.tombstones.bury = die
        with pytest.raises(StoreError):
            await bridge.run_pass()
        assert [entry.state for entry in await entries(bridge)].count(BaseState.MARKED) == 1
    async with stage.bridge(delete=DeleteRule.MARK) as bridge:
        await bridge.sync()
        assert known["letter 1"].maildir_name not in await bridge.files()
        assert len(await messages(bridge)) == 2
        assert (await bridge.store.operations.get(operation.id)).state == "marked"
        assert (await bridge.sync()).is_quiet


async def test_without_uidplus_the_message_is_marked_and_never_expunged(tmp_path):
    async with open_stage(tmp_path, without=("UIDPLUS",)) as stage, stage.bridge() as bridge:
        known = await synced(bridge, stage)
        operation = await ask(bridge, known["letter 1"].id)
        (await bridge.files())[known["letter 2"].maildir_name].unlink()
        await bridge.sync()
        assert {uid for uid, flags in stage.flags_there().items() if DELETED in flags} == {2, 3}
        assert not stage.line.count(b"EXPUNGE")
        assert not stage.line.count(b"CLOSE")
        assert (await bridge.store.operations.get(operation.id)).state == "marked"
        assert (await bridge.sync()).is_quiet


async def test_trash_moves_the_message_and_a_second_deletion_there_expunges_it(stage):
    stage.trash()
    async with stage.bridge(delete=DeleteRule.TRASH) as bridge:
        known = await synced(bridge, stage)
        await ask(bridge, known["letter 1"].id)
        await bridge.sync()
        assert stage.there("Trash") == [sha(letter(1))]
        assert len(stage.there()) == 2
        await agree(bridge, stage, "INBOX", "Trash")
        (trashed,) = await messages(bridge, "Trash")
        await ask(bridge, trashed.id)
        await bridge.sync()
        assert stage.there("Trash") == []
        await agree(bridge, stage, "INBOX", "Trash")


@pytest.mark.parametrize("how", ["by name", "by a removed file"])
async def test_trash_without_a_trash_mailbox_fails_and_never_expunges(stage, how):
    async with stage.bridge(delete=DeleteRule.TRASH) as bridge:
        known = await synced(bridge, stage)
        operation = None
        if how == "by name":
            operation = await ask(bridge, known["letter 1"].id)
        else:
            (await bridge.files())[known["letter 1"].maildir_name].unlink()
        result = await bridge.run_pass()
        assert (result.failed, result.expunged_there) == (1, 0)
        await bridge.sync()
        assert len(stage.there()) == 3
        assert not any(DELETED in flags for flags in stage.flags_there().values())
        if operation is not None:
            ended = await bridge.store.operations.get(operation.id)
            assert (ended.state, ended.reason) == ("failed", "no_trash")
            assert len(await messages(bridge)) == 3, "shown again"


@pytest.mark.parametrize("options", [{"exclude": ("Trash",)}, {}])
async def test_trash_is_found_in_a_pass_over_one_mailbox_and_where_it_is_not_kept_itself(stage, options):
    stage.trash()
    async with stage.bridge(delete=DeleteRule.TRASH, **options) as bridge:
        known = await synced(bridge, stage)
        operation = await ask(bridge, known["letter 1"].id)
        await bridge.run_pass(only={"INBOX"})
        assert stage.there("Trash") == [sha(letter(1))]
        assert (await bridge.store.operations.get(operation.id)).state == "done"


async def test_trash_without_move_and_uidplus_copies_and_marks(tmp_path):
    async with open_stage(tmp_path, without=("UIDPLUS", "MOVE")) as stage:
        stage.trash()
        async with stage.bridge(delete=DeleteRule.TRASH) as bridge:
            known = await synced(bridge, stage)
            operation = await ask(bridge, known["letter 1"].id)
            await bridge.sync()
            assert stage.there("Trash") == [sha(letter(1))]
            assert DELETED in stage.flags_there()[2]
            assert (await bridge.store.operations.get(operation.id)).state == "marked"
            assert (await bridge.sync()).is_quiet


async def test_refused_deletion_by_name_fails_and_is_shown_again(stage):
    async with stage.bridge() as bridge:
        known = await synced(bridge, stage)
        rule = stage.line.refuse(rb"UID STORE", b"NO [NOPERM] not yours")
        operation = await ask(bridge, known["letter 1"].id)
        await bridge.sync()
        ended = await bridge.store.operations.get(operation.id)
        assert ended.state == "failed"
        assert "not yours" in ended.detail
        assert len(await messages(bridge)) == 3
        await bridge.sync()
        assert len(rule.seen) == 1


async def test_refused_inferred_deletion_is_not_asked_for_in_every_pass(stage):
    async with stage.bridge() as bridge:
        known = await synced(bridge, stage)
        rule = stage.line.refuse(rb"UID STORE", b"NO [NOPERM] not yours")
        (await bridge.files())[known["letter 1"].maildir_name].unlink()
        for _ in range(4):
            await bridge.run_pass()
        assert len(rule.seen) == 1
        assert len(stage.there()) == 3


async def test_server_that_is_busy_is_no_verdict_on_a_wish(stage):
    """S2: transient; the operation stays and is carried out later."""
    async with stage.bridge() as bridge:
        known = await synced(bridge, stage)
        stage.line.refuse(rb"UID STORE", b"NO [UNAVAILABLE] later", times=1)
        operation = await ask(bridge, known["letter 1"].id)
        assert (await bridge.run_pass()).failed == 1
        assert (await bridge.store.operations.get(operation.id)).state == "pending"
        await bridge.sync()
        assert (await bridge.store.operations.get(operation.id)).state == "done"
        await agree(bridge, stage)


@pytest.mark.parametrize("command", [1, 2])
async def test_mailbox_renamed_in_the_middle_of_a_pass_is_no_verdict_on_a_wish(stage, command):
    """The wish goes on under the new name, whether it was looked for before the renaming or only changed after it."""
    for mailbox in ("INBOX", "Archive", "Lists"):
        stage.deliver(letter(0, mailbox), mailbox=mailbox)
    async with stage.bridge() as bridge:
        await bridge.sync()
        for mailbox in ("INBOX", "Lists", "Archive"):
            [known] = await messages(bridge, mailbox)
            operation = await ask(bridge, known.id)
        selected = 0

        def rename(line: bytes) -> None:
            nonlocal selected
            selected += line.startswith(b"SELECT Archive")
            if selected == command:
                stage.line.before_command = None
                stage.user.rename("Archive", "Projects")

        stage.line.before_command = rename
        await bridge.run_pass()
        assert stage.line.before_command is None
        assert (await bridge.store.operations.get(operation.id)).state == "pending"
        await bridge.sync()
        assert (await bridge.store.operations.get(operation.id)).state == "done"
        assert stage.there("Projects") == []


async def test_lost_answer_to_an_expunge_is_repeated_without_harm(stage):
    async with stage.bridge() as bridge:
        known = await synced(bridge, stage)
        operation = await ask(bridge, known["letter 1"].id)
        stage.line.lose(rb"UID EXPUNGE")
        await sync_through(bridge)
        assert (await bridge.store.operations.get(operation.id)).state == "done"
        await agree(bridge, stage)


async def test_lost_answer_to_a_move_into_trash_is_repeated_without_a_second_copy(stage):
    stage.trash()
    async with stage.bridge(delete=DeleteRule.TRASH) as bridge:
        known = await synced(bridge, stage)
        await ask(bridge, known["letter 1"].id)
        stage.line.lose(rb"UID MOVE")
        await sync_through(bridge)
        assert stage.there("Trash") == [sha(letter(1))]
        await agree(bridge, stage, "INBOX", "Trash")


async def test_deletion_of_an_unmatched_message_is_a_decision_about_its_file(stage):
    """Sync.md 8: kept until someone decides."""
    async with stage.bridge() as bridge:
        await synced(bridge, stage)
        put(bridge, "x", letter(5), letters="S")
        await bridge.sync()
        lost = next(one for one in await messages(bridge) if one.content.envelope.subject == "letter 5")
        del stage.box().messages[lost.uid]
        stage.box().reset(77)
        await bridge.sync()
        (unmatched,) = [one for one in await messages(bridge) if one.is_unmatched]
        assert unmatched.id == lost.id
        assert sha(letter(5)) in await bridge.digests()
        operation = await ask(bridge, unmatched.id)
        await bridge.sync()
        assert (await bridge.store.operations.get(operation.id)).state == "done"
        await agree(bridge, stage)


async def test_wish_for_flags_of_a_message_that_is_deleted_there_fails(stage):
    async with stage.bridge() as bridge:
        known = await synced(bridge, stage)
        operation = await ask(bridge, known["letter 1"].id, OperationKind.FLAGS, add={SEEN})
        stage.box().expunge([2])
        await bridge.sync()
        ended = await bridge.store.operations.get(operation.id)
        assert (ended.state, ended.reason) == ("failed", "message_gone")
        await agree(bridge, stage)


async def test_five_hundred_and_one_deletions_go_in_two_sets(stage):
    """Sync.md 21."""
    async with stage.bridge() as bridge:
        known = await synced(bridge, stage, count=501)
        await asyncio.gather(*(ask(bridge, one.id) for one in known.values()))
        await bridge.sync()
        assert stage.there() == []
        assert stage.line.count(b"UID EXPUNGE") == 2
        await agree(bridge, stage)


@pytest.mark.parametrize("by_name", [False, True])
async def test_flags_changed_while_a_deletion_was_refused_come_down_with_the_file(stage, by_name):
    async with stage.bridge() as bridge:
        known = await synced(bridge, stage)
        stage.line.refuse(rb"UID STORE", b"NO [NOPERM] not yours")
        one = known["letter 1"]
        path = (await bridge.files())[one.maildir_name]
        octets = path.read_bytes()
        (uid,) = [entry.uid for entry in await entries(bridge) if entry.message_id == one.id]
        if by_name:
            await ask(bridge, one.id)
        else:
            path.unlink()
            await bridge.run_pass()
        stage.box().set_flags(uid, frozenset({FLAGGED}))
        await bridge.run_pass()
        if not by_name:
            put(bridge, one.maildir_name, octets, letters="")
        await bridge.sync()
        await agree(bridge, stage)
        assert stage.flags_there()[uid] == {FLAGGED}
