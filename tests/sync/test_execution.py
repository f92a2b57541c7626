"""Carrying out: the order that loses nothing, and marks that move only past what has its row."""

import asyncio

import pytest

from daemon.model.errors import ConnectionLost
from tests.support.bridge import ACCOUNT
from tests.sync.stage import agree, ask, letter, messages, put, sha


def order(stage, sent, *words):
    """The words in the order in which commands with them were first sent."""
    first = {}
    for at, command in enumerate(stage.line.commands[sent:]):
        for word in words:
            if word in command:
                first.setdefault(word, at)
    return sorted(first, key=first.__getitem__)


async def test_wishes_by_name_go_first_and_inferred_deletions_last(stage):
    async with stage.bridge() as bridge:
        stage.deliver(*(letter(number) for number in range(4)))
        stage.user.create("Archive")
        await bridge.sync()
        files = {path.read_bytes(): path for path in (await bridge.files()).values()}
        known = {one.content.envelope.subject: one.id for one in await messages(bridge)}
        await ask(bridge, known["letter 0"])
        files[letter(1)].unlink()
        moved = files[letter(2)]
        moved.rename(bridge.tree.root / ".Archive" / "new" / moved.name)
        put(bridge, "1.me", letter(5), letters="S")
        stage.deliver(letter(6))
        sent = len(stage.line.commands)
        await bridge.run_pass()
        assert order(
            stage, sent, b"UID EXPUNGE 1", b"UID MOVE", b"APPEND", b"BODY.PEEK[]", b"UID EXPUNGE 2"
        ) == [b"UID EXPUNGE 1", b"UID MOVE", b"APPEND", b"BODY.PEEK[]", b"UID EXPUNGE 2"]
        await bridge.sync()
        await agree(bridge, stage, "INBOX", "Archive")


async def test_mark_stays_below_what_was_not_fetched(stage):
    """Sync.md 5: every UID below a stored mark has a row."""
    async with stage.bridge() as bridge:
        stage.deliver(letter(1))
        await bridge.sync()
        before = await bridge.store.mailboxes.get(ACCOUNT, "INBOX")
        stage.deliver(letter(2))
        stage.line.cut(rb"UID FETCH .*BODY.PEEK")
        with pytest.raises(ConnectionLost):
            await bridge.run_pass()
        assert await bridge.store.mailboxes.get(ACCOUNT, "INBOX") == before
        bridge.client = None
        await bridge.sync()
        after = await bridge.store.mailboxes.get(ACCOUNT, "INBOX")
        assert (after.uid_next, after.message_count) == (3, 2)
        await agree(bridge, stage)


async def test_fault_of_one_mailbox_leaves_its_marks_and_moves_the_others(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1))
        stage.deliver(letter(2), mailbox="Archive")
        await bridge.sync()
        stage.deliver(letter(3))
        stage.deliver(letter(4), mailbox="Archive")
        publish = bridge.tree.publish

        async def refuse(directory, *rest):
            from daemon.store.maildir.errors import NameTaken

            if directory == ".Archive":
                raise NameTaken("taken")
            return await publish(directory, *rest)

        bridge.tree.publish = refuse
        result = await bridge.run_pass()
        assert (result.downloaded, result.failed) == (1, 1)
        marks = {one.name: one.uid_next for one in await bridge.store.mailboxes.list(ACCOUNT)}
        assert marks == {"INBOX": 3, "Archive": 2}
        bridge.tree.publish = publish
        await bridge.sync()
        await agree(bridge, stage, "INBOX", "Archive")


async def test_deletion_by_name_does_not_wait_for_a_mailbox_that_fails(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2))
        await bridge.sync()
        known = {one.content.envelope.subject: one.id for one in await messages(bridge)}
        operation = await ask(bridge, known["letter 1"])
        stage.deliver(letter(3))
        stage.line.cut(rb"UID FETCH .*BODY.PEEK")
        with pytest.raises(ConnectionLost):
            await bridge.run_pass()
        assert (await bridge.store.operations.get(operation.id)).state == "done"
        assert sha(letter(1)) not in stage.there()


async def test_pass_over_nothing_writes_nothing_to_the_store(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1))
        await bridge.sync()
        await asyncio.sleep(0.1)
        await bridge.sync()
        commits = bridge.store.commit_count
        await bridge.run_pass()
        assert bridge.store.commit_count == commits
