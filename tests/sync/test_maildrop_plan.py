"""A listing held against what was seen before."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.model.ids import MessageId
from daemon.model.maildrop import Sighting
from daemon.net.pop3.values import MaildropEntry
from daemon.store.maildrop import SightingKey
from daemon.sync import listed_ids
from daemon.sync.maildrop_plan import compare, due_for_removal, match_nameless


def listed(*pairs):
    return [MaildropEntry(number, uidl, size) for number, (uidl, size) in enumerate(pairs, 1)]


def seen(*pairs):
    return [SightingKey(number, uidl, size) for number, (uidl, size) in enumerate(pairs, 101)]


def known(comparison):
    return dict(zip(*comparison.known, strict=True))


def sighting(number=1, uidl="a", size=1, header=b"h", first_seen=0.0):
    return Sighting(
        number=number,
        uidl=uidl,
        size=size,
        sha256=b"s",
        header_sha256=header,
        message_id=MessageId("m"),
        first_seen=first_seen,
    )


def test_id_is_known_with_its_size_only():
    found = compare(listed(("a", 1), ("b", 2), ("c", 3)), seen(("a", 1), ("b", 9), ("d", 4)))
    assert known(found) == {1: 101}
    assert [entry.uidl for entry in found.unknown] == ["b", "c"]
    assert set(found.vanished) == {102, 103}


def test_repeated_id_is_known_as_often_as_it_was_seen():
    both = compare(listed(("a", 1), ("a", 1)), seen(("a", 1), ("a", 1)))
    assert known(both) == {1: 101, 2: 102}
    assert both.doubtful == {"a"}
    more = compare(listed(("a", 1), ("a", 1), ("a", 1)), seen(("a", 1), ("a", 1)))
    assert not known(more)
    assert len(more.unknown) == 3
    assert not more.vanished, "they are among those that are fetched again"
    fewer = compare(listed(("a", 1)), seen(("a", 1), ("a", 1)))
    assert known(fewer) == {1: 101}
    assert fewer.vanished == (102,)


def test_nothing_is_known_without_an_id():
    found = compare(listed((None, 1)), seen((None, 1)))
    assert (known(found), len(found.unknown), found.nameless_rows) == ({}, 1, (101,))


names = st.sampled_from(["a", "b", None])
pairs = st.lists(st.tuples(names, st.integers(1, 2)), max_size=8)


@given(pairs, pairs)
def test_each_message_is_known_or_unknown_and_no_row_is_used_twice(here, before):
    entries, rows = listed(*here), seen(*before)
    found = compare(entries, rows)
    numbers = [*known(found), *(entry.number for entry in found.unknown)]
    assert sorted(numbers) == [entry.number for entry in entries]
    used = Counter([*found.known_rows, *found.vanished])
    assert not used or max(used.values()) == 1
    by_number = {row.number: row for row in rows}
    for number, row in known(found).items():
        entry = entries[number - 1]
        assert (entry.uidl, entry.size) == (by_number[row].uidl, by_number[row].size)


def test_nameless_are_matched_by_size_and_header_one_to_one():
    entries = listed((None, 1), (None, 1), (None, 2))
    found = match_nameless(
        [(entry, b"h") for entry in entries],
        [sighting(7, None, 1), sighting(8, None, 3)],
    )
    assert {number: one.number for number, one in found.items()} == {1: 7}


def test_only_what_is_beyond_doubt_may_leave():
    entries = listed(("a", 1), ("b", 2), ("c", 3), ("c", 4), ("d", 4), (None, 5))
    found = compare(entries, seen(("a", 1), ("b", 7), ("c", 3), ("c", 4), ("d", 4), (None, 5), ("e", 1)))
    due = due_for_removal(entries, found, {101, 102, 103, 106})
    assert [(entry.uidl, row) for entry, row in due] == [("a", 101)]
    assert [entry.uidl for entry, _ in due_for_removal(entries, found, None)] == ["a", "d"]


def of_old(listed, keys):
    """The same comparison with an object for everything."""
    places, rows, seen_ids = defaultdict(list), defaultdict(list), Counter(key.uidl for key in keys)
    for entry in listed:
        places[entry.uidl, entry.size].append(entry)
    for key in keys:
        rows[key.uidl, key.size].append(key.number)
    found, unknown, vanished = {}, [], []
    for (uidl, size), here in places.items():
        partners = rows[uidl, size]
        if uidl is None or len(partners) < len(here):
            unknown.extend(here)
        else:
            found.update(zip([entry.number for entry in here], partners, strict=False))
            vanished.extend(partners[len(here) :])
    for (uidl, size), numbers in rows.items():
        if uidl is not None and (uidl, size) not in places:
            vanished.extend(numbers)
    counts = Counter(entry.uidl for entry in listed)
    doubtful = {uidl for uidl, n in counts.items() if uidl is not None and (n > 1 or seen_ids[uidl] > 1)}
    return found, unknown, vanished, doubtful


@pytest.mark.parametrize("collides", [False, True])
@given(here=pairs, before=pairs)
def test_columns_say_what_objects_say(collides, here, before):
    entries, rows = listed(*here), seen(*before)
    with pytest.MonkeyPatch.context() as patch:
        if collides:
            patch.setattr(listed_ids, "hash", len, raising=False)
        got = compare(entries, rows)
    found, unknown, vanished, doubtful = of_old(entries, rows)
    assert known(got) == found
    assert list(got.unknown) == sorted(unknown, key=lambda entry: entry.number)
    assert sorted(got.vanished) == sorted(vanished)
    assert got.doubtful == doubtful
