"""Samples: messages under their UIDs, with their sizes and dates, and nothing else in their place."""

import pytest

from daemon.sync.samples import SAMPLES, is_same_mailbox
from tests.sync.stage import INBOX, letter, open_stage


async def compare(stage, change):
    """What the samples say after `change` was done to a mailbox that we know as INBOX."""
    async with stage.bridge() as bridge:
        stage.deliver(*(letter(number, "x" * number) for number in range(40)), mailbox="A")
        await bridge.sync()
        stage.user.rename("A", "B")
        change(stage.box("B"))
        client = await bridge.connect()
        await client.unselect()
        record = await bridge.store.mailboxes.get(bridge.settings.id, "A")
        (remote,) = [one for one in await client.list_mailboxes() if one.name == "B"]
        verdict = await is_same_mailbox(client, bridge.store, record, remote)
        assert client.selection is None
        return verdict


def nothing(box):
    pass


def third_gone(box):
    box.expunge(list(box.messages)[:13])


def most_gone(box):
    box.expunge(list(box.messages)[:35])


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        (nothing, True),
        (third_gone, True),
        (most_gone, False),
        (lambda box: box.reset(99), False),
        (lambda box: box.expunge(list(box.messages)), False),
    ],
    ids=["same", "some_expunged", "most_expunged", "other_validity", "empty"],
)
async def test_samples_tell_whether_it_is_the_same(stage, change, is_same):
    assert await compare(stage, change) is is_same


async def test_other_message_under_a_uid_is_another_mailbox(stage):
    def change(box):
        validity, count = box.uid_validity, len(box.messages)
        box.expunge(list(box.messages))
        box.reset(validity)
        for number in range(count):
            box.deliver(letter(number, "y" * (number + 1)), internal_date=5)

    assert await compare(stage, change) is False


async def test_without_messages_there_is_nothing_to_prove(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        client = await bridge.connect()
        record = await bridge.store.mailboxes.get(bridge.settings.id, INBOX)
        (remote,) = await client.list_mailboxes()
        sent = len(stage.line.commands)
        assert await is_same_mailbox(client, bridge.store, record, remote) is False
        assert len(stage.line.commands) == sent


async def test_few_messages_are_asked_for(tmp_path):
    async with open_stage(tmp_path) as stage:
        await compare(stage, nothing)
        (fetch,) = [command for command in stage.line.commands[-3:] if command.startswith(b"UID FETCH")]
        assert fetch.split()[2].count(b",") + 1 <= SAMPLES
