"""Local recovery: what a stopped run left in the tree is finished or forgotten, and told where it is news."""

import pytest

from daemon.model.errors import ConnectionLost, StoreError, StoreForeign
from daemon.model.events import EventName
from daemon.store.maildir.errors import NameTaken
from tests.support.bridge import open_bridge, settings_for
from tests.support.child import start_sync
from tests.sync.stage import agree, events, letter, messages, put, sha


async def die(*_, **__):
    raise StoreError("power cut")


async def stopped(stage, room: str, method: str):
    """A run that had the file in place when it ended in `store.ROOM.METHOD`."""
    async with stage.bridge() as bridge:
        stage.deliver(letter(1))
        await bridge.sync()
        stage.deliver(letter(2))
        setattr(getattr(bridge.store, room), method, die)
        with pytest.raises(StoreError):
            await bridge.run_pass()
        return await bridge.files()


@pytest.mark.parametrize(("room", "method"), [("base", "confirm"), ("intents", "close")])
async def test_download_in_place_is_confirmed_not_fetched_again_and_announced_once(stage, room, method):
    """Sync.md 18 and 24: stored by a run that died, it is still the first sight of a message above the mark."""
    files = await stopped(stage, room, method)
    assert len(files) == 2
    async with stage.bridge() as bridge:
        fetched = stage.line.count(b"BODY.PEEK[]")
        assert (await bridge.sync()).downloaded == 0
        assert stage.line.count(b"BODY.PEEK[]") == fetched
        assert set(await bridge.files()) == set(files)
        assert [event.data["subject"] for event in await events(bridge, EventName.MESSAGE_NEW)] == [
            "letter 2"
        ]
        await agree(bridge, stage)


async def test_backfill_that_was_stopped_announces_nothing(stage):
    stage.deliver(letter(1), letter(2))
    async with stage.bridge() as bridge:
        bridge.store.base.confirm = die
        with pytest.raises(StoreError):
            await bridge.run_pass()
    async with stage.bridge() as bridge:
        await bridge.sync()
        assert not await events(bridge, EventName.MESSAGE_NEW)
        await agree(bridge, stage)


async def test_flag_set_on_a_recovered_file_is_a_local_change(stage):
    await stopped(stage, "base", "confirm")
    async with stage.bridge() as bridge:
        for path in (await bridge.files()).values():
            path.rename(path.parent.parent / "cur" / (path.name.partition(":")[0] + ":2,F"))
        await bridge.sync()
        assert stage.flags_there() == {1: {"\\Flagged"}, 2: {"\\Flagged"}}
        await agree(bridge, stage)


async def test_file_that_was_never_published_is_fetched_again(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        stage.deliver(letter(1))
        bridge.tree.publish = die
        with pytest.raises(StoreError):
            await bridge.run_pass()
    async with stage.bridge() as bridge:
        assert (await bridge.sync()).downloaded == 1
        assert not await bridge.store.intents.pending(bridge.settings.id)
        assert list((bridge.tree.root / "tmp").iterdir()) == []
        await agree(bridge, stage)


async def test_file_that_was_edited_meanwhile_is_a_new_message_and_the_old_one_comes_again(stage):
    before = await stopped(stage, "base", "confirm")
    async with stage.bridge() as bridge:
        path = next(path for path in before.values() if path.read_bytes() == letter(2))
        path.write_bytes(letter(3))
        result = await bridge.sync()
        assert (result.uploaded, result.downloaded) == (1, 1)
        assert stage.there() == sorted([sha(letter(1)), sha(letter(2)), sha(letter(3))])
        await agree(bridge, stage)


async def test_file_moved_meanwhile_is_confirmed_and_then_moved_there_too(stage):
    stage.user.create("Archive")
    before = await stopped(stage, "base", "confirm")
    async with stage.bridge() as bridge:
        path = next(path for path in before.values() if path.read_bytes() == letter(2))
        path.rename(bridge.tree.root / ".Archive" / "new" / path.name)
        result = await bridge.sync()
        assert (result.moved, result.downloaded, result.uploaded) == (1, 0, 0)
        await agree(bridge, stage, "INBOX", "Archive")


async def test_published_batch_whose_pass_failed_is_not_sent_back_to_the_server(stage):
    """Without a restart: a name taken fails one mailbox's batch only, and the pass goes on to its end."""
    async with stage.bridge() as bridge:
        await bridge.sync()
        stage.deliver(letter(1), letter(2))
        publish = bridge.tree.publish

        async def publish_and_fail(*args):
            await publish(*args)
            raise NameTaken("one of them")

        bridge.tree.publish = publish_and_fail
        assert (await bridge.run_pass()).failed == 1
        bridge.tree.publish = publish
        result = await bridge.sync()
        assert (result.uploaded, result.downloaded) == (0, 0)
        assert len(stage.there()) == 2
        await agree(bridge, stage)


@pytest.mark.parametrize("lost", ["another mailbox", "the mailbox itself"])
async def test_lost_directory_does_not_keep_the_account_from_recovering(stage, lost):
    """Sync.md 14: a hold stops only these deletions."""
    stage.deliver(letter(5), mailbox="Archive")
    stage.deliver(letter(6), mailbox="Lists")
    async with stage.bridge() as bridge:
        await bridge.sync()
        stage.deliver(letter(7), mailbox="Archive")
        bridge.store.base.confirm = die
        with pytest.raises(StoreError):
            await bridge.run_pass()
        victim = bridge.tree.root / (".Lists" if lost == "another mailbox" else ".Archive")
        victim.rename(stage.path / "away")
    async with stage.bridge() as bridge:
        stage.deliver(letter(8))
        assert (await bridge.sync()).downloaded == 1
        assert not victim.exists(), "nothing is written where the directory was"
        (stage.path / "away").rename(victim)
        assert (await bridge.sync()).downloaded == 0
        await agree(bridge, stage, "INBOX", "Archive", "Lists")


async def test_lost_index_with_downloads_open_matches_the_files(stage):
    await stopped(stage, "base", "confirm")
    for path in (stage.path / "store").glob("index.sqlite3*"):
        path.unlink()
    async with stage.bridge() as bridge:
        assert (await bridge.sync()).downloaded == 0
        assert len(await messages(bridge)) == 2
        await agree(bridge, stage)


async def test_missing_tree_is_no_reason_to_recover_anything(stage):
    await stopped(stage, "base", "confirm")
    root = stage.path / "store" / "mail" / "work"
    root.rename(stage.path / "unmounted")
    async with stage.bridge() as bridge:
        with pytest.raises(StoreForeign):
            await bridge.engine.recover()
        assert len(await bridge.store.intents.pending(bridge.settings.id)) == 1


async def test_recovering_twice_is_recovering_once(stage):
    await stopped(stage, "intents", "close")
    async with stage.bridge() as bridge:
        await bridge.engine.recover()
        await bridge.engine.recover()
        assert len(await events(bridge, EventName.MESSAGE_NEW)) == 1
        await agree(bridge, stage)


async def test_lost_line_after_a_batch_keeps_what_was_stored(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        stage.deliver(*(letter(number, "x" * 5000) for number in range(300)))
        rule = stage.line.lose(rb"UID FETCH .*BODY.PEEK")
        with pytest.raises(ConnectionLost):
            await bridge.run_pass()
        assert rule.seen
        bridge.client = None
        await bridge.sync()
        await agree(bridge, stage)


@pytest.mark.timeout(60)
async def test_killed_child_between_any_two_steps_leaves_nothing_to_doubt(mailbag, tmp_path):
    """The same with a real process and a real server: kill -9, then a fresh start."""
    mailbag.fill("INBOX", [letter(number) for number in range(400)])
    settings = settings_for(mailbag)
    for seconds in (0.25, 0.45, 0.6):
        child = start_sync(tmp_path / "store", settings)
        child.join(seconds)
        child.kill()
        child.join()
    async with open_bridge(tmp_path / "store", mailbag, settings=settings) as bridge:
        await bridge.sync()
        assert await bridge.digests() == sorted(sha(letter(number)) for number in range(400))
        assert (await bridge.sync()).is_quiet


async def test_unknown_names_in_the_tree_are_new_messages_and_open_ones_are_not(stage):
    await stopped(stage, "base", "confirm")
    async with stage.bridge() as bridge:
        put(bridge, "9.me", letter(9), letters="S")
        result = await bridge.sync()
        assert result.uploaded == 1
        await agree(bridge, stage)
