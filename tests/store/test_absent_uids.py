"""UIDs without a message here: known, so that nothing below a mark is forgotten, and settled when it comes."""

from daemon.model.flags import DELETED, NO_FLAGS, SEEN
from daemon.model.ids import INBOX, Uid
from daemon.model.views import BaseEntry, BaseState
from tests.store.samples import VALIDITY, WORK, arrival, fill, mailbox, message_id


async def entries(store):
    view = await store.base.load(WORK, INBOX)
    return {entry.message_id or entry.uid: entry for entry in view.entries}


async def test_failed_uid_is_kept_with_its_retry_and_settled_by_an_arrival(store):
    await store.mailboxes.save(mailbox())
    await store.base.record_failed(WORK, INBOX, VALIDITY, Uid(4), frozenset({SEEN}), "refused", 1.5)
    await store.base.record_failed(WORK, INBOX, VALIDITY, Uid(4), frozenset({SEEN}), "refused", 2.5)
    assert await entries(store) == {
        4: BaseEntry(
            message_id=None,
            uid=Uid(4),
            maildir_name=None,
            flags=frozenset({SEEN}),
            state=BaseState.FAILED,
            retry_at=2.5,
        )
    }
    await store.base.confirm(WORK, INBOX, VALIDITY, [arrival(4)])
    assert [entry.state for entry in (await entries(store)).values()] == [BaseState.SYNCED]
    await store.base.record_failed(WORK, INBOX, VALIDITY, Uid(4), NO_FLAGS, "refused", None)
    assert list(await entries(store)) == [message_id(4)]


async def test_uid_left_out_by_decision_is_known_until_the_message_comes_back(store):
    await fill(store, [1])
    marks = {Uid(1): NO_FLAGS, Uid(4): frozenset({DELETED})}
    for _ in range(2):
        await store.base.record_marked(WORK, INBOX, VALIDITY, marks)
    found = await entries(store)
    assert found.pop(message_id(1)).state is BaseState.SYNCED, "a UID that has a message keeps it"
    assert found == {
        4: BaseEntry(
            message_id=None,
            uid=Uid(4),
            maildir_name=None,
            flags=frozenset({DELETED}),
            state=BaseState.MARKED,
        )
    }
    await store.base.confirm(WORK, INBOX, VALIDITY, [arrival(4)])
    assert [entry.state for entry in (await entries(store)).values()] == [BaseState.SYNCED] * 2
