"""Sets of UIDs: ranges, wire form, splitting."""

import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.model.uidset import MAX_UID, UidSet, UidSetBuilder

uids = st.sets(st.integers(1, 400))


@given(uids)
def test_set_behaves_as_the_set_of_its_uids(numbers):
    made = UidSet(numbers)
    assert list(made) == sorted(numbers)
    assert len(made) == len(numbers)
    assert all((number in made) == (number in numbers) for number in range(402))
    assert bool(made) == bool(numbers)


@given(uids.filter(bool))
def test_wire_form_round_trips_and_is_ascending(numbers):
    made = UidSet(numbers)
    assert UidSet.parse(str(made)) == made
    starts = [int(part.split(":")[0]) for part in str(made).split(",")]
    assert starts == sorted(starts)


@given(uids, uids)
def test_union_is_the_union(first, second):
    assert UidSet(first) | UidSet(second) == UidSet(first | second)


@given(uids.filter(bool), st.integers(1, 50))
def test_chunks_cover_everything_and_keep_their_size(numbers, most):
    parts = list(UidSet(numbers).chunks(most))
    assert [uid for part in parts for uid in part] == sorted(numbers)
    assert all(len(part) <= most for part in parts)
    assert all(len(part) == most for part in parts[:-1])


@given(uids.filter(bool), st.integers(8, 60))
def test_split_keeps_commands_short_and_loses_nothing(numbers, most):
    parts = list(UidSet(numbers).split(most))
    assert [uid for part in parts for uid in part] == sorted(numbers)
    assert all(len(str(part)) <= most for part in parts)


def test_descending_ranges_are_read_and_written_ascending():
    assert str(UidSet.parse("1593:1580")) == "1580:1593"


@pytest.mark.parametrize("text", ["", "*", "1:*", "0", "1,,2", "a", "1:", "-1", "²", str(MAX_UID + 1), "1 2"])
def test_what_is_no_uid_set_is_refused(text):
    with pytest.raises(ValueError, match="UID"):
        UidSet.parse(text)


def test_two_billion_uids_cost_one_range():
    made = UidSet.parse(f"1:{MAX_UID}")
    assert len(made) == MAX_UID
    assert made.ranges == ((1, MAX_UID),)
    assert hash(made) == hash(UidSet.from_ranges([(1, 5), (6, MAX_UID)]))


@given(st.lists(st.tuples(st.integers(1, 90), st.integers(1, 90)), max_size=30))
def test_ranges_in_any_order_are_joined(ranges):
    made = UidSet.from_ranges(ranges)
    expected = {uid for low, high in ranges for uid in range(min(low, high), max(low, high) + 1)}
    assert list(made) == sorted(expected)
    assert made == UidSet(expected)
    assert hash(made) == hash(UidSet(expected))
    assert all(second[0] > first[1] + 1 for first, second in itertools.pairwise(made.ranges))
    assert made.range_count == len(made.ranges)


@given(st.lists(uids, max_size=5))
def test_union_of_many_is_the_union(sets):
    assert UidSet.union(map(UidSet, sets)) == UidSet(set().union(*sets))


def test_builder_is_empty_after_its_set_was_made():
    builder = UidSetBuilder()
    builder.add(5, 9)
    builder.add(1, 2)
    assert len(builder) == 2
    assert builder.build() == UidSet([1, 2, 5, 6, 7, 8, 9])
    assert len(builder) == 0
    assert builder.build() == UidSet()


def test_million_separate_uids_cost_eight_bytes_each():
    tracemalloc.start()
    try:
        made = UidSet(range(1, 2_000_001, 2))
        assert tracemalloc.get_traced_memory()[0] < 10_000_000
    finally:
        tracemalloc.stop()
    assert len(made) == made.range_count == 1_000_000
