"""What is missing is proved by the whole tree; what lies elsewhere in it is not missing (sync.md 12)."""

import shutil

from daemon.sync.missing import prove_missing
from tests.support.bridge import ACCOUNT
from tests.sync.stage import letter


async def prepared(bridge, stage):
    """Two mailboxes, one message in each: records, and the name in INBOX."""
    stage.deliver(letter(1))
    stage.deliver(letter(2), mailbox="Archive")
    await bridge.sync()
    (name,) = await bridge.files()
    return await bridge.store.mailboxes.list(ACCOUNT), name


async def prove(bridge, records, name):
    return await prove_missing(bridge.tree, {"INBOX": frozenset({name})}, records)


async def test_nothing_asked_costs_nothing(stage):
    async with stage.bridge() as bridge:
        records, _ = await prepared(bridge, stage)
        proof = await prove_missing(bridge.tree, {"INBOX": frozenset()}, records)
        assert not proof.gone
        assert not proof.moved_to


async def test_removed_file_is_gone(stage):
    async with stage.bridge() as bridge:
        records, name = await prepared(bridge, stage)
        (await bridge.files())[name].unlink()
        proof = await prove(bridge, records, name)
        assert proof.gone == {"INBOX": {name}}
        assert not proof.moved_to


async def test_file_that_is_there_after_all_is_neither_gone_nor_moved(stage):
    async with stage.bridge() as bridge:
        records, name = await prepared(bridge, stage)
        proof = await prove(bridge, records, name)
        assert not proof.gone["INBOX"]
        assert not proof.moved_to


async def test_moved_file_is_gone_from_here_and_known_there(stage):
    async with stage.bridge() as bridge:
        records, name = await prepared(bridge, stage)
        (await bridge.files())[name].rename(bridge.tree.root / ".Archive" / "cur" / f"{name}:2,S")
        proof = await prove(bridge, records, name)
        assert proof.gone == {"INBOX": {name}}
        assert proof.moved_to == {name: "Archive"}


async def test_copy_elsewhere_of_a_file_that_is_here_is_no_move(stage):
    """A listing missed it while its flags changed; the copy must not make a move of that."""
    async with stage.bridge() as bridge:
        records, name = await prepared(bridge, stage)
        shutil.copy2((await bridge.files())[name], bridge.tree.root / ".Archive" / "cur" / f"{name}:2,S")
        proof = await prove(bridge, records, name)
        assert not proof.gone["INBOX"]
        assert not proof.moved_to


async def test_file_in_a_directory_without_a_record_is_undecided(stage):
    async with stage.bridge() as bridge:
        records, name = await prepared(bridge, stage)
        for part in ("cur", "new", "tmp"):
            (bridge.tree.root / ".Mine" / part).mkdir(parents=True)
        (await bridge.files())[name].rename(bridge.tree.root / ".Mine" / "new" / name)
        proof = await prove(bridge, records, name)
        assert not proof.gone["INBOX"]
        assert not proof.moved_to


async def test_lost_directory_of_any_mailbox_leaves_everything_unproved(stage):
    """The file may be in it."""
    async with stage.bridge() as bridge:
        records, name = await prepared(bridge, stage)
        (await bridge.files())[name].unlink()
        (bridge.tree.root / ".Archive").rename(stage.path / "unmounted")
        proof = await prove(bridge, records, name)
        assert not proof.gone
        assert proof.lost == {"Archive"}


async def test_lost_directory_of_a_mailbox_that_is_no_longer_kept_is_told_and_can_be_let_go(stage):
    """Otherwise no deletion here would ever reach the server again, and nobody would know why."""
    stage.deliver(letter(1), letter(2))
    stage.deliver(letter(3), mailbox="Archive")
    async with stage.bridge() as bridge:
        await bridge.sync()
    async with stage.bridge(exclude=("Archive",)) as bridge:
        shutil.rmtree(bridge.tree.root / ".Archive")
        (await bridge.files()).popitem()[1].unlink()
        result = await bridge.sync()
        assert (result.expunged_there, result.held) == (0, 1)
        assert set(bridge.engine.held) == {"Archive"}
        await bridge.engine.approve("Archive")
        result = await bridge.sync()
        assert (result.expunged_there, result.held) == (1, 0)
        assert len(stage.there("Archive")) == 1, "what is not kept in step is not deleted there"
