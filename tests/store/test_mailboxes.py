"""Records of mailboxes."""

import dataclasses

import pytest

from daemon.model.errors import StoreError
from daemon.model.events import EventName
from daemon.model.ids import INBOX, MailboxName, ModSeq, Uid, UidValidity
from daemon.model.mailbox import MailboxCounts, SpecialUse
from daemon.model.message import MessageQuery
from tests.store.samples import ARCHIVE, HOME, WORK, event, fill, mailbox, maildir_name


async def test_record_is_read_back_whole_after_a_restart(open_store):
    store = await open_store()
    full = mailbox(
        name=MailboxName("Gelöscht/日本語"),
        wire_name=b"INBOX.Gel&APY-scht\xff",
        delimiter=".",
        special_use=SpecialUse.TRASH,
        uid_validity=UidValidity(2**32 - 1),
        uid_next=Uid(2**32 - 1),
        highest_mod_seq=ModSeq(2**63 - 1),
        message_count=5,
        is_first_pass_done=True,
        is_read_only=True,
        frozen_reason="held",
        mailbox_id="M-1",
    )
    bare = mailbox(delimiter=None, uid_validity=None)
    await store.mailboxes.save(full, bare)
    await store.close()
    store = await open_store()
    assert await store.mailboxes.list(WORK) == (full, bare)
    assert await store.mailboxes.get(WORK, full.name) == full
    assert await store.mailboxes.get(HOME, full.name) is None
    assert await store.mailboxes.list(HOME) == ()


async def test_saving_what_is_stored_writes_nothing(store):
    await store.mailboxes.save(mailbox())
    before = store.commit_count
    await store.mailboxes.save(mailbox())
    await store.mailboxes.save()
    assert store.commit_count == before
    await store.mailboxes.save(mailbox(), events=[event(EventName.MAILBOX_CREATED)])
    assert len(await store.events.since(None)) == 1


async def test_changed_record_keeps_its_messages(store):
    await fill(store, [1])
    changed = dataclasses.replace(mailbox(), uid_next=Uid(2))
    await store.mailboxes.save(changed)
    assert await store.mailboxes.get(WORK, INBOX) == changed
    assert store.counts_of(WORK).total == 1


async def test_removed_mailbox_takes_its_rows_and_counts_along(store):
    await fill(store, [1, 2])
    await fill(store, [3], name=ARCHIVE)
    await store.mailboxes.remove(WORK, INBOX, [event(EventName.MAILBOX_REMOVED)])
    await store.mailboxes.remove(WORK, INBOX)
    assert await store.mailboxes.get(WORK, INBOX) is None
    assert await store.mailboxes.counts(WORK) == {ARCHIVE: MailboxCounts(total=1, unread=1)}
    assert store.counts_of(WORK).total == 1
    assert len((await store.messages.page(MessageQuery())).items) == 1
    assert await store.messages.by_name(WORK, INBOX, maildir_name(1)) is None
    await fill(store, [1])
    assert store.counts_of(WORK).total == 2


async def test_renamed_mailbox_keeps_its_messages_their_ids_and_its_counts(store):
    await fill(store, [1, 2, 3])
    before = {one.id for one in (await store.messages.page(MessageQuery(account=WORK, limit=10))).items}
    counts = store.counts_of(WORK)
    old = (await store.mailboxes.list(WORK))[0]
    new = dataclasses.replace(
        old, name=MailboxName("Elsewhere"), wire_name=b"Elsewhere", directory=".Elsewhere"
    )
    renamed = event(EventName.MAILBOX_RENAMED, mailbox=new.name)
    for _ in range(2):
        await store.mailboxes.rename(old.name, new, [renamed])
    assert await store.mailboxes.list(WORK) == (new,)
    page = await store.messages.page(MessageQuery(account=WORK, mailbox=new.name, limit=10))
    assert {one.id for one in page.items} == before
    assert await store.mailboxes.counts(WORK) == {new.name: counts}
    assert len(await store.events.since(None, types={EventName.MAILBOX_RENAMED})) == 1


async def test_names_and_intents_follow_the_renamed_mailbox(store):
    await fill(store, [1, 2])
    old = (await store.mailboxes.list(WORK))[0]
    (one, *_) = (await store.messages.page(MessageQuery(account=WORK, limit=1))).items
    await store.intents.remember(WORK, old.name, {one.maildir_name: one.id})
    known = await store.intents.names(WORK, old.name)
    assert known
    await store.mailboxes.rename(old.name, dataclasses.replace(old, name=ARCHIVE, directory=".x"))
    assert await store.intents.names(WORK, old.name) == {}
    assert await store.intents.names(WORK, ARCHIVE) == known


async def test_name_of_another_mailbox_is_not_taken(store):
    one, other = mailbox(), mailbox(name=MailboxName("Other"), directory=".Other")
    await store.mailboxes.save(one, other)
    with pytest.raises(StoreError) as raised:
        await store.mailboxes.rename(one.name, dataclasses.replace(one, name=other.name))
    assert raised.value.reason == "mailbox_exists"
    assert {record.name for record in await store.mailboxes.list(WORK)} == {one.name, other.name}
