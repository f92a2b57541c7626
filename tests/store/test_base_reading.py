"""Parts of base are what all of it says about the same messages, by whatever name they are asked for."""

import pytest
import sqlalchemy

from daemon.model.flags import NO_FLAGS, SEEN
from daemon.model.ids import INBOX, Uid, UidValidity
from daemon.model.uidset import UidSet
from daemon.model.views import BaseState
from daemon.store.base import Wanted
from daemon.store.base_reading import MOST_ENTRIES, load_part
from tests.store.samples import ARCHIVE, VALIDITY, WORK, arrival, mailbox, maildir_name, message_id


@pytest.fixture
async def filled(store):
    """Twenty messages, one that failed, one marked; and one of the same UID elsewhere."""
    await store.mailboxes.save(mailbox(), mailbox(name=ARCHIVE))
    arrivals = [arrival(number, flags=frozenset({SEEN})) for number in range(1, 21)]
    await store.base.confirm(WORK, INBOX, VALIDITY, arrivals)
    await store.base.confirm(WORK, ARCHIVE, VALIDITY, [arrival(50, uid=3)])
    await store.base.record_failed(WORK, INBOX, VALIDITY, Uid(30), NO_FLAGS, "refused", 5.0)
    await store.base.set_state(WORK, INBOX, message_id(20), BaseState.MARKED)
    return store


async def uids(store, **wanted):
    part = await store.base.load_part(WORK, INBOX, Wanted(**wanted))
    return [entry.uid for entry in part.view.entries]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"names": [maildir_name(3), maildir_name(50), "unknown"]}, [3]),
        ({"message_ids": [message_id(4), message_id(50), message_id(99)]}, [4]),
        ({"uids": UidSet([5, 6, 7, 9, 29, 30])}, [5, 6, 7, 9, 30]),
        ({"names": [maildir_name(2)], "message_ids": [message_id(2)], "uids": UidSet([2])}, [2]),
        ({}, []),
    ],
)
async def test_part_has_what_was_asked_for_once(filled, wanted, found) -> None:
    assert await uids(filled, **wanted) == found


async def test_entries_of_a_part_are_those_of_the_whole(filled) -> None:
    whole = await filled.base.load(WORK, INBOX)
    part = await filled.base.load_part(WORK, INBOX, Wanted(uids=UidSet.from_ranges([(1, 1000)])))
    assert part.view == whole
    assert not part.has_void


async def test_entries_without_a_place_are_told_of(filled) -> None:
    await filled.base.bind(WORK, INBOX, VALIDITY, [(message_id(7), None, BaseState.UNMATCHED, None)])
    assert (await filled.base.load_part(WORK, INBOX, Wanted())).has_void
    assert not (await filled.base.load_part(WORK, ARCHIVE, Wanted())).has_void


@pytest.mark.parametrize("other", [VALIDITY - 1, VALIDITY + 1])
async def test_entries_of_another_numbering_are_void(filled, other: int) -> None:
    await filled.mailboxes.save(mailbox(uid_validity=UidValidity(other)))
    part = await filled.base.load_part(WORK, INBOX, Wanted(names=[maildir_name(3)], uids=UidSet([4])))
    assert [(entry.uid, entry.state) for entry in part.view.entries] == [(None, BaseState.UNMATCHED)]
    assert part.has_void


async def test_too_much_is_not_read(filled) -> None:
    names = [maildir_name(number) for number in range(MOST_ENTRIES + 1)]
    assert await filled.base.load_part(WORK, INBOX, Wanted(names=names)) is None
    assert await filled.base.load_part(WORK, INBOX, Wanted(names=names[1:])) is not None


async def test_counts_tell_places_and_messages_on_both_sides(filled) -> None:
    counts = await filled.base.count(WORK, INBOX)
    assert (counts.placed, counts.synced) == (21, 19)
    nowhere = await filled.base.count(WORK, "Nowhere")
    assert (nowhere.placed, nowhere.synced) == (0, 0)


async def test_unknown_mailbox_has_no_part(store) -> None:
    part = await store.base.load_part(WORK, INBOX, Wanted(names=[maildir_name(1)]))
    assert (part.view, part.has_void) == (await store.base.load(WORK, INBOX), False)


async def test_parts_are_found_by_index(filled) -> None:
    """A walk over a table would cost the mailbox, or all of them."""
    wanted = Wanted(names=[maildir_name(1)], message_ids=[message_id(2)], uids=UidSet([3, 5, 6]))

    def plans(connection):
        sent = []

        def note(_connection, _cursor, statement, parameters, _context, _many):
            sent.append((statement, parameters))

        sqlalchemy.event.listen(connection, "before_cursor_execute", note)
        load_part(connection, WORK, INBOX, wanted)
        sqlalchemy.event.remove(connection, "before_cursor_execute", note)
        asked = [("EXPLAIN QUERY PLAN " + statement, parameters) for statement, parameters in sent]
        return [row[-1] for one in asked for row in connection.exec_driver_sql(*one)]

    steps = await filled.base._readers.index(plans)
    assert len(steps) > 4
    assert not [step for step in steps if step.startswith("SCAN")]
    assert not [step for step in steps if step.endswith("(mailbox_id=?)")], "all rows of the mailbox"
