"""A mailbox is selected for what is to be done in it, under the numbers that are known."""

from dataclasses import replace

import pytest

from daemon.model.errors import ServerRefused
from daemon.sync.selecting import NotSelected, same_validity, select_for_change
from tests.support.bridge import ACCOUNT
from tests.sync.stage import letter


async def opened(bridge, stage):
    stage.deliver(letter(1))
    await bridge.sync()
    return await bridge.connect(), await bridge.store.mailboxes.get(ACCOUNT, "INBOX")


async def test_selected_mailbox_is_not_selected_again(stage):
    async with stage.bridge() as bridge:
        client, record = await opened(bridge, stage)
        await select_for_change(client, record)
        sent = stage.line.count(b"SELECT")
        await select_for_change(client, record)
        assert stage.line.count(b"SELECT") == sent


async def test_other_numbers_refuse_the_change(stage):
    async with stage.bridge() as bridge:
        client, record = await opened(bridge, stage)
        with pytest.raises(NotSelected) as caught:
            await select_for_change(client, replace(record, uid_validity=1))
        assert caught.value.reason == "uidvalidity_changed"


async def test_read_only_mailbox_can_be_read_and_not_changed(stage):
    stage.line.replace(rb"\[READ-WRITE\]", b"[READ-ONLY]")
    async with stage.bridge() as bridge:
        client, record = await opened(bridge, stage)
        await select_for_change(client, record, for_reading=True)
        with pytest.raises(ServerRefused) as caught:
            await select_for_change(client, record)
        assert caught.value.reason == "read_only"


async def test_mailbox_without_a_number_takes_the_first_it_is_told_and_no_number_is_none(stage):
    async with stage.bridge() as bridge:
        _, record = await opened(bridge, stage)
        assert same_validity(replace(record, uid_validity=None), 5) == 5
        with pytest.raises(NotSelected):
            same_validity(record, None)
