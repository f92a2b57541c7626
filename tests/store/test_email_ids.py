"""The server's own names for octets: kept with the messages, known by account, gone with them."""

from daemon.model.ids import INBOX
from daemon.store.email_ids import put_email_ids
from daemon.store.encoding import id_to_bytes
from tests.store.samples import ARCHIVE, HOME, VALIDITY, WORK, arrival, fill, mailbox, message_id


async def test_name_comes_with_the_arrival_and_a_later_one_without_keeps_it(store):
    await fill(store, [1], email_id="M1")
    await fill(store, [2])
    assert await store.email_ids.of([message_id(1), message_id(2)]) == {message_id(1): "M1"}
    await store.mailboxes.save(mailbox(name=ARCHIVE))
    await store.base.confirm(WORK, ARCHIVE, VALIDITY, [arrival(1)])
    assert await store.email_ids.of([message_id(1)]) == {message_id(1): "M1"}


async def test_holder_is_found_within_the_account_only(store):
    await fill(store, [1], email_id="M1")
    assert await store.email_ids.holders(WORK, ["M1", "M2"]) == {"M1": message_id(1)}
    assert await store.email_ids.holders(HOME, ["M1"]) == {}


async def test_name_goes_with_the_message(store):
    await fill(store, [1], email_id="M1")
    await store.base.remove(WORK, INBOX, [message_id(1)])
    assert await store.email_ids.of([message_id(1)]) == {}
    assert await store.email_ids.holders(WORK, ["M1"]) == {}


async def test_name_that_changes_is_the_last_one_told(store):
    await fill(store, [1], email_id="M1")
    await store._writer.index(lambda tx: put_email_ids(tx, WORK, {id_to_bytes(message_id(1)): "M2"}))
    assert await store.email_ids.of([message_id(1)]) == {message_id(1): "M2"}
