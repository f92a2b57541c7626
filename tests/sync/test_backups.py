"""Restored backups (decisions.md 2): nothing is inferred as deleted; what is missing is fetched again or kept."""

import shutil
from dataclasses import replace

import pytest

from daemon.model.errors import StoreError
from daemon.model.events import EventName
from daemon.model.flags import SEEN
from tests.sync.stage import agree, events, letter, messages, put, restless, sha


def keep(stage, name, *parts):
    target = stage.path / name
    target.mkdir()
    for part in parts:
        for path in (stage.path / "store").glob(part):
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, target / path.name)


def put_back(stage, name, *parts):
    for part in parts:
        for path in (stage.path / "store").glob(part):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (stage.path / name).iterdir():
        target = stage.path / "store" / path.name
        (shutil.copytree if path.is_dir() else shutil.copy2)(path, target)


TREE = ("mail",)
DATABASES = ("*.sqlite3*",)
INDEX = ("index.sqlite3*",)


async def lived(stage, parts, count):
    """A backup of `parts`, and then a life in which `count` messages came, one went, one was read."""
    stage.deliver(*(letter(number) for number in range(10)))
    async with stage.bridge() as bridge:
        await bridge.sync()
    keep(stage, "backup", *parts)
    async with stage.bridge() as bridge:
        stage.deliver(*(letter(100 + number) for number in range(count)))
        stage.box().expunge([1])
        stage.box().set_flags(2, frozenset({SEEN}))
        put(bridge, "77.me", letter(77), letters="S")
        await bridge.sync()
        await agree(bridge, stage)
    return stage.there()


@pytest.mark.parametrize("count", [1, 500])
async def test_older_tree_gets_its_messages_again_and_deletes_none(stage, count):
    there = await lived(stage, TREE, count)
    put_back(stage, "backup", *TREE)
    async with stage.bridge() as bridge:
        result = await bridge.sync()
        assert (result.expunged_there, result.held, result.uploaded) == (0, 0, 0)
        assert result.downloaded == count + 1
        assert stage.there() == there
        assert await bridge.digests() == sorted([*there, sha(letter(0))]), "what was deleted stays, unmatched"
        assert sum(one.is_unmatched for one in await messages(bridge)) == 1
        assert stage.flags_there()[2] == {SEEN}, "old flags are no wish"
        ((read,),) = [[one for one in await messages(bridge) if one.uid == 2]]
        assert read.flags == {SEEN}
        assert (await bridge.sync()).is_quiet


@pytest.mark.parametrize("count", [1, 500])
@pytest.mark.parametrize("parts", [DATABASES, INDEX])
async def test_older_databases_double_nothing_and_delete_nothing(stage, parts, count):
    there = await lived(stage, parts, count)
    put_back(stage, "backup", *parts)
    async with stage.bridge() as bridge:
        result = await bridge.sync()
        assert (result.expunged_there, result.removed_here, result.held) == (0, 0, 0)
        assert (result.downloaded, result.uploaded) == (0, 0)
        assert stage.there() == there
        assert await bridge.digests() == there
        await agree(bridge, stage)


async def test_whole_store_restored_follows_the_server(stage):
    there = await lived(stage, (*TREE, *DATABASES), 20)
    put_back(stage, "backup", *TREE, *DATABASES)
    async with stage.bridge() as bridge:
        result = await bridge.sync()
        assert (result.expunged_there, result.uploaded) == (0, 0)
        assert stage.there() == there == await bridge.digests()
        await agree(bridge, stage)


async def test_review_outlives_a_pass_over_a_tree_too_restless_to_be_read(stage):
    """Not seen in a listing that proves nothing: it must not count as looked at."""
    there = await lived(stage, TREE, 30)
    put_back(stage, "backup", *TREE)
    async with stage.bridge() as bridge:
        with restless(bridge.tree.root / "cur"):
            assert (await bridge.run_pass()).expunged_there == 0
        assert (await bridge.sync()).expunged_there == 0
        assert stage.there() == there
        assert len(await bridge.digests()) == len(there) + 1


async def test_review_outlives_a_pass_that_fails_and_a_restart(stage):
    there = await lived(stage, TREE, 30)
    put_back(stage, "backup", *TREE)
    async with stage.bridge() as bridge:
        stage.line.refuse(rb"UID FETCH 1:", b"NO [SERVERBUG] oops", times=1)
        assert (await bridge.run_pass()).failed == 1
        assert bridge.engine._backups.review.mailboxes == {"INBOX"}
    async with stage.bridge() as bridge:
        assert (await bridge.sync()).expunged_there == 0
        assert not bridge.engine._backups.review.mailboxes
        assert stage.there() == there


async def test_ordinary_restarts_and_a_stop_while_the_generation_is_written_are_no_backup(stage):
    stage.deliver(letter(1))
    async with stage.bridge() as bridge:
        await bridge.sync()
    for name in ("record_generation", None):
        async with stage.bridge() as bridge:
            if name is not None:

                async def die(*_):
                    raise StoreError("power cut")

                bridge.tree.record_generation = die
                with pytest.raises(StoreError):
                    await bridge.engine.recover()
            else:
                await bridge.engine.recover()
            assert not bridge.engine._backups.review.mailboxes
    async with stage.bridge() as bridge:
        (await bridge.files()).popitem()[1].unlink()
        assert (await bridge.sync()).expunged_there == 1, "and a deletion is a deletion"


async def test_message_fetched_again_is_told_as_gone_and_keeps_no_ghost(stage):
    await lived(stage, TREE, 3)
    put_back(stage, "backup", *TREE)
    async with stage.bridge() as bridge:
        before = len(await events(bridge, EventName.MESSAGE_DELETED))
        await bridge.sync()
        assert len(await events(bridge, EventName.MESSAGE_DELETED)) == before + 4
        assert len(await messages(bridge)) == len(await bridge.files())


async def test_older_tree_takes_no_rename_back_and_makes_no_mailbox_again(stage):
    """What the backup calls `Lists` is `Groups` now, and `Old` is gone on both sides."""
    stage.deliver(letter(1), letter(2), mailbox="Lists")
    stage.user.create("Old")
    async with stage.bridge() as bridge:
        await bridge.sync()
    keep(stage, "backup", *TREE)
    async with stage.bridge() as bridge:
        stage.user.rename("Lists", "Groups")
        stage.user.delete("Old")
        await bridge.sync()
    async with stage.bridge() as bridge:
        await bridge.sync()
    put_back(stage, "backup", *TREE)
    async with stage.bridge() as bridge:
        result = await bridge.run_pass()
        assert (result.uploaded, result.held, result.expunged_there) == (0, 0, 0)
        assert set(stage.user.mailboxes) == {"INBOX", "Groups"}
        assert await bridge.digests("Groups") == stage.there("Groups")


@pytest.mark.parametrize("mailbox", ["Lists", "Other"])
async def test_mailbox_under_review_stays_so_under_its_new_name(stage, mailbox):
    async with stage.bridge() as bridge:
        await bridge.sync()
        backups = bridge.engine._backups
        await backups._save(replace(backups.review, mailboxes=frozenset({"Lists", "INBOX"})))
        await backups.rename(mailbox, "Groups")
        assert ("Groups" in backups.review.mailboxes) == (mailbox == "Lists")
        assert (await backups._load()).mailboxes == backups.review.mailboxes


async def test_message_that_was_moved_after_the_index_was_kept_is_neither_lost_nor_doubled(stage):
    """Its old row goes, the new one stays: what neither side has in one mailbox may have got its place in another."""
    stage.deliver(letter(1))
    stage.deliver(letter(2), mailbox="Archive")
    async with stage.bridge() as bridge:
        await bridge.sync()
    keep(stage, "backup", *INDEX)
    async with stage.bridge() as bridge:
        ((name, path),) = (await bridge.files()).items()
        path.rename(bridge.tree.root / ".Archive" / "cur" / f"{name}:2,")
        await bridge.sync()
        moved = {one.content.envelope.subject: one.id for one in await messages(bridge)}
    put_back(stage, "backup", *INDEX)
    async with stage.bridge() as bridge:
        await bridge.sync()
        result = await bridge.sync()
        assert (result.downloaded, result.uploaded) == (0, 0)
        assert stage.there("Archive") == sorted([sha(letter(1)), sha(letter(2))])
        await agree(bridge, stage, "INBOX", "Archive")
        assert {one.content.envelope.subject: one.id for one in await messages(bridge)} == moved
        told = [one for one in await events(bridge) if one.name is EventName.MESSAGE_DELETED]
        assert not told
