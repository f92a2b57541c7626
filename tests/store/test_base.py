"""Base views and the confirmations that move them."""

import pytest

from daemon.model.errors import NotFound
from daemon.model.flags import FLAGGED, NO_FLAGS, SEEN, Flag
from daemon.model.ids import INBOX, AccountId, ModSeq, Uid, UidValidity
from daemon.model.views import BaseEntry, BaseState
from daemon.store.base import FlagUpdate
from tests.store.samples import (
    ARCHIVE,
    HOME,
    VALIDITY,
    WORK,
    arrival,
    content,
    event,
    fill,
    mailbox,
    maildir_name,
    message_id,
    new_intent,
    tombstone,
)


async def entries(store, name=INBOX):
    view = await store.base.load(WORK, name)
    return {entry.message_id or entry.uid: entry for entry in view.entries}


async def test_view_of_an_unknown_mailbox_is_empty(store):
    view = await store.base.load(WORK, INBOX)
    assert (view.uid_validity, view.entries) == (None, ())


async def test_confirmed_messages_are_in_the_view(store):
    await store.mailboxes.save(mailbox(uid_next=Uid(9), highest_mod_seq=ModSeq(2**62)))
    await store.base.confirm(
        WORK,
        INBOX,
        VALIDITY,
        [
            arrival(7, flags=frozenset({SEEN, Flag("$Junk")}), base_flags=frozenset({SEEN})),
            arrival(3, content=content(3, bare_lf=True)),
            arrival(5, uid=None),
        ],
    )
    view = await store.base.load(WORK, INBOX)
    assert (view.uid_validity, view.uid_next, view.highest_mod_seq) == (VALIDITY, 9, 2**62)
    assert view.entries == (
        BaseEntry(
            message_id=message_id(5), uid=None, maildir_name=maildir_name(5), flags=NO_FLAGS, wire_size=1005
        ),
        BaseEntry(
            message_id=message_id(3), uid=Uid(3), maildir_name=maildir_name(3), flags=NO_FLAGS, wire_size=1010
        ),
        BaseEntry(
            message_id=message_id(7),
            uid=Uid(7),
            maildir_name=maildir_name(7),
            flags=frozenset({SEEN}),
            wire_size=1007,
        ),
    )


async def test_entry_under_another_uidvalidity_has_lost_its_uid(store):
    """Nothing may act on UIDs of a numbering that is gone, and nothing may take such a file for a new one."""
    await fill(store, [1])
    await store.base.record_failed(WORK, INBOX, VALIDITY, Uid(9), NO_FLAGS, "refused", None)
    await store.mailboxes.save(mailbox(uid_validity=UidValidity(18)))
    assert await entries(store) == {
        message_id(1): BaseEntry(
            message_id=message_id(1),
            uid=None,
            maildir_name=maildir_name(1),
            flags=NO_FLAGS,
            state=BaseState.UNMATCHED,
            wire_size=1001,
        )
    }
    assert (await store.messages.get(message_id(1))).uid is None


async def test_flags_are_recorded_on_both_sides(store):
    await fill(store, [1, 2, 3])
    await store.base.record_flags(
        WORK,
        INBOX,
        [
            FlagUpdate(
                message_id=message_id(1), flags=frozenset({SEEN}), base_flags=frozenset({SEEN, FLAGGED})
            ),
            FlagUpdate(message_id=message_id(2), flags=frozenset({FLAGGED})),
            FlagUpdate(message_id=message_id(3), base_flags=frozenset({SEEN}), mod_seq=ModSeq(5)),
            FlagUpdate(message_id=message_id(99), flags=frozenset({SEEN}), base_flags=frozenset({SEEN})),
        ],
        [event()],
    )
    shown = [(await store.messages.get(message_id(number))).flags for number in (1, 2, 3)]
    assert shown == [{SEEN}, {FLAGGED}, NO_FLAGS]
    found = await entries(store)
    assert [found[message_id(number)].flags for number in (1, 2, 3)] == [{SEEN, FLAGGED}, NO_FLAGS, {SEEN}]
    assert store.counts_of(WORK).unread == 2
    assert len(await store.events.since(None)) == 1


async def test_cleared_mailbox_keeps_its_messages_unmatched_until_bound(store):
    await fill(store, [1, 2])
    await fill(store, [10], name=ARCHIVE)
    await store.base.record_failed(WORK, INBOX, VALIDITY, Uid(9), NO_FLAGS, "refused", None)
    await store.base.clear_placements(WORK, INBOX)
    found = await entries(store)
    assert {key: (entry.uid, entry.state) for key, entry in found.items()} == {
        message_id(1): (None, BaseState.UNMATCHED),
        message_id(2): (None, BaseState.UNMATCHED),
    }
    assert (await entries(store, ARCHIVE))[message_id(10)].uid == 10
    assert (await store.messages.get(message_id(1))).is_unmatched
    fresh = UidValidity(18)
    await store.mailboxes.save(mailbox(uid_validity=fresh))
    await store.base.bind(
        WORK,
        INBOX,
        fresh,
        [
            (message_id(1), Uid(2), BaseState.SYNCED, frozenset({SEEN})),
            (message_id(2), None, BaseState.UNMATCHED, None),
            (message_id(99), Uid(3), BaseState.SYNCED, None),
        ],
        [event()],
    )
    found = await entries(store)
    assert {key: (entry.uid, entry.state, entry.flags) for key, entry in found.items()} == {
        message_id(1): (2, BaseState.SYNCED, {SEEN}),
        message_id(2): (None, BaseState.UNMATCHED, NO_FLAGS),
    }


async def test_binding_takes_the_uid_of_whatever_stood_there(store):
    await fill(store, [1, 2, 3])
    await store.base.record_failed(WORK, INBOX, VALIDITY, Uid(9), NO_FLAGS, "refused", None)
    await store.base.bind(
        WORK,
        INBOX,
        VALIDITY,
        [(message_id(1), Uid(9), BaseState.SYNCED, None), (message_id(3), Uid(2), BaseState.SYNCED, None)],
    )
    found = {key: (entry.uid, entry.state) for key, entry in (await entries(store)).items()}
    assert found == {
        message_id(1): (9, BaseState.SYNCED),
        message_id(2): (None, BaseState.UNMATCHED),
        message_id(3): (2, BaseState.SYNCED),
    }


async def test_bindings_that_swap_uids_are_possible(store):
    await fill(store, [1, 2])
    await store.base.bind(
        WORK,
        INBOX,
        VALIDITY,
        [(message_id(1), Uid(2), BaseState.SYNCED, None), (message_id(2), Uid(1), BaseState.SYNCED, None)],
    )
    assert {key: entry.uid for key, entry in (await entries(store)).items()} == {
        message_id(1): 2,
        message_id(2): 1,
    }


async def test_marked_message_leaves_its_uid_behind_and_can_come_back(store):
    await fill(store, [1, 2])
    await store.base.set_state(WORK, INBOX, message_id(1), BaseState.MARKED)
    await store.tombstones.bury([tombstone(1), tombstone(2)])
    (left,) = (await store.base.load(WORK, INBOX)).entries
    assert (left.uid, left.state, left.maildir_name) == (1, BaseState.MARKED, None)
    await store.base.confirm(WORK, INBOX, VALIDITY, [arrival(8, uid=1)])
    assert (await entries(store))[message_id(8)].state is BaseState.SYNCED
    await store.base.set_state(WORK, INBOX, message_id(99), BaseState.MARKED)


async def test_marked_uid_is_removed_by_uid_and_by_a_reset(store):
    for act in ("uid", "reset"):
        await fill(store, [1])
        await store.base.set_state(WORK, INBOX, message_id(1), BaseState.MARKED)
        await store.tombstones.bury([tombstone(1)])
        if act == "uid":
            await store.base.remove(WORK, INBOX, uids=[Uid(1)])
        else:
            await store.base.clear_placements(WORK, INBOX)
        assert await entries(store) == {}


async def test_messages_are_removed_by_id_and_by_uid(store):
    await fill(store, range(1, 8))
    await fill(store, range(11, 13), name=ARCHIVE)
    await store.base.remove(
        WORK, INBOX, [message_id(1), message_id(99)], [Uid(2), Uid(77), Uid(11)], [event()]
    )
    assert sorted(await entries(store)) == [message_id(number) for number in range(3, 8)]
    assert len(await entries(store, ARCHIVE)) == 2
    with pytest.raises(NotFound):
        await store.messages.get(message_id(2))
    assert store.counts_of(WORK).total == 7
    await store.base.remove(HOME, INBOX, uids=[Uid(3)])
    assert store.counts_of(WORK).total == 7


async def test_removal_from_one_mailbox_leaves_a_message_that_is_in_another_and_its_end_untold(store):
    await fill(store, [1, 2])
    await fill(store, [2], name=ARCHIVE)
    await store.base.remove(WORK, INBOX, [message_id(1), message_id(2)])
    assert await entries(store) == {}
    assert list(await entries(store, ARCHIVE)) == [message_id(2)]


async def test_removed_messages_are_forgotten_by_name_soon(store):
    await fill(store, [1, 2])
    intents = await store.intents.open([new_intent(1), new_intent(2)])
    await store.intents.close([intent.id for intent in intents])
    await store.base.remove(WORK, INBOX, uids=[Uid(1)])
    await store.facts.set(None, "any", "state transaction")
    assert await store.intents.names(WORK, INBOX) == {maildir_name(2): message_id(2)}


async def test_unknown_mailbox_is_refused(store):
    with pytest.raises(NotFound) as refused:
        await store.base.confirm(WORK, INBOX, VALIDITY, [arrival(1)])
    assert refused.value.reason == "mailbox_unknown"


async def test_messages_set_aside_are_told_for_their_account(store):
    await fill(store, [1, 2])
    assert await store.base.aside(WORK) == frozenset()
    await store.base.set_state(WORK, INBOX, message_id(1), BaseState.ASIDE)
    assert await store.base.aside(WORK) == {message_id(1)}
    assert await store.base.aside(AccountId("other")) == frozenset()
    await store.base.confirm(WORK, INBOX, VALIDITY, [arrival(1)])
    assert await store.base.aside(WORK) == frozenset(), "confirmed anew it is here and there"
