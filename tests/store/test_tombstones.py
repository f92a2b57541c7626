"""Removed by decision: remembered, and never revived."""

import pytest

from daemon.model.errors import NotFound
from daemon.model.ids import INBOX
from tests.store.samples import (
    ARCHIVE,
    HOME,
    WORK,
    event,
    fill,
    ids_of,
    maildir_name,
    message_id,
    new_intent,
    tombstone,
)


async def test_burial_removes_the_rows_and_tells_it(store):
    await fill(store, [1, 2])
    await store.tombstones.bury([tombstone(1)], [event()])
    with pytest.raises(NotFound):
        await store.messages.get(message_id(1))
    assert [entry.message_id for entry in (await store.base.load(WORK, INBOX)).entries] == [message_id(2)]
    assert store.counts_of(WORK).total == 1
    assert len(await store.events.since(None)) == 1


async def test_tombstones_are_found_by_name_and_by_what_is_left_to_unlink(open_store):
    store = await open_store()
    bare = tombstone(2, uid=None, uid_validity=None, is_unlink_pending=False)
    await store.tombstones.bury(
        [tombstone(1), bare, tombstone(3, mailbox=ARCHIVE), tombstone(4, account=HOME)]
    )
    await store.close()
    store = await open_store()
    assert await store.tombstones.find(WORK, INBOX) == {maildir_name(1): tombstone(1), maildir_name(2): bare}
    assert len(await store.tombstones.pending_unlinks(WORK)) == 2
    await store.tombstones.unlinked(WORK, [(INBOX, maildir_name(1)), (ARCHIVE, maildir_name(3))])
    await store.tombstones.unlinked(WORK, [])
    assert await store.tombstones.pending_unlinks(WORK) == ()
    assert await store.tombstones.pending_unlinks(HOME) == (tombstone(4, account=HOME),)
    assert not (await store.tombstones.find(WORK, INBOX))[maildir_name(1)].is_unlink_pending


async def test_burying_again_changes_nothing(store):
    await fill(store, [1])
    for _ in range(2):
        await store.tombstones.bury([tombstone(1)])
    assert await store.tombstones.find(WORK, INBOX) == {maildir_name(1): tombstone(1)}
    await store.tombstones.bury([])


async def test_buried_names_are_no_messages_any_more(store):
    await store.intents.close(ids_of(await store.intents.open([new_intent(1), new_intent(2)])))
    await store.tombstones.bury([tombstone(1)])
    assert await store.intents.names(WORK, INBOX) == {maildir_name(2): message_id(2)}


async def test_many_are_buried_at_once(store):
    await fill(store, range(1, 1301))
    await store.tombstones.bury([tombstone(number) for number in range(1, 1301)])
    assert store.counts_of(WORK).total == 0
    await store.tombstones.unlinked(WORK, [(INBOX, maildir_name(number)) for number in range(1, 1301)])
    assert await store.tombstones.pending_unlinks(WORK) == ()
