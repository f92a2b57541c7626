"""Traces: what is asked of the server before anything is removed, and what is taken for a move."""

import pytest

from daemon.model.flags import DELETED
from daemon.model.settings import DeleteRule
from tests.sync.stage import agree, ask, letter, messages, open_stage, sha


async def ready(bridge, stage, count=2):
    stage.user.create("Archive")
    stage.deliver(*(letter(number) for number in range(count)))
    await bridge.sync()
    await bridge.disconnect()
    return {one.content.envelope.subject: one.id for one in await messages(bridge)}


def asked_since(stage, start: int, word: bytes) -> int:
    return sum(word in command for command in stage.line.commands[start:])


async def test_pass_without_anything_missing_asks_for_no_listing(stage):
    async with stage.bridge() as bridge:
        await ready(bridge, stage)
        stage.deliver(letter(5, "like none before"))
        start = len(stage.line.commands)
        await bridge.run_pass(only={"INBOX"})
        assert asked_since(stage, start, b"LIST") == 0


async def test_removal_asks_for_the_numbers_once_and_looks_at_nothing_that_is_unchanged(stage):
    async with stage.bridge() as bridge:
        await ready(bridge, stage)
        stage.box().expunge([1])
        start = len(stage.line.commands)
        result = await bridge.run_pass(only={"INBOX"})
        assert result.removed_here == 1
        assert asked_since(stage, start, b"LIST") == 1
        assert asked_since(stage, start, b"SELECT Archive") == 0


async def test_header_is_asked_only_where_size_and_date_agree(stage):
    async with stage.bridge() as bridge:
        await ready(bridge, stage)
        stage.box().expunge([1])
        stage.deliver(letter(6, "of another size"), mailbox="Archive")
        start = len(stage.line.commands)
        result = await bridge.sync()
        assert (result.downloaded, result.removed_here) == (1, 1)
        assert asked_since(stage, start, b"BODY.PEEK[HEADER]") == 0


async def test_mailbox_that_failed_is_not_tried_twice_in_a_pass(stage):
    async with stage.bridge() as bridge:
        await ready(bridge, stage)
        stage.move(1, "INBOX", "Archive")
        rule = stage.line.refuse(rb"SELECT Archive", b"NO not now")
        result = await bridge.run_pass()
        assert (len(rule.seen), result.failed) == (1, 1)
        assert len(await bridge.files()) == 2


async def test_listing_that_lost_inbox_clears_nothing(stage):
    """A listing that is not believed proves no mailbox unchanged."""
    async with stage.bridge() as bridge:
        await ready(bridge, stage)
        stage.move(1, "INBOX", "Archive")
        rule = stage.line.refuse(rb"LIST", b"OK nothing here", times=1)
        await bridge.engine.run_pass(await bridge.connect(), only={"INBOX"})
        assert len(rule.seen) == 1
        result = await bridge.sync()
        assert result.downloaded == 0
        await agree(bridge, stage, "INBOX", "Archive")


@pytest.mark.parametrize("copy_first", [True, False])
async def test_move_that_goes_on_during_the_pass_costs_no_download(stage, copy_first):
    """What is seen at one end only is looked at from the other before anything is fetched or removed."""
    async with stage.bridge() as bridge:
        ids = await ready(bridge, stage)
        fetched = stage.line.count(b"BODY.PEEK[]")
        moves = [lambda: stage.move(1, "INBOX", "Archive")]
        first = b"SELECT INBOX" if copy_first else b"SELECT Archive"
        stage.deliver(letter(8, "news for both"), letter(9, "news of both"))
        stage.deliver(letter(10, "more news"), mailbox="Archive")

        def now(command: bytes) -> None:
            if command.startswith(first) and moves:
                moves.pop()()

        stage.line.before_command = now
        await bridge.sync()
        assert not moves
        assert stage.line.count(b"BODY.PEEK[]") - fetched <= 3
        assert ids["letter 0"] in [one.id for one in await messages(bridge, "Archive")]
        await agree(bridge, stage, "INBOX", "Archive")


@pytest.mark.parametrize("rule", [DeleteRule.TRASH, DeleteRule.EXPUNGE])
async def test_deletion_by_name_ends_in_the_trash_where_that_is_the_rule(tmp_path, rule):
    """Followed there, the message would be deleted once more, and for good."""
    async with open_stage(tmp_path) as stage, stage.bridge(delete=rule) as bridge:
        stage.trash()
        ids = await ready(bridge, stage)
        operation = await ask(bridge, ids["letter 0"])
        stage.move(1, "INBOX", "Trash")
        await bridge.sync()
        assert stage.there("Trash") == ([sha(letter(0))] if rule is DeleteRule.TRASH else [])
        assert (await bridge.store.operations.get(operation.id)).state == "done"
        await agree(bridge, stage, "INBOX", "Trash")


async def test_message_marked_in_its_old_place_is_no_move(stage):
    """COPY and STORE without an expunge: it is in both places, and so it is here."""
    async with stage.bridge() as bridge:
        ids = await ready(bridge, stage)
        message = stage.box().messages[1]
        stage.box("Archive").deliver(message.octets, internal_date=message.internal_date)
        stage.box().set_flags(1, frozenset({DELETED}))
        await bridge.sync()
        assert ids["letter 0"] in [one.id for one in await messages(bridge, "INBOX")]
        assert len(await messages(bridge, "Archive")) == 1
        await agree(bridge, stage, "INBOX", "Archive")
