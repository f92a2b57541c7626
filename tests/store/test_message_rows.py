"""Changes that more than one room makes."""

from daemon.model.flags import SEEN
from daemon.model.ids import INBOX
from daemon.store.effects import Effect, FlagChange
from daemon.store.message_rows import apply_effect, apply_handover, remove_buried, set_hidden
from tests.store.samples import ARCHIVE, VALIDITY, WORK, arrival, event, fill, mailbox, message_id, tombstone


async def test_hand_over_is_applied_once(store):
    await fill(store, [1])
    effect = Effect(hide=(message_id(1),), events=(event(),))
    for _ in range(2):
        await store._writer.index(lambda tx: apply_handover(tx, 7000, effect))
    assert store.counts_of(WORK).total == 0
    assert len(await store.events.since(None)) == 1


async def test_effects_pass_over_unknown_messages(store):
    nobody = message_id(99)
    effect = Effect(
        hide=(nobody,),
        show=(nobody,),
        flags=(FlagChange(message_id=nobody, add=frozenset({SEEN}), remove=frozenset()),),
        bury=(nobody,),
    )
    await store._writer.index(lambda tx: apply_effect(tx, effect))


async def test_hiding_twice_counts_once(store):
    await fill(store, [1, 2])
    raw = bytes.fromhex(message_id(1))
    for _ in range(2):
        await store._writer.index(lambda tx: set_hidden(tx, [raw], is_hidden=True))
    assert store.counts_of(WORK).total == 1
    for _ in range(2):
        await store._writer.index(lambda tx: set_hidden(tx, [raw], is_hidden=False))
    assert store.counts_of(WORK).total == 2


async def test_grave_of_another_place_removes_nothing(store):
    """A message buried in one mailbox may have come back in another."""
    await fill(store, [1, 2])
    await store.mailboxes.save(mailbox(name=ARCHIVE))
    await store.base.confirm(WORK, ARCHIVE, VALIDITY, [arrival(1)])
    await store._writer.index(lambda tx: remove_buried(tx, [tombstone(1), tombstone(2)]))
    assert (await store.messages.get(message_id(1))).mailbox == ARCHIVE
    assert (await store.base.load(WORK, INBOX)).entries == ()
