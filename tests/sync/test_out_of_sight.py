"""Files moved into a directory that config excludes: kept on the server, not fetched again, the same when they return."""

import shutil

import pytest
from structlog.testing import capture_logs

from daemon.model.events import EventName
from daemon.model.flags import FLAGGED
from daemon.model.local_news import FileEvent, FileNews, LocalNews
from daemon.model.operations import OperationKind, OperationState
from daemon.model.views import BaseState
from tests.sync.stage import agree, ask, entries, events, letter, messages, open_stage, put

COUNT = 20


def hide(bridge, name, path, directory=".Private"):
    target = bridge.tree.root / directory
    for part in ("cur", "new", "tmp"):
        (target / part).mkdir(parents=True, exist_ok=True)
    return path.rename(target / "cur" / f"{name}:2,S")


async def hidden(bridge, stage, directory=".Private"):
    """One of the files in a directory that is not kept in step, and passes until all is quiet."""
    stage.deliver(*(letter(number) for number in range(COUNT)))
    await bridge.sync()
    name, path = min((await bridge.files()).items())
    path = hide(bridge, name, path, directory)
    assert (await bridge.sync()).failed == 0
    await bridge.sync()
    return name, path


async def states(bridge):
    return [entry.state for entry in await entries(bridge)]


async def commands_of(stage, bridge):
    sent = len(stage.line.commands)
    await bridge.run_pass()
    return {command.split()[0] for command in stage.line.commands[sent:]}


async def test_message_stays_on_the_server_and_passes_cost_nothing_afterwards(stage):
    with capture_logs() as logs:
        async with stage.bridge(exclude=("Private",)) as bridge:
            await hidden(bridge, stage)
            assert len(stage.there()) == COUNT
            assert (await states(bridge)).count(BaseState.ASIDE) == 1
            assert b"SELECT" not in await commands_of(stage, bridge)
            stage.deliver(letter(100))
            assert (await bridge.sync()).downloaded == 1
            assert b"SELECT" not in await commands_of(stage, bridge)
        async with stage.bridge(exclude=("Private",)) as bridge:
            assert b"SELECT" not in await commands_of(stage, bridge), "over a restart"
            result = await bridge.sync()
            assert (result.downloaded, result.expunged_there, result.held) == (0, 0, 0)
    told = [one for one in logs if one["event"] == "files.out_of_sight"]
    assert [(one["mailbox"], one["files"], one["directories"]) for one in told] == [
        ("INBOX", 1, [".Private"])
    ]


async def test_directory_of_a_mailbox_that_was_kept_once_is_out_of_sight_as_well(stage):
    stage.user.create("Private")
    async with stage.bridge() as bridge:
        await bridge.sync()
    async with stage.bridge(exclude=("Private",)) as bridge:
        await hidden(bridge, stage)
        assert (await states(bridge)).count(BaseState.ASIDE) == 1
        assert b"SELECT" not in await commands_of(stage, bridge)


@pytest.mark.parametrize("new_name", [None, "99.me"])
async def test_file_that_comes_back_is_the_same_message_under_whatever_name(stage, new_name):
    async with stage.bridge(exclude=("Private",)) as bridge:
        name, path = await hidden(bridge, stage)
        ids = {one.id for one in await messages(bridge)}
    async with stage.bridge(exclude=("Private",)) as bridge:
        await bridge.sync()
        path.rename(bridge.tree.root / "cur" / f"{new_name or name}:2,S")
        result = await bridge.sync()
        assert (result.uploaded, result.downloaded, result.expunged_there) == (0, 0, 0)
        await agree(bridge, stage)
        assert {one.id for one in await messages(bridge)} == ids
        assert set(await states(bridge)) == {BaseState.SYNCED}
        (await bridge.files())[new_name or name].unlink()
        assert (await bridge.sync()).expunged_there == 1, "and it is like any other"


async def test_directory_of_a_mailbox_that_is_gone_on_the_server_is_out_of_sight(stage):
    stage.deliver(letter(1), letter(2), mailbox="Old")
    async with stage.bridge() as bridge:
        await bridge.sync()
        put(bridge, next(iter(await bridge.files("Old"))) + "x", letter(3), directory=".Old", letters="S")
        stage.user.delete("Old")
        await bridge.sync()
        await hidden(bridge, stage, ".Old")
        assert (await states(bridge)).count(BaseState.ASIDE) == 1
        assert "Old" not in stage.user.mailboxes
        assert len(stage.there()) == COUNT


async def test_directory_that_is_to_become_a_mailbox_is_not_out_of_sight(stage):
    """What a watch tells of first is followed by a pass over everything, which makes the mailbox."""
    async with stage.bridge(exclude=("Private",)) as bridge:
        stage.deliver(letter(1), letter(2))
        await bridge.sync()
        name, path = min((await bridge.files()).items())
        hide(bridge, name, path, ".Fresh")
        await bridge.run_pass(only={"INBOX"})
        assert set(await states(bridge)) == {BaseState.SYNCED}
        assert (await bridge.sync()).moved == 1
        await agree(bridge, stage, "INBOX", "Fresh")


@pytest.mark.parametrize("new_name", [None, "99.me"])
async def test_file_that_comes_back_elsewhere_is_moved_on_the_server(stage, new_name):
    stage.user.create("Archive")
    async with stage.bridge(exclude=("Private",)) as bridge:
        name, path = await hidden(bridge, stage)
        path.rename(bridge.tree.root / ".Archive" / "cur" / f"{new_name or name}:2,S")
        result = await bridge.sync()
        assert (result.moved, result.uploaded, result.downloaded) == (1, 0, 0)
        assert (len(stage.there()), len(stage.there("Archive"))) == (COUNT - 1, 1)
        await agree(bridge, stage, "INBOX", "Archive")


async def test_message_set_aside_that_goes_on_the_server_is_forgotten_and_its_file_stays(stage):
    async with stage.bridge(exclude=("Private",)) as bridge:
        _, path = await hidden(bridge, stage)
        (uid,) = [entry.uid for entry in await entries(bridge) if entry.state is BaseState.ASIDE]
        stage.box().expunge([uid])
        await bridge.sync()
        assert path.exists()
        assert len(await messages(bridge)) == COUNT - 1
        assert len(await events(bridge, EventName.MESSAGE_DELETED)) == 1
        await agree(bridge, stage)


async def test_file_out_of_sight_whose_message_is_gone_already_is_forgotten_at_once(stage):
    async with stage.bridge(exclude=("Private",)) as bridge:
        stage.deliver(letter(1), letter(2))
        await bridge.sync()
        name, path = min((await bridge.files()).items())
        (uid,) = [entry.uid for entry in await entries(bridge) if entry.maildir_name == name]
        path = hide(bridge, name, path)
        stage.box().expunge([uid])
        await bridge.sync()
        assert path.exists()
        await agree(bridge, stage)
        assert b"SELECT" not in await commands_of(stage, bridge)


async def test_wishes_for_a_message_set_aside_are_answered(stage):
    """Flags can be shown by no file; a deletion by name needs none."""
    async with stage.bridge(exclude=("Private",)) as bridge:
        await hidden(bridge, stage)
        (one,) = [entry for entry in await entries(bridge) if entry.state is BaseState.ASIDE]
        flags = await ask(bridge, one.message_id, OperationKind.FLAGS, add={"\\Flagged"})
        await bridge.sync()
        assert (await bridge.store.operations.get(flags.id)).state is OperationState.FAILED
        deletion = await ask(bridge, one.message_id)
        assert (await bridge.sync()).expunged_there == 1
        assert (await bridge.store.operations.get(deletion.id)).state is OperationState.DONE
        await agree(bridge, stage)


async def test_copy_out_of_sight_sets_nothing_aside(stage):
    async with stage.bridge(exclude=("Private",)) as bridge:
        stage.deliver(letter(1))
        await bridge.sync()
        ((name, path),) = (await bridge.files()).items()
        octets = path.read_bytes()
        hide(bridge, name, path)
        put(bridge, name, octets, letters="S")
        await bridge.sync()
        assert await states(bridge) == [BaseState.SYNCED]


@pytest.mark.parametrize("new_name", [None, "99.me"])
@pytest.mark.parametrize("mailbox", ["INBOX", "Archive"])
async def test_file_that_a_watch_sees_come_back_is_the_same_message(stage, mailbox, new_name):
    stage.user.create("Archive")
    async with stage.bridge(exclude=("Private",)) as bridge:
        name, path = await hidden(bridge, stage)
        back = new_name or name
        target = bridge.tree.root / ("." if mailbox == "INBOX" else ".Archive") / "cur" / f"{back}:2,S"
        path.rename(target)
        news = LocalNews(files={mailbox: {back: FileNews(FileEvent.ARRIVED, f"cur/{target.name}")}})
        for _ in range(3):
            result = await bridge.run_pass(only={mailbox}, news=news)
            assert (result.uploaded, result.downloaded, result.expunged_there) == (0, 0, 0)
        assert len(stage.there()) + len(stage.there("Archive")) == COUNT
        await bridge.sync()
        await agree(bridge, stage, "INBOX", "Archive")


def equal(files, octets):
    return next(item for item in files.items() if item[1].read_bytes() == octets)


@pytest.mark.parametrize("only", [None, {"Archive"}])
@pytest.mark.parametrize("new_name", [None, "99.me"])
async def test_copy_of_a_file_that_stays_out_of_sight_is_a_new_message(stage, new_name, only):
    stage.user.create("Archive")
    async with stage.bridge(exclude=("Private",)) as bridge:
        name, path = await hidden(bridge, stage)
        shutil.copy2(path, bridge.tree.root / ".Archive" / "cur" / f"{new_name or name}:2,S")
        result = await bridge.run_pass(only=only)
        assert (result.moved, result.uploaded) == (0, 1)
        assert (len(stage.there()), len(stage.there("Archive"))) == (COUNT, 1)
        await bridge.sync()
        path.rename(bridge.tree.root / "cur" / f"{name}:2,S")
        assert (await bridge.sync()).expunged_there == 0
        await agree(bridge, stage, "INBOX", "Archive")


async def test_copy_of_a_file_that_got_another_name_out_of_sight_is_a_new_message(stage):
    stage.user.create("Archive")
    async with stage.bridge(exclude=("Private",)) as bridge:
        _, path = await hidden(bridge, stage)
        path = path.rename(path.with_name("55.me:2,S"))
        shutil.copy2(path, bridge.tree.root / ".Archive" / "cur" / "99.me:2,S")
        result = await bridge.sync()
        assert (result.moved, result.uploaded) == (0, 1)
        assert (len(stage.there()), len(stage.there("Archive"))) == (COUNT, 1)


async def test_other_message_of_the_same_octets_that_is_copied_brings_nothing_back(stage):
    stage.user.create("Zoo")
    async with stage.bridge(exclude=("Private",)) as bridge:
        stage.deliver(letter(1), mailbox="Archive")
        stage.deliver(letter(1), letter(2))
        await bridge.sync()
        hide(bridge, *equal(await bridge.files(), letter(1)))
        await bridge.sync()
        _, path = equal(await bridge.files("Archive"), letter(1))
        shutil.copy2(path, bridge.tree.root / ".Zoo" / "cur" / "77.me:2,S")
        result = await bridge.sync()
        assert (result.moved, result.uploaded, result.expunged_there) == (0, 1, 0)
        assert (await states(bridge)).count(BaseState.ASIDE) == 1


@pytest.mark.parametrize("is_still_aside", [True, False])
@pytest.mark.parametrize("new_name", [None, "77.me"])
async def test_file_of_a_missing_message_is_not_taken_for_one_set_aside(stage, new_name, is_still_aside):
    """Equal octets in two mailboxes: the one that went out of sight may not take the place of the one that moved."""
    stage.user.create("Zoo")
    async with stage.bridge(exclude=("Private",)) as bridge:
        stage.deliver(letter(1), *(letter(number) for number in range(100, 105)), mailbox="Archive")
        stage.deliver(letter(1), letter(2))
        await bridge.sync()
        path = hide(bridge, *equal(await bridge.files(), letter(1)))
        await bridge.sync()
        if not is_still_aside:
            path.unlink()
        name, path = equal(await bridge.files("Archive"), letter(1))
        path.rename(bridge.tree.root / ".Zoo" / "cur" / f"{new_name or name}:2,S")
        result = await bridge.sync()
        assert (result.moved, result.expunged_there, result.uploaded) == (1, 0, 0)
        assert [len(stage.there(mailbox)) for mailbox in ("INBOX", "Archive", "Zoo")] == [2, 5, 1]
        assert (await states(bridge)).count(BaseState.ASIDE) == 1


async def test_files_of_missing_messages_cost_none_of_those_set_aside(stage):
    stage.user.create("Zoo")
    count = 40
    async with stage.bridge(exclude=("Private",)) as bridge:
        for mailbox in ("INBOX", "Archive"):
            stage.deliver(*(letter(number) for number in range(count)), mailbox=mailbox)
        await bridge.sync()
        for name, path in (await bridge.files()).items():
            hide(bridge, name, path)
        await bridge.sync()
        for number, path in enumerate((await bridge.files("Archive")).values()):
            path.rename(bridge.tree.root / ".Zoo" / "cur" / f"{number}.me:2,S")
        result = await bridge.sync()
        assert (result.moved, result.expunged_there, result.held) == (count, 0, 0)
        assert [len(stage.there(mailbox)) for mailbox in ("INBOX", "Archive", "Zoo")] == [count, 0, count]


async def test_one_of_two_files_of_the_same_octets_comes_back_alone(stage):
    stage.user.create("Archive")
    async with stage.bridge(exclude=("Private",)) as bridge:
        stage.deliver(letter(1), letter(1), letter(2))
        await bridge.sync()
        paths = [
            hide(bridge, *item)
            for item in (await bridge.files()).items()
            if item[1].read_bytes() == letter(1)
        ]
        await bridge.sync()
        paths[0].rename(bridge.tree.root / ".Archive" / "cur" / "99.me:2,S")
        result = await bridge.sync()
        assert (result.moved, result.uploaded, result.expunged_there) == (1, 0, 0)
        assert (len(stage.there()), len(stage.there("Archive"))) == (2, 1)
        assert (await states(bridge)).count(BaseState.ASIDE) == 1


async def test_without_uidplus_the_message_stays_until_its_file_that_came_back_is_sent(tmp_path):
    async with open_stage(tmp_path, without=("UIDPLUS", "MOVE")) as stage:
        stage.user.create("Archive")
        async with stage.bridge(exclude=("Private",)) as bridge:
            _, path = await hidden(bridge, stage)
            rule = stage.line.refuse(rb"APPEND", b"NO [OVERQUOTA] full")
            path.rename(bridge.tree.root / ".Archive" / "cur" / "99.me:2,S")
            await bridge.sync()
            assert not any("\\Deleted" in flags for flags in stage.flags_there().values())
            stage.line.rules.remove(rule)
        async with stage.bridge(exclude=("Private",)) as bridge:
            await bridge.sync()
            assert len(stage.there("Archive")) == 1
            assert sum("\\Deleted" in flags for flags in stage.flags_there().values()) == 1


async def test_files_of_the_same_octets_come_back_one_after_the_other(stage):
    async with stage.bridge(exclude=("Private",)) as bridge:
        stage.deliver(letter(1), letter(1), letter(2))
        await bridge.sync()
        paths = [
            hide(bridge, *item)
            for item in (await bridge.files()).items()
            if item[1].read_bytes() == letter(1)
        ]
        await bridge.sync()
        for number, path in enumerate(paths):
            path.rename(bridge.tree.root / "cur" / f"{number}.me:2,S")
            result = await bridge.sync()
            assert (result.uploaded, result.downloaded, result.expunged_there) == (0, 0, 0)
        await agree(bridge, stage)
        assert set(await states(bridge)) == {BaseState.SYNCED}


@pytest.mark.parametrize("has_watch", [False, True])
@pytest.mark.parametrize("new_name", [None, "99.me"])
async def test_flags_changed_while_a_file_was_out_of_sight_come_down_when_it_is_back(
    stage, new_name, has_watch
):
    async with stage.bridge(exclude=("Private",)) as bridge:
        name, path = await hidden(bridge, stage)
        await bridge.sync()
        (uid,) = [entry.uid for entry in await entries(bridge) if entry.state is BaseState.ASIDE]
        stage.box().set_flags(uid, frozenset({FLAGGED}))
        await bridge.sync()
        back = new_name or name
        path = path.rename(bridge.tree.root / "cur" / f"{back}:2,")
        if has_watch:
            news = LocalNews(files={"INBOX": {back: FileNews(FileEvent.ARRIVED, f"cur/{path.name}")}})
            await bridge.run_pass(only={"INBOX"}, news=news)
        await bridge.sync()
        assert stage.flags_there()[uid] == {FLAGGED}
        assert [one.flags for one in await messages(bridge) if one.flags] == [{FLAGGED}]
        await agree(bridge, stage)


@pytest.mark.parametrize("mailbox", ["INBOX", "Archive"])
async def test_message_set_aside_stays_so_when_its_mailbox_is_renumbered(stage, mailbox):
    stage.user.create("Archive")
    async with stage.bridge(exclude=("Private",)) as bridge:
        name, path = await hidden(bridge, stage)
        stage.box().reset(stage.user.new_uid_validity())
        result = await bridge.sync()
        assert (result.downloaded, result.uploaded) == (0, 0)
        assert (await states(bridge)).count(BaseState.ASIDE) == 1
        directory = bridge.tree.root / ("." if mailbox == "INBOX" else ".Archive")
        path.rename(directory / "cur" / f"{name}:2,S")
        result = await bridge.sync()
        assert (result.uploaded, result.downloaded, result.expunged_there) == (0, 0, 0)
        assert len(stage.there()) + len(stage.there("Archive")) == COUNT
        await agree(bridge, stage, "INBOX", "Archive")


async def test_message_set_aside_that_a_renumbered_mailbox_lacks_is_forgotten(stage):
    async with stage.bridge(exclude=("Private",)) as bridge:
        name, path = await hidden(bridge, stage)
        (uid,) = [entry.uid for entry in await entries(bridge) if entry.state is BaseState.ASIDE]
        del stage.box().messages[uid]
        stage.box().reset(stage.user.new_uid_validity())
        await bridge.sync()
        assert set(await states(bridge)) == {BaseState.SYNCED}
        assert path.exists()
        path.rename(bridge.tree.root / "cur" / f"{name}:2,S")
        assert (await bridge.sync()).failed == 0
