"""Deletions on Gmail (sync.md 2): another label keeps the message, without one it goes to the trash, never to All Mail."""

import pytest

from daemon.model.settings import DeleteRule
from tests.sync.stage import ask, letter, messages, sha


@pytest.fixture
def gmail(stage):
    """The server in memory, as if it were Gmail: labels are what a test says they are."""
    stage.line.replace(rb" LITERAL\+", b" LITERAL+ X-GM-EXT-1")
    stage.line.edit(rb" X-GM-MSGID", b"")
    stage.trash()
    return stage


def label(stage, **labels: str) -> None:
    lines = "".join(
        f"* {uid[1:]} FETCH (UID {uid[1:]} X-GM-LABELS ({said}))\r\n" for uid, said in labels.items()
    )
    stage.line.answer(rb"UID FETCH [^(]*\(UID X-GM-LABELS\)", lines.encode())


async def delete(bridge, *numbers: int) -> None:
    known = {one.content.envelope.subject: one for one in await messages(bridge, "INBOX")}
    operations = [await ask(bridge, known[f"letter {number}"].id) for number in numbers]
    await bridge.sync()
    for operation in operations:
        assert (await bridge.store.operations.get(operation.id)).state == "done"


async def test_message_with_another_label_only_loses_this_one(gmail):
    gmail.deliver(letter(1), letter(2), letter(3))
    label(gmail, u1='"\\\\Inbox" Work', u2='"\\\\Inbox" "\\\\Important" "\\\\Starred"', u3="")
    async with gmail.bridge() as bridge:
        await bridge.sync()
        await delete(bridge, 1, 2, 3)
        assert gmail.there() == []
        assert gmail.there("Trash") == sorted([sha(letter(2)), sha(letter(3))])
        [expunged] = [command for command in gmail.line.commands if command.startswith(b"UID EXPUNGE")]
        assert expunged.strip() == b"UID EXPUNGE 1"
        assert (await bridge.run_pass()).is_quiet


async def test_message_the_server_says_nothing_of_is_not_thrown_away(gmail):
    gmail.deliver(letter(1))
    label(gmail)
    async with gmail.bridge() as bridge:
        await bridge.sync()
        await delete(bridge, 1)
        assert (gmail.there(), gmail.there("Trash")) == ([], [])


async def test_what_is_deleted_in_the_trash_goes_for_good(gmail):
    gmail.deliver(letter(1), mailbox="Trash")
    async with gmail.bridge() as bridge:
        await bridge.sync()
        ((message),) = await messages(bridge)
        await ask(bridge, message.id)
        await bridge.sync()
        assert gmail.there("Trash") == []
        assert not gmail.line.count(b"X-GM-LABELS")


@pytest.mark.parametrize("rule", [DeleteRule.TRASH, DeleteRule.MARK])
async def test_other_rules_need_no_labels(gmail, rule):
    gmail.deliver(letter(1))
    async with gmail.bridge(delete=rule) as bridge:
        await bridge.sync()
        ((message),) = await messages(bridge)
        await ask(bridge, message.id)
        await bridge.sync()
        assert not gmail.line.count(b"X-GM-LABELS")
        assert len(gmail.there("Trash")) == (rule is DeleteRule.TRASH)


async def test_server_that_is_not_gmail_is_not_asked(stage):
    stage.trash()
    stage.deliver(letter(1))
    async with stage.bridge() as bridge:
        await bridge.sync()
        await delete(bridge, 1)
        assert (stage.there(), stage.there("Trash")) == ([], [])
        assert not stage.line.count(b"X-GM-LABELS")
