"""Arrivals: each may be confirmed again, and two of one UID never both."""

from daemon.model.flags import NO_FLAGS, SEEN
from daemon.model.ids import INBOX, Uid
from daemon.model.mailbox import MailboxCounts
from daemon.store.tables_index import CONTENT
from tests.store.samples import (
    ARCHIVE,
    VALIDITY,
    WORK,
    arrival,
    content,
    event,
    fill,
    mailbox,
    maildir_name,
    message_id,
    new_message,
)


async def content_count(store):
    return await store._readers.index(lambda connection: connection.execute(CONTENT.select()).all().__len__())


async def test_confirming_again_changes_nothing_and_tells_nothing_new(store):
    """A pass killed between its commit and the end of its intents does the same again."""
    await store.mailboxes.save(mailbox())
    for _ in range(3):
        refused = await store.base.confirm(
            WORK, INBOX, VALIDITY, [arrival(1), arrival(2)], [new_message(1), new_message(2)]
        )
        assert refused == frozenset()
    assert store.counts_of(WORK) == MailboxCounts(total=2, unread=2)
    assert len((await store.base.load(WORK, INBOX)).entries) == 2
    assert len(await store.events.since(None)) == 2
    assert await content_count(store) == 2


async def test_other_events_of_a_repetition_are_told(store):
    await fill(store, [1])
    await store.base.confirm(WORK, INBOX, VALIDITY, [arrival(1)], [new_message(1), event()])
    assert [each.name.value for each in await store.events.since(None)] == ["sync.finished"]


async def test_uid_held_by_another_message_refuses_the_arrival(store):
    await fill(store, [1])
    refused = await store.base.confirm(
        WORK, INBOX, VALIDITY, [arrival(5, uid=1), arrival(6)], [new_message(5), new_message(6)]
    )
    assert refused == {message_id(5)}
    assert await store.messages.by_name(WORK, INBOX, maildir_name(5)) is None
    assert [each.message_id for each in await store.events.since(None)] == [message_id(6)]
    assert store.counts_of(WORK).total == 2


async def test_two_arrivals_of_one_uid_in_one_batch_are_one(store):
    await store.mailboxes.save(mailbox())
    refused = await store.base.confirm(WORK, INBOX, VALIDITY, [arrival(5, uid=1), arrival(6, uid=1)])
    assert refused == {message_id(6)}


async def test_known_name_under_another_id_keeps_its_id(store):
    await fill(store, [1])
    refused = await store.base.confirm(
        WORK, INBOX, VALIDITY, [arrival(9, uid=7, maildir_name=maildir_name(1), flags=frozenset({SEEN}))]
    )
    assert refused == frozenset()
    message = await store.messages.by_name(WORK, INBOX, maildir_name(1))
    assert message is not None
    assert (message.id, message.uid, message.flags) == (message_id(1), 7, {SEEN})
    assert store.counts_of(WORK) == MailboxCounts(total=1, unread=0)


async def test_known_message_in_another_mailbox_has_moved(store):
    await fill(store, [1, 2])
    await store.mailboxes.save(mailbox(name=ARCHIVE))
    await store.base.confirm(
        WORK, ARCHIVE, VALIDITY, [arrival(1, uid=50, maildir_name=maildir_name(77))], [event()]
    )
    message = await store.messages.get(message_id(1))
    assert (message.mailbox, message.uid, message.maildir_name) == (ARCHIVE, 50, maildir_name(77))
    assert [entry.message_id for entry in (await store.base.load(WORK, INBOX)).entries] == [message_id(2)]
    counts = await store.mailboxes.counts(WORK)
    assert {name: each.total for name, each in counts.items()} == {INBOX: 1, ARCHIVE: 1}


async def test_octets_of_two_messages_are_one_content_until_neither_is_left(store):
    await store.mailboxes.save(mailbox())
    await store.base.confirm(WORK, INBOX, VALIDITY, [arrival(1), arrival(2, content=content(1)), arrival(3)])
    assert await content_count(store) == 2
    await store.base.remove(WORK, INBOX, [message_id(1)])
    assert await content_count(store) == 2
    await store.base.remove(WORK, INBOX, [message_id(2)])
    assert await content_count(store) == 1


async def test_content_that_a_message_lost_is_dropped(store):
    await fill(store, [1])
    await store.base.confirm(WORK, INBOX, VALIDITY, [arrival(1, content=content(42))])
    assert (await store.messages.get(message_id(1))).content == content(42)
    assert await content_count(store) == 1


async def test_message_that_began_here_may_have_no_uid_yet(store):
    await fill(store, [1, 2], uid=None)
    assert {entry.uid for entry in (await store.base.load(WORK, INBOX)).entries} == {None}
    await store.base.confirm(WORK, INBOX, VALIDITY, [arrival(1, uid=Uid(3))])
    assert (await store.messages.get(message_id(1))).uid == 3


async def test_batches_beyond_one_statement_are_whole(store):
    await fill(store, range(1, 1302))
    assert store.counts_of(WORK).total == 1301
    await fill(store, range(1, 1302), flags=NO_FLAGS)
    assert store.counts_of(WORK).total == 1301


async def test_no_arrivals_is_no_error(store):
    await store.mailboxes.save(mailbox())
    assert await store.base.confirm(WORK, INBOX, VALIDITY, [], [event()]) == frozenset()
    assert len(await store.events.since(None)) == 1
