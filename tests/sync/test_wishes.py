"""Verdicts on what people asked for: one each, as of what was carried out, and none forgotten."""

import pytest

from daemon.model.errors import StoreError
from daemon.model.events import EventName
from daemon.model.flags import FLAGGED, SEEN
from daemon.model.operations import OperationKind, OperationState
from daemon.model.settings import DeleteRule
from daemon.sync.wishes import Wishes
from tests.support.bridge import ACCOUNT
from tests.sync.stage import agree, ask, events, letter, messages


async def wishes_of(bridge):
    return Wishes(bridge.store, await bridge.store.operations.pending(ACCOUNT))


async def one(bridge, stage):
    stage.deliver(letter(1))
    await bridge.sync()
    ((message),) = await messages(bridge)
    return message


async def test_verdict_is_given_once(stage):
    async with stage.bridge() as bridge:
        message = await one(bridge, stage)
        operation = await ask(bridge, message.id, OperationKind.FLAGS, add={SEEN})
        wishes = await wishes_of(bridge)
        await wishes.failed(message.id, "refused", "no")
        await wishes.applied(message.id)
        ended = await bridge.store.operations.get(operation.id)
        assert (ended.state, ended.reason, ended.detail) == ("failed", "refused", "no")
        assert not wishes.pending
        names = [event.name for event in await events(bridge, EventName.OP_FAILED, EventName.OP_APPLIED)]
        assert names == [EventName.OP_FAILED]


async def test_wish_that_grew_stays_pending(stage):
    async with stage.bridge() as bridge:
        message = await one(bridge, stage)
        operation = await ask(bridge, message.id, OperationKind.FLAGS, add={SEEN})
        wishes = await wishes_of(bridge)
        await ask(bridge, message.id, OperationKind.FLAGS, add={FLAGGED})
        await bridge.store.operations.pending(ACCOUNT)
        await wishes.applied(message.id)
        assert (await bridge.store.operations.get(operation.id)).state == "pending"
        assert not await events(bridge, EventName.OP_APPLIED)


@pytest.mark.parametrize(
    ("kind", "state"), [(OperationKind.DELETE, "marked"), (OperationKind.FLAGS, "failed")]
)
async def test_removed_message_fulfils_a_deletion_and_nothing_else(stage, kind, state):
    async with stage.bridge() as bridge:
        message = await one(bridge, stage)
        operation = await ask(bridge, message.id, kind, add={SEEN} if kind is OperationKind.FLAGS else ())
        await (await wishes_of(bridge)).removed([None, message.id], OperationState.MARKED)
        assert (await bridge.store.operations.get(operation.id)).state == state


async def test_unknown_messages_have_no_wishes(stage):
    async with stage.bridge() as bridge:
        wishes = await wishes_of(bridge)
        await wishes.applied(None)
        await wishes.removed(["0" * 32])
        assert not wishes.pending


@pytest.mark.parametrize(
    ("rule", "state"), [(DeleteRule.EXPUNGE, OperationState.DONE), (DeleteRule.MARK, OperationState.MARKED)]
)
async def test_crash_between_burial_and_verdict_is_made_up_for(stage, rule, state):
    """Otherwise the operation would be pending for ever: its message is nowhere to be found."""
    async with stage.bridge(delete=rule) as bridge:
        message = await one(bridge, stage)
        operation = await ask(bridge, message.id)

        async def die(*_, **__):
            raise StoreError("power cut")

        bridge.store.operations.finish = die
        with pytest.raises(StoreError):
            await bridge.run_pass()
        assert await messages(bridge) == []
    async with stage.bridge(delete=rule) as bridge:
        await bridge.sync()
        assert (await bridge.store.operations.get(operation.id)).state == state
        assert len(await events(bridge, EventName.OP_APPLIED)) == 1


async def test_wish_that_outlived_the_index_and_its_file_fails(stage):
    """Sync.md 8: the message on the server is a new one here; deleting it was never asked for."""
    async with stage.bridge() as bridge:
        message = await one(bridge, stage)
        operation = await ask(bridge, message.id)
        (await bridge.files())[message.maildir_name].unlink()
    for path in (stage.path / "store").glob("index.sqlite3*"):
        path.unlink()
    async with stage.bridge() as bridge:
        await bridge.sync()
        ended = await bridge.store.operations.get(operation.id)
        assert (ended.state, ended.reason) == ("failed", "message_gone")
        assert len(stage.there()) == 1
        await agree(bridge, stage)


async def test_wish_follows_its_message_over_a_lost_index(stage):
    async with stage.bridge() as bridge:
        message = await one(bridge, stage)
        operation = await ask(bridge, message.id)
    for path in (stage.path / "store").glob("index.sqlite3*"):
        path.unlink()
    async with stage.bridge() as bridge:
        await bridge.sync()
        assert (await bridge.store.operations.get(operation.id)).state == "done"
        assert stage.there() == []
        await agree(bridge, stage)


async def test_pass_over_one_mailbox_gives_no_verdict_on_what_it_did_not_see(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(5), mailbox="Archive")
        await bridge.sync()
        (message,) = await messages(bridge, "Archive")
        operation = await ask(bridge, message.id)
        await bridge.run_pass(only={"INBOX"})
        assert (await bridge.store.operations.get(operation.id)).state == "pending"
        await bridge.sync()
        assert (await bridge.store.operations.get(operation.id)).state == "done"
