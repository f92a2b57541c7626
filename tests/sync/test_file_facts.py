"""What files are now: in order, and without those that vanished under our hands."""

import pytest
import structlog

from daemon.model.errors import Blast, StoreForeign
from daemon.model.flags import FLAGGED
from daemon.model.views import LocalEntry
from daemon.store.maildir.errors import FileUnreadable
from daemon.sync.file_facts import file_facts, readable_facts
from daemon.sync.tally import Tally
from tests.support.bridge import ACCOUNT
from tests.sync.stage import NOON, agree, letter, messages, put, sha


def forbid(path):
    """Take every permission away, and be sure that it works."""
    path.chmod(0)
    with pytest.raises(PermissionError):
        path.read_bytes()


def entry(path):
    return LocalEntry(
        maildir_name=path.name.partition(":")[0], path=f"{path.parent.name}/{path.name}", flags=frozenset()
    )


async def test_facts_come_in_order_with_both_sizes(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        paths = [put(bridge, f"{n}.me", f"Subject: {n}\n\nx\n".encode(), letters="S") for n in range(3)]
        found = await file_facts(bridge.tree, ".", [entry(path) for path in reversed(paths)])
        assert [one.entry.maildir_name for one in found] == ["2.me", "1.me", "0.me"]
        assert [one.content.wire_size - one.content.file_size for one in found] == [3, 3, 3]
        assert {one.mtime for one in found} == {NOON}


async def test_no_entries_no_work(stage):
    async with stage.bridge() as bridge:
        assert await file_facts(bridge.tree, "no such directory", []) == []


async def test_file_gone_before_or_between_the_looks_is_left_out(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        paths = [put(bridge, f"{n}.me", letter(n), letters="S") for n in range(3)]
        wanted = [entry(path) for path in paths]
        paths[0].unlink()
        status_of = bridge.tree.status_of

        async def race(directory, entries):
            found = await status_of(directory, entries)
            paths[1].unlink(missing_ok=True)
            return found

        bridge.tree.status_of = race
        found = await file_facts(bridge.tree, ".", wanted)
        assert [one.entry.maildir_name for one in found] == ["2.me"]


async def test_file_renamed_meanwhile_is_found_by_its_name(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        path = put(bridge, "1.me", letter(1), letters="S")
        wanted = entry(path)
        path.rename(path.with_name("1.me:2,FS"))
        (found,) = await file_facts(bridge.tree, ".", [wanted])
        assert found.content.file_size == len(letter(1))


async def test_unreadable_file_is_told_counted_and_left_out(lowly_stage):
    async with lowly_stage.bridge() as bridge:
        await bridge.sync()
        paths = [put(bridge, f"{n}.me", letter(n), letters="S") for n in range(3)]
        forbid(paths[1])
        tally = Tally(ACCOUNT, lambda _: None)
        with pytest.raises(FileUnreadable) as refused:
            await file_facts(bridge.tree, ".", [entry(path) for path in paths])
        assert (refused.value.blast, refused.value.reason) == (Blast.MAILBOX, "store_readonly")
        with structlog.testing.capture_logs() as lines:
            found = await readable_facts(
                bridge.tree, ".", [entry(path) for path in paths], tally=tally, log=structlog.get_logger()
            )
        assert [one.entry.maildir_name for one in found] == ["0.me", "2.me"]
        assert tally.result.failed == 1
        (told,) = [line for line in lines if line["event"] == "file.unreadable"]
        assert (told["path"], told["reason"]) == ("cur/1.me:2,S", "store_readonly")


async def test_directory_that_is_gone_is_no_unreadable_file(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        with pytest.raises(StoreForeign):
            await readable_facts(
                bridge.tree,
                ".None",
                [LocalEntry(maildir_name="1.me", path="cur/1.me:2,", flags=frozenset())],
                tally=Tally(ACCOUNT, lambda _: None),
                log=structlog.get_logger(),
            )


async def test_other_files_go_up_beside_an_unreadable_one_which_follows_when_it_can(lowly_stage):
    stage = lowly_stage
    async with stage.bridge() as bridge:
        await bridge.sync()
        paths = [put(bridge, f"{n}.me", letter(n), letters="S") for n in range(3)]
        forbid(paths[1])
        stage.deliver(letter(7))
        result = await bridge.run_pass()
        assert (result.uploaded, result.downloaded, result.failed) == (2, 1, 1)
        assert stage.there() == sorted(sha(letter(n)) for n in (0, 2, 7))
        paths[1].chmod(0o600)
        assert (await bridge.sync()).uploaded == 1
        await agree(bridge, stage)


async def test_unreadable_file_that_was_moved_stays_on_the_server_until_it_can_be_proved(lowly_stage):
    stage = lowly_stage
    stage.user.create("Work")
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2))
        await bridge.sync()
        files = {one.content.envelope.subject: one.maildir_name for one in await messages(bridge)}
        for subject in ("letter 1", "letter 2"):
            path = (await bridge.files())[files[subject]]
            moved = path.rename(bridge.tree.root / ".Work" / "cur" / f"{path.name.partition(':')[0]}:2,")
            if subject == "letter 1":
                forbid(moved)
        result = await bridge.run_pass()
        assert (result.moved, result.uploaded, result.expunged_there, result.failed) == (1, 0, 0, 1)
        assert (stage.there(), stage.there("Work")) == ([sha(letter(1))], [sha(letter(2))])
        moved = (await bridge.files("Work"))[files["letter 1"]]
        moved.chmod(0o600)
        assert (await bridge.sync()).moved == 1
        await agree(bridge, stage, "INBOX", "Work")


async def test_unreadable_file_stops_the_match_of_its_mailbox_and_no_other(lowly_stage):
    """Left out of the match its message would come down beside it."""
    stage = lowly_stage
    stage.deliver(letter(5), mailbox="Work")
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2))
        await bridge.sync()
        name = next(iter(await bridge.files()))
        path = (await bridge.files())[name]
        forbid(path)
        await bridge.disconnect()
        stage.box().reset(99)
        stage.box("Work").set_flags(1, frozenset({FLAGGED}))
        result = await bridge.run_pass()
        assert (result.failed, result.downloaded, result.flags_changed) == (1, 0, 1)
        path.chmod(0o600)
        assert (await bridge.sync()).downloaded == 0
        await agree(bridge, stage, "INBOX", "Work")
