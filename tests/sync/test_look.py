"""Looking: only where anything may differ, and never past what could not be seen."""

import asyncio

import pytest

from daemon.model.flags import SEEN
from tests.sync.stage import agree, letter, open_stage, put


async def test_account_at_rest_selects_nothing(stage):
    for mailbox in ("INBOX", "Archive", "Lists"):
        stage.deliver(letter(1), mailbox=mailbox)
    async with stage.bridge() as bridge:
        await bridge.sync()
        await asyncio.sleep(0.1)  # younger stamps could not tell the next change from the last
        await bridge.sync()
        sent = len(stage.line.commands)
        assert (await bridge.run_pass()).is_quiet
        assert not any(command.startswith(b"SELECT") for command in stage.line.commands[sent:])


async def test_only_the_mailbox_that_changed_is_looked_at(stage):
    for mailbox in ("INBOX", "Archive", "Lists"):
        stage.deliver(letter(1), mailbox=mailbox)
    async with stage.bridge() as bridge:
        await bridge.sync()
        await asyncio.sleep(0.1)  # younger stamps could not tell the next change from the last
        await bridge.sync()
        sent = len(stage.line.commands)
        stage.deliver(letter(2, "like none before"), mailbox="Lists")
        await bridge.run_pass()
        selected = [one for one in stage.line.commands[sent:] if one.startswith(b"SELECT")]
        assert len(selected) == 1
        assert b"Lists" in selected[0]


async def test_pass_over_one_mailbox_leaves_the_others_alone(stage):
    async with stage.bridge() as bridge:
        stage.user.create("Archive")
        await bridge.sync()
        stage.deliver(letter(1), mailbox="Archive")
        stage.deliver(letter(2))
        put(bridge, "1.me", letter(3), directory=".Archive", letters="S")
        result = await bridge.run_pass(only={"INBOX"})
        assert (result.downloaded, result.uploaded) == (1, 0)
        await bridge.sync()
        await agree(bridge, stage, "INBOX", "Archive")


async def test_unknown_mailbox_asked_for_is_no_error(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        assert (await bridge.run_pass(only={"Nowhere"})).is_quiet


async def test_without_unselect_what_the_session_has_not_seen_is_found_all_the_same(tmp_path):
    """STATUS of the mailbox that is still selected tells what the session has seen (Dovecot)."""
    async with open_stage(tmp_path, without=("UNSELECT",)) as stage, stage.bridge() as bridge:
        stage.deliver(letter(1))
        await bridge.sync()
        stale = {}
        client = await bridge.connect()
        await client.select(b"INBOX")
        list_mailboxes = client.list_mailboxes

        async def as_the_session_saw_it():
            listed = await list_mailboxes()
            return tuple(stale.get(one.name, one) for one in listed)

        stale |= {one.name: one for one in await list_mailboxes()}
        client.list_mailboxes = as_the_session_saw_it
        stage.deliver(letter(2))
        await bridge.sync()
        await bridge.sync()
        assert await bridge.digests() == stage.there()


async def test_refused_scan_of_one_mailbox_is_recorded_and_the_next_is_looked_at(stage):
    stage.deliver(letter(1))
    stage.deliver(letter(2), mailbox="Archive")
    async with stage.bridge() as bridge:
        stage.line.refuse(rb"SELECT INBOX", b"NO [UNAVAILABLE] later", times=1)
        result = await bridge.run_pass()
        assert (result.downloaded, result.failed) == (1, 1)
        await bridge.sync()
        await agree(bridge, stage, "INBOX", "Archive")


@pytest.mark.parametrize("without", [(), ("QRESYNC", "CONDSTORE")])
async def test_file_moved_where_nobody_can_look_is_neither_moved_nor_missing(tmp_path, without):
    """The target's SELECT fails in this pass: an expunge here would leave the message on no server at all."""
    async with open_stage(tmp_path, without=without) as stage, stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2))
        stage.user.create("Archive")
        await bridge.sync()
        name, path = min((await bridge.files()).items())
        path.rename(bridge.tree.root / ".Archive" / "cur" / f"{name}:2,S")
        stage.line.refuse(rb'SELECT "?Archive', b"NO [UNAVAILABLE] later", times=1)
        result = await bridge.run_pass()
        assert (result.expunged_there, result.moved) == (0, 0)
        assert len(stage.there()) == 2
        assert (await bridge.sync()).moved == 1
        await bridge.sync()
        assert stage.flags_there("Archive") == {1: {SEEN}}
        await agree(bridge, stage, "INBOX", "Archive")


async def test_start_on_an_account_at_rest_selects_nothing(stage):
    stage.deliver(letter(1), letter(2))
    stage.deliver(letter(3), mailbox="Archive", flags=[SEEN])
    async with stage.bridge() as bridge:
        await bridge.sync()
    async with stage.bridge() as bridge:
        sent = len(stage.line.commands)
        assert (await bridge.run_pass()).is_quiet
        assert not [command for command in stage.line.commands[sent:] if b"SELECT" in command]


@pytest.mark.parametrize("change", ["flag", "remove", "add"])
async def test_change_made_while_nobody_ran_is_found_at_the_start(stage, change):
    stage.deliver(letter(1), letter(2))
    async with stage.bridge() as bridge:
        await bridge.sync()
        path = next(one for one in (await bridge.files()).values() if one.read_bytes() == letter(1))
        if change == "flag":
            path.rename(path.parent.parent / "cur" / f"{path.name.partition(':')[0]}:2,S")
        elif change == "remove":
            path.unlink()
        else:
            put(bridge, "9.me", letter(9))
    async with stage.bridge() as bridge:
        assert not (await bridge.sync()).is_quiet
        await agree(bridge, stage)
