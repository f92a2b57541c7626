"""Local moves: one UID MOVE, proved, behind an intent; refused, unanswered or half done, nothing is lost or doubled."""

import shutil

import pytest

from daemon.model.events import EventName
from daemon.model.flags import FLAGGED, SEEN
from daemon.model.message import MessageQuery
from daemon.model.operations import OperationKind
from daemon.sync.open_uploads import MOST_ATTEMPTS
from tests.sync.stage import (
    agree,
    ask,
    entries,
    events,
    letter,
    messages,
    open_stage,
    put,
    sync_through,
)


async def one_moved(bridge, stage, letters="FS"):
    """A message that was synced and then moved to Archive by another program, with flags of its own."""
    stage.deliver(letter(1), letter(2))
    stage.user.create("Archive")
    await bridge.sync()
    name, path = min((await bridge.files()).items())
    path.rename(bridge.tree.root / ".Archive" / "cur" / f"{name}:2,{letters}")
    return name


async def test_move_keeps_the_message_its_id_and_its_local_flags(stage):
    async with stage.bridge() as bridge:
        name = await one_moved(bridge, stage, letters="F")
        before = {one.maildir_name: one.id for one in await messages(bridge)}
        result = await bridge.sync()
        assert (result.moved, result.uploaded, result.downloaded) == (1, 0, 0)
        await agree(bridge, stage, "INBOX", "Archive")
        (moved,) = await messages(bridge, "Archive")
        assert (moved.id, moved.flags) == (before[name], {FLAGGED})
        assert [event.data for event in await events(bridge, EventName.MESSAGE_MOVED)] == [
            {"from": "INBOX", "to": "Archive"}
        ]
        assert not await events(bridge, EventName.MESSAGE_DELETED)


async def test_refused_move_fails_by_itself_is_not_looped_and_other_mailboxes_go_on(stage):
    """S4, S28: the account must not stand still because one mailbox is full."""
    async with stage.bridge() as bridge:
        name = await one_moved(bridge, stage)
        rule = stage.line.refuse(rb"UID MOVE", b"NO [OVERQUOTA] full")
        stage.deliver(letter(3))
        result = await bridge.run_pass()
        assert (result.failed, result.downloaded, result.moved) == (1, 1, 0)
        await bridge.sync()
        await bridge.sync()
        assert len(rule.seen) == 1
        assert name in await bridge.files("Archive"), "the file stays where its reader put it"
        assert len(stage.there("INBOX")) == 3, "and the message where the server has it"


@pytest.mark.parametrize("without", [(), ("MOVE",)])
async def test_move_whose_answer_is_lost_is_found_by_its_intent(tmp_path, without):
    """S27."""
    async with open_stage(tmp_path, without=without) as stage, stage.bridge() as bridge:
        name = await one_moved(bridge, stage)
        before = {one.maildir_name: one.id for one in await messages(bridge)}
        rule = stage.line.lose(rb"UID (MOVE|COPY)")
        await sync_through(bridge)
        assert len(rule.seen) == 1
        assert len(stage.there("INBOX")) == len(stage.there("Archive")) == 1, "neither lost nor twice"
        await agree(bridge, stage, "INBOX", "Archive")
        assert {one.maildir_name: one.id for one in await messages(bridge)}[name] == before[name]
        assert len(await events(bridge, EventName.MESSAGE_MOVED)) == 1


async def test_move_stopped_before_the_source_was_expunged_is_finished(tmp_path):
    """RFC 6851 §3.3 without MOVE: COPY, STORE, EXPUNGE. The copy alone must not leave the message in both places."""
    async with open_stage(tmp_path, without=("MOVE",)) as stage, stage.bridge() as bridge:
        await one_moved(bridge, stage)
        stage.line.cut(rb"UID EXPUNGE")
        await sync_through(bridge)
        await agree(bridge, stage, "INBOX", "Archive")
        assert len(stage.there("INBOX")) == len(stage.there("Archive")) == 1


@pytest.mark.parametrize("reply", [b"", b"[COPYUID 99 1 1] "])
async def test_copyuid_absent_or_of_another_validity_is_resolved_by_octets(stage, reply):
    stage.line.replace(rb"\[COPYUID [^]]*\] ?", reply)
    async with stage.bridge() as bridge:
        await one_moved(bridge, stage)
        await bridge.sync()
        await agree(bridge, stage, "INBOX", "Archive")
        assert len(stage.there("Archive")) == 1


async def test_copyuid_below_uidnext_is_not_believed(stage):
    """It would bind the file to another message, which would then never come down."""
    async with stage.bridge() as bridge:
        stage.deliver(letter(7), mailbox="Archive")
        stage.deliver(letter(1), letter(2))
        await bridge.sync()
        name, path = min((await bridge.files()).items())
        path.rename(bridge.tree.root / ".Archive" / "cur" / f"{name}:2,")
        stage.line.replace(rb"\[COPYUID (\d+) (\d+) \d+\]", rb"[COPYUID \1 \2 1]")
        await bridge.sync()
        await agree(bridge, stage, "INBOX", "Archive")
        assert {entry.uid for entry in await entries(bridge, "Archive")} == {1, 2}


async def test_moved_and_then_deleted_over_the_api_is_gone_everywhere(stage):
    async with stage.bridge() as bridge:
        name = await one_moved(bridge, stage)
        ids = {one.maildir_name: one.id for one in await messages(bridge)}
        operation = await ask(bridge, ids[name])
        await bridge.sync()
        assert stage.there("Archive") == []
        assert len(stage.there("INBOX")) == 1
        await agree(bridge, stage, "INBOX", "Archive")
        assert (await bridge.store.operations.get(operation.id)).state == "done"


async def test_move_seen_by_a_pass_over_one_mailbox_only_is_still_a_move(stage):
    """Sync.md 12: missing is what is absent from all mailboxes; an IDLE on INBOX looks at INBOX alone."""
    async with stage.bridge() as bridge:
        await one_moved(bridge, stage)
        result = await bridge.run_pass(only={"INBOX"})
        assert (result.moved, result.expunged_there) == (1, 0)
        await bridge.sync()
        await agree(bridge, stage, "INBOX", "Archive")


async def test_move_into_the_only_mailbox_looked_at_is_still_a_move(stage):
    """The other way round: the file is new here, and its source is nowhere in sight."""
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2), mailbox="Archive")
        await bridge.sync()
        name, path = min((await bridge.files("Archive")).items())
        path.rename(bridge.tree.root / "cur" / f"{name}:2,S")
        result = await bridge.run_pass(only={"INBOX"})
        assert (result.moved, result.uploaded) == (1, 0)
        await bridge.sync()
        await agree(bridge, stage, "INBOX", "Archive")


async def test_move_into_a_directory_that_is_no_mailbox_deletes_nothing(stage):
    """The file is in the tree: its message is not missing, though nobody keeps that directory in step."""
    async with stage.bridge(exclude=("Private",)) as bridge:
        stage.deliver(letter(1), letter(2))
        await bridge.sync()
        name, path = min((await bridge.files()).items())
        for part in ("cur", "new", "tmp"):
            (bridge.tree.root / ".Private" / part).mkdir(parents=True)
        path.rename(bridge.tree.root / ".Private" / "cur" / f"{name}:2,S")
        result = await bridge.sync()
        assert (result.expunged_there, result.held) == (0, 0)
        assert len(stage.there()) == 2


async def test_move_into_a_mailbox_that_is_excluded_deletes_nothing(stage):
    stage.user.create("Old")
    async with stage.bridge() as bridge:
        await one_moved(bridge, stage)
        await bridge.sync()
    async with stage.bridge(exclude=("Archive",)) as bridge:
        name, path = next(iter((await bridge.files()).items()))
        path.rename(bridge.tree.root / ".Archive" / "cur" / f"{name}:2,S")
        assert (await bridge.sync()).expunged_there == 0
        assert len(stage.there()) == 1


@pytest.mark.parametrize("new_name", [None, "99.me"])
async def test_without_uidplus_the_old_place_is_left_alone_until_the_new_one_has_the_message(
    tmp_path, new_name
):
    """Sync.md 12: inferred expunges run after uploads are confirmed; a full mailbox must not cost the message."""
    async with open_stage(tmp_path, without=("UIDPLUS", "MOVE")) as stage:
        async with stage.bridge() as bridge:
            await one_moved(bridge, stage)
            if new_name is not None:
                ((_, path),) = (await bridge.files("Archive")).items()
                path.rename(path.with_name(f"{new_name}:2,S"))
            rule = stage.line.refuse(rb"APPEND", b"NO [OVERQUOTA] full")
            await bridge.sync()
            assert len(stage.there("INBOX")) == 2
            assert not any("\\Deleted" in flags for flags in stage.flags_there().values())
            stage.line.rules.remove(rule)
        async with stage.bridge() as bridge:
            await bridge.sync()
            assert len(stage.there("Archive")) == 1
            assert sum("\\Deleted" in flags for flags in stage.flags_there().values()) == 1
            assert (await bridge.sync()).is_quiet


@pytest.mark.parametrize("new_name", [None, "99.me"])
async def test_without_uidplus_an_uncertain_arrival_leaves_the_old_place_alone(tmp_path, new_name):
    """The server says yes to the upload, and it leaves no trace there."""
    async with open_stage(tmp_path, without=("UIDPLUS", "MOVE")) as stage, stage.bridge() as bridge:
        name = await one_moved(bridge, stage)
        directory = bridge.tree.root / ".Archive" / "cur"
        (directory / f"{name}:2,FS").rename(directory / f"{new_name or name}:2,FS")
        rule = stage.line.answer(rb"APPEND", b"")
        for _ in range(5):
            await bridge.run_pass()
        assert len(rule.seen) == MOST_ATTEMPTS
        assert not any("\\Deleted" in flags for flags in stage.flags_there().values())
        (intent,) = await bridge.store.intents.pending(bridge.settings.id)
        octets = (directory / f"{new_name or name}:2,FS").read_bytes()
        stage.box("Archive").deliver(octets, internal_date=intent.internal_date)
        for _ in range(3):
            await bridge.run_pass()
        assert sum("\\Deleted" in flags for flags in stage.flags_there().values()) == 1
        assert len(stage.there("Archive")) == 1


async def test_copy_and_move_of_the_same_message_are_told_apart(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1))
        stage.user.create("Archive")
        stage.user.create("Lists")
        await bridge.sync()
        name, path = next(iter((await bridge.files()).items()))
        shutil.copy2(path, bridge.tree.root / ".Lists" / "cur" / f"{name}:2,S")
        path.rename(bridge.tree.root / ".Archive" / "cur" / f"{name}:2,S")
        result = await bridge.sync()
        assert (result.moved, result.uploaded) == (1, 1)
        await agree(bridge, stage, "INBOX", "Archive", "Lists")
        assert len(await messages(bridge)) == 2


async def test_file_with_other_octets_under_the_same_name_goes_up_as_a_new_message(stage):
    async with stage.bridge() as bridge:
        name = await one_moved(bridge, stage)
        put(bridge, name, letter(9), directory=".Archive", letters="FS")
        result = await bridge.sync()
        assert (result.moved, result.uploaded, result.expunged_there) == (0, 1, 1)
        await agree(bridge, stage, "INBOX", "Archive")
        query = MessageQuery(account=None, mailbox=None)
        assert {
            item.content.envelope.subject for item in (await bridge.store.messages.page(query)).items
        } == {
            "letter 2",
            "letter 9",
        }


async def test_wish_for_flags_follows_the_message_that_is_moved(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2))
        stage.user.create("Archive")
        await bridge.sync()
        name, path = min((await bridge.files()).items())
        ids = {one.maildir_name: one.id for one in await messages(bridge)}
        operation = await ask(bridge, ids[name], OperationKind.FLAGS, add={FLAGGED})
        path.rename(bridge.tree.root / ".Archive" / "cur" / f"{name}:2,S")
        await bridge.sync()
        ended = await bridge.store.operations.get(operation.id)
        assert (ended.state, ended.reason) == ("done", None)
        assert stage.flags_there("Archive") == {1: {SEEN, FLAGGED}}
        await agree(bridge, stage, "INBOX", "Archive")


@pytest.mark.parametrize("target", [".Archive", "."])
async def test_file_moved_under_another_name_is_known_by_its_octets(stage, target):
    """Programs that rename what they save: one UID MOVE, or nothing at all within one mailbox; never an upload."""
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2))
        stage.user.create("Archive")
        await bridge.sync()
        name, path = min((await bridge.files()).items())
        moved = {one.maildir_name: one.id for one in await messages(bridge)}[name]
        path.rename(bridge.tree.root / target / "cur" / "77.other.name:2,F")
        result = await bridge.sync()
        assert (result.uploaded, result.downloaded, result.expunged_there) == (0, 0, 0)
        assert stage.line.count(b"UID MOVE") == (target != ".")
        mailbox = "INBOX" if target == "." else "Archive"
        found = await bridge.store.messages.get(moved)
        assert (found.mailbox, found.maildir_name, found.flags) == (mailbox, "77.other.name", {FLAGGED})
        await agree(bridge, stage, "INBOX", "Archive")


async def test_move_under_another_name_is_seen_by_a_pass_over_the_source_alone(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2))
        stage.user.create("Archive")
        await bridge.sync()
        path = min((await bridge.files()).values())
        path.rename(bridge.tree.root / ".Archive" / "cur" / "77.other.name:2,")
        result = await bridge.run_pass(only={"INBOX"})
        assert (result.moved, result.uploaded, result.expunged_there) == (1, 0, 0)
        await bridge.sync()
        await agree(bridge, stage, "INBOX", "Archive")


async def test_save_that_changes_the_octets_is_an_upload_and_a_deletion(stage):
    """Mutt adds Content-Length and Lines to what it saves: without proof it is a new message (sync.md 9)."""
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2))
        stage.user.create("Archive")
        await bridge.sync()
        min((await bridge.files()).values()).unlink()
        put(bridge, "77.other.name", letter(1) + b"\r\n", directory=".Archive", letters="S")
        result = await bridge.sync()
        assert (result.moved, result.uploaded, result.expunged_there) == (0, 1, 1)
        await agree(bridge, stage, "INBOX", "Archive")


async def test_without_uidplus_a_renamed_file_goes_up_and_the_old_message_is_marked(tmp_path):
    async with open_stage(tmp_path, without=("UIDPLUS", "MOVE")) as stage, stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2))
        stage.user.create("Archive")
        await bridge.sync()
        path = min((await bridge.files()).values())
        path.rename(bridge.tree.root / ".Archive" / "cur" / "77.other.name:2,")
        await bridge.sync()
        assert len(stage.there("Archive")) == 1
        assert sum("\\Deleted" in flags for flags in stage.flags_there().values()) == 1
        assert (await bridge.sync()).is_quiet
