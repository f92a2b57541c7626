"""Mailboxes that one side removed: what must be certain, what is held, and what is never lost."""

import shutil

import pytest

from daemon.model.errors import ConnectionLost, ServerRefused
from daemon.model.events import EventName
from daemon.model.settings import DeleteRule
from daemon.model.views import BaseState
from daemon.sync.guard import DIRECTORY_LOST
from daemon.sync.mailbox_plan import GONE
from tests.sync.stage import agree, entries, events, letter, messages, open_stage, put, sha, sync_through
from tests.sync.test_mailbox_changes import LAYOUTS, SERVERS, place, told


def letters(count, start=0):
    return [letter(number) for number in range(start, start + count)]


async def record_of(bridge, name):
    return await bridge.store.mailboxes.get(bridge.settings.id, name)


# -- gone on the server


@SERVERS
@LAYOUTS
async def test_mailbox_gone_on_the_server_is_removed_here(tmp_path, without, layout):
    async with open_stage(tmp_path, without=without) as stage, stage.bridge(layout=layout) as bridge:
        stage.deliver(*letters(3), mailbox="Archive")
        stage.deliver(letter(9))
        await bridge.sync()
        stage.user.delete("Archive")
        assert (await sync_through(bridge)).removed_here == 3, (
            "a line that had it selected may be ended first"
        )
        assert not place(bridge, "Archive").exists()
        assert await record_of(bridge, "Archive") is None
        assert len(await events(bridge, EventName.MESSAGE_DELETED)) == 3
        assert await told(bridge) == [("mailbox.removed", "Archive")]
        await agree(bridge, stage)


async def test_empty_mailbox_gone_on_the_server_is_removed_here(stage):
    stage.user.create("Empty/child")
    async with stage.bridge(layout="fs") as bridge:
        await bridge.sync()
        stage.user.delete("Empty/child")
        await bridge.sync()
        assert not place(bridge, "Empty/child").exists()
        assert (place(bridge, "Empty") / "cur").is_dir()


async def test_one_listing_without_it_proves_nothing(stage):
    stage.deliver(letter(1), mailbox="Archive")
    async with stage.bridge() as bridge:
        await bridge.sync()
        lines = []
        stage.line.before_command = lambda command: (
            stage.line.replacements.clear() if lines else None,
            lines.append(command) if command.startswith(b"LIST") else None,
        )
        stage.line.replace(rb"\* LIST [^\r]*Archive[^\r]*\r\n", b"")
        result = await bridge.run_pass()
        assert len(lines) == 2
        assert (result.removed_here, result.failed) == (0, 0)
        assert len(await bridge.files("Archive")) == 1


@pytest.mark.parametrize(
    "answer", [b"NO [INUSE] later", b"NO [NOPERM] not yours", b"NO [UNAVAILABLE] backend down", b"BAD what"]
)
async def test_listings_without_it_and_a_doubtful_select_prove_nothing(stage, answer):
    stage.deliver(letter(1), mailbox="Archive")
    async with stage.bridge() as bridge:
        await bridge.sync()
        stage.line.replace(rb"\* (LIST|STATUS) [^\r]*Archive[^\r]*\r\n", b"")
        stage.line.refuse(rb"(SELECT|EXAMINE) ", answer)
        await bridge.run_pass()
        assert len(await bridge.files("Archive")) == 1


async def test_unlisted_mailbox_that_can_be_selected_is_kept(stage):
    stage.deliver(letter(1), mailbox="Archive")
    async with stage.bridge() as bridge:
        await bridge.sync()
        stage.line.replace(rb"\* (LIST|STATUS) [^\r]*Archive[^\r]*\r\n", b"")
        assert (await bridge.run_pass()).failed == 1
        assert len(await bridge.files("Archive")) == 1


async def test_second_listing_without_inbox_is_not_believed(stage):
    stage.deliver(letter(1), mailbox="Archive")
    async with stage.bridge() as bridge:
        await bridge.sync()
        stage.user.delete("Archive")
        count = []

        def before(command):
            if command.startswith(b"LIST"):
                count.append(command)
                if len(count) == 2:
                    stage.line.replace(rb"\* LIST [^\r]*\r\n", b"")

        stage.line.before_command = before
        await bridge.run_pass()
        assert len(await bridge.files("Archive")) == 1


async def test_large_mailbox_gone_on_the_server_is_held_until_somebody_approves(stage):
    stage.deliver(*letters(60), mailbox="Archive")
    async with stage.bridge() as bridge:
        await bridge.sync()
        stage.user.delete("Archive")
        for _ in range(2):
            assert (await bridge.sync()).held == 60
        assert len(await bridge.files("Archive")) == 60
    async with stage.bridge() as bridge:
        assert (await bridge.sync()).held == 60, "over a restart"
        await bridge.engine.approve("Archive")
        assert (await bridge.sync()).removed_here == 60
        assert not bridge.engine.held
        assert await told(bridge) == [("mailbox.removed", "Archive")]


async def test_held_mailbox_that_is_listed_again_is_free(stage):
    stage.deliver(*letters(60), mailbox="Archive")
    async with stage.bridge() as bridge:
        await bridge.sync()
        box = stage.user.mailboxes.pop("Archive")
        assert (await bridge.sync()).held == 60
        stage.user.mailboxes["Archive"] = box
        assert (await bridge.sync()).held == 0
        await agree(bridge, stage, "Archive")


async def test_second_mailbox_emptied_within_minutes_is_held(stage):
    async with stage.bridge() as bridge:
        for name in ("A", "B"):
            stage.deliver(*letters(3), mailbox=name)
        await bridge.sync()
        for name in ("A", "B"):
            stage.user.delete(name)
        result = await bridge.sync()
        assert (result.removed_here, result.held) == (3, 3)


async def test_mailbox_with_new_mail_of_this_side_is_made_again_on_the_server(stage):
    async with stage.bridge() as bridge:
        stage.deliver(*letters(2), mailbox="Archive")
        await bridge.sync()
        put(bridge, "1.me", letter(7), directory=".Archive", letters="S")
        stage.user.delete("Archive")
        result = await bridge.sync()
        assert (result.removed_here, result.uploaded) == (2, 1)
        assert stage.there("Archive") == [sha(letter(7))]
        await agree(bridge, stage, "Archive")


async def test_files_without_a_partner_keep_a_mailbox_here_and_cost_nothing_more(stage):
    """Sync.md 8: they were on the server once, and nobody has decided about them."""
    async with stage.bridge() as bridge:
        stage.deliver(*letters(3), mailbox="Archive")
        await bridge.sync()
        box = stage.box("Archive")
        box.expunge([1])
        box.reset(4711)
        await bridge.sync()
        assert [entry.state for entry in await entries(bridge, "Archive")].count(BaseState.UNMATCHED) == 1
        stage.user.delete("Archive")
        assert (await bridge.sync()).removed_here == 2
        assert await bridge.digests("Archive") == [sha(letter(0))]
        assert (await record_of(bridge, "Archive")).frozen_reason == GONE
        assert len(await messages(bridge, "Archive")) == 1
        before = len(stage.line.commands)
        assert (await bridge.run_pass()).is_quiet
        assert not any(
            command.startswith((b"SELECT", b"EXAMINE")) for command in stage.line.commands[before:]
        )
        stage.user.create("Archive")
        await bridge.sync()
        assert (await record_of(bridge, "Archive")).frozen_reason is None


async def test_directory_with_other_things_in_it_is_kept(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), mailbox="Archive")
        await bridge.sync()
        (place(bridge, "Archive") / "notes.txt").write_text("mine")
        stage.user.delete("Archive")
        await bridge.sync()
        assert (place(bridge, "Archive") / "notes.txt").read_text() == "mine"
        await bridge.sync()
        assert stage.user.find("Archive") is None, "not made again for that"


async def test_mailbox_missing_on_both_sides_waits_for_a_person(stage):
    async with stage.bridge() as bridge:
        stage.deliver(*letters(2), mailbox="Archive")
        await bridge.sync()
        shutil.rmtree(place(bridge, "Archive"))
        stage.user.delete("Archive")
        assert (await bridge.sync()).held == 2
        await bridge.engine.approve("Archive")
        await bridge.sync()
        await bridge.sync()
        assert await record_of(bridge, "Archive") is None
        assert not bridge.engine.held
        assert not place(bridge, "Archive").exists()


async def test_mailbox_that_became_unselectable_is_gone(stage):
    """Deleted with mailboxes below it: the name stays, \\Noselect."""
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), mailbox="A")
        stage.deliver(letter(2), mailbox="A/B")
        await bridge.sync()
        stage.line.replace(rb"\* LIST \(([^)]*)\) (\S+) \"?A\"?\r\n", rb"* LIST (\\Noselect \1) \2 A\r\n")
        stage.line.refuse(rb'(SELECT|EXAMINE) "?A"?( |\r)', b"NO [CANNOT] not selectable")
        assert (await bridge.sync()).removed_here == 1
        assert not place(bridge, "A").exists()
        await agree(bridge, stage, "A/B")


# -- removed here


async def removed_here(bridge, stage, name="Archive"):
    await bridge.sync()
    shutil.rmtree(place(bridge, name))
    await bridge.sync()
    assert bridge.engine.held[name].reason == DIRECTORY_LOST
    await bridge.engine.approve(name)


@SERVERS
async def test_approved_removal_deletes_messages_and_mailbox_there(tmp_path, without):
    async with open_stage(tmp_path, without=without) as stage, stage.bridge() as bridge:
        stage.deliver(*letters(2), mailbox="Archive")
        await removed_here(bridge, stage)
        assert (await bridge.sync()).expunged_there == 2
        assert stage.user.find("Archive") is None
        assert not place(bridge, "Archive").exists()
        assert await told(bridge) == [("mailbox.removed", "Archive")]
        assert (await bridge.run_pass()).is_quiet
        assert not bridge.engine.held


async def test_empty_directory_removed_here_is_held_and_approved_like_any_other(stage):
    stage.user.create("Empty")
    async with stage.bridge() as bridge:
        await removed_here(bridge, stage, "Empty")
        await bridge.sync()
        assert stage.user.find("Empty") is None
        assert not bridge.engine.held


async def test_approved_removal_keeps_a_mailbox_with_mail_only_the_server_has(stage):
    async with stage.bridge() as bridge:
        stage.deliver(*letters(2), mailbox="Archive")
        await removed_here(bridge, stage)
        stage.deliver(letter(9), mailbox="Archive")
        result = await bridge.sync()
        assert (result.expunged_there, result.downloaded) == (2, 1)
        assert stage.there("Archive") == [sha(letter(9))]
        await agree(bridge, stage, "Archive")
        assert stage.line.count(b"DELETE Archive") == 0


async def test_mail_that_comes_between_the_look_and_the_end_keeps_the_mailbox(stage):
    """DELETE only after a fresh SELECT shows that nothing is there."""
    async with stage.bridge() as bridge:
        stage.deliver(*letters(2), mailbox="Archive")
        await removed_here(bridge, stage)

        def before(command):
            if b"UID EXPUNGE" in command:
                stage.deliver(letter(9), mailbox="Archive")

        stage.line.before_command = before
        await bridge.sync()
        assert stage.there("Archive") == [sha(letter(9))]
        await agree(bridge, stage, "Archive")


@pytest.mark.parametrize(("rule", "is_left"), [(DeleteRule.TRASH, False), (DeleteRule.MARK, True)])
async def test_approved_removal_follows_the_delete_rule(stage, rule, is_left):
    stage.trash()
    async with stage.bridge(delete=rule) as bridge:
        stage.deliver(*letters(2), mailbox="Archive")
        await removed_here(bridge, stage)
        await bridge.sync()
        assert (stage.user.find("Archive") is not None) == is_left, "marked messages are still there"
        assert len(stage.there("Trash")) == (0 if is_left else 2)


async def test_refused_delete_leaves_the_mailbox_on_both_sides(stage):
    async with stage.bridge() as bridge:
        stage.deliver(*letters(2), mailbox="Archive")
        await removed_here(bridge, stage)
        stage.line.refuse(rb"DELETE", b"NO [CANNOT] stays")
        await bridge.sync()
        assert place(bridge, "Archive").is_dir()
        await agree(bridge, stage, "Archive")
        assert stage.line.count(b"DELETE Archive") == 1


async def test_lost_answer_to_delete_is_found_done(stage):
    async with stage.bridge() as bridge:
        stage.deliver(*letters(2), mailbox="Archive")
        await removed_here(bridge, stage)
        stage.line.lose(rb"DELETE")
        with pytest.raises(ConnectionLost):
            await bridge.run_pass()
        bridge.client = None
        await bridge.sync()
        assert await record_of(bridge, "Archive") is None
        assert not place(bridge, "Archive").exists()
        assert await told(bridge) == [("mailbox.removed", "Archive")]


async def test_directory_put_back_is_a_hold_that_ends(stage):
    async with stage.bridge() as bridge:
        stage.deliver(*letters(2), mailbox="Archive")
        await bridge.sync()
        place(bridge, "Archive").rename(stage.path / "away")
        await bridge.sync()
        assert bridge.engine.held
        (stage.path / "away").rename(place(bridge, "Archive"))
        await bridge.sync()
        assert not bridge.engine.held
        await agree(bridge, stage, "Archive")


async def test_listing_that_is_not_believed_removes_nothing(stage):
    stage.deliver(letter(1), mailbox="Archive")
    async with stage.bridge() as bridge:
        await bridge.sync()
        stage.line.replace(rb"\* LIST [^\r]*\r\n", b"")
        with pytest.raises(ServerRefused):
            await bridge.run_pass()
        assert len(await bridge.files("Archive")) == 1
