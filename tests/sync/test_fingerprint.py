"""Another server under the same account: numbers are void, mail is not (sync.md 11)."""

import contextlib

import pytest

from daemon.model.errors import StoreError
from daemon.model.events import EventName
from daemon.model.settings import Tls
from tests.support.bridge import open_bridge, settings_for
from tests.sync.stage import agree, events, letter, messages, sha


@contextlib.asynccontextmanager
async def elsewhere(stage):
    """The same account on a host of another name."""
    settings = settings_for(stage.mailbag, port=stage.line.port, tls=Tls.NONE, ca_file=None)
    async with open_bridge(
        stage.path / "store", stage.mailbag, settings=settings.model_copy(update={"host": "127.0.0.1"})
    ) as bridge:
        yield bridge


async def test_migrated_server_with_the_same_validity_and_other_numbers_loses_and_doubles_nothing(stage):
    """The worst of migrations: UIDVALIDITY was copied, the UIDs were not. By number, letter 0 would be deleted."""
    stage.deliver(*(letter(number) for number in range(5)))
    async with stage.bridge() as bridge:
        await bridge.sync()
        ids = {one.content.envelope.subject: one.id for one in await messages(bridge)}
    box = stage.box()
    validity = box.uid_validity
    kept = [message.octets for message in box.messages.values()]
    box.reset(validity)
    box.expunge(list(box.messages))
    for at, octets in reversed(list(enumerate(kept))):
        box.deliver(octets, internal_date=1_700_000_000 + at)
    async with elsewhere(stage) as bridge:
        result = await bridge.sync()
        assert (result.downloaded, result.uploaded, result.removed_here, result.expunged_there) == (
            0,
            0,
            0,
            0,
        )
        assert {one.content.envelope.subject: one.id for one in await messages(bridge)} == ids
        assert [event.data["reason"] for event in await events(bridge, EventName.MAILBOX_RESET)] == [
            "server_changed"
        ]
        await agree(bridge, stage)


async def test_empty_new_server_gets_nothing_deleted_here(stage):
    stage.deliver(letter(1), letter(2))
    async with stage.bridge() as bridge:
        await bridge.sync()
    box = stage.box()
    box.reset(box.uid_validity)
    box.expunge(list(box.messages))
    async with elsewhere(stage) as bridge:
        assert (await bridge.sync()).removed_here == 0
        assert await bridge.digests() == sorted([sha(letter(1)), sha(letter(2))])
        assert all(one.is_unmatched for one in await messages(bridge))


async def test_same_server_is_no_change(stage):
    stage.deliver(letter(1))
    for _ in range(3):
        async with stage.bridge() as bridge:
            await bridge.sync()
            assert not await events(bridge, EventName.MAILBOX_RESET)


async def test_stop_while_voiding_is_made_up_for(stage):
    stage.deliver(letter(1))
    stage.deliver(letter(2), mailbox="Archive")
    async with stage.bridge() as bridge:
        await bridge.sync()
    async with elsewhere(stage) as bridge:
        clear = bridge.store.base.clear_placements
        calls = []

        async def die_at_the_second(*args):
            calls.append(args)
            if len(calls) == 2:
                raise StoreError("power cut")
            await clear(*args)

        bridge.store.base.clear_placements = die_at_the_second
        with pytest.raises(StoreError):
            await bridge.engine.recover()
    async with elsewhere(stage) as bridge:
        assert (await bridge.sync()).downloaded == 0
        await agree(bridge, stage, "INBOX", "Archive")
