"""Long sets of numbers are read as they come: same value as a short line, in little memory."""

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.model.errors import RemoteProtocolError
from daemon.model.uidset import UidSet
from daemon.wire.imap import data, number_lines
from daemon.wire.imap.limits import MIB, Limits
from daemon.wire.imap.number_lines import NumberLine
from daemon.wire.imap.responses import EsearchData, SearchData, Vanished

HEADS = {
    b"* SEARCH ": SearchData,
    b"* sort ": SearchData,
    b'* ESEARCH (TAG "A1") UID ALL ': EsearchData,
    b"* ESEARCH UID COUNT 3 MODSEQ 9 ALL ": EsearchData,
    b"* VANISHED ": Vanished,
    b"* vanished (Earlier) ": Vanished,
}


def read(portions):
    line = NumberLine()
    for portion in portions:
        line.feed(portion)
    return data.parse_numbers(line)


def cut(line, cuts):
    """The first portion has the head: the framer sees to that."""
    first = number_lines._START.match(line).end() + 1
    ends = [first, *sorted(first + at % (len(line) - first + 1) for at in cuts), len(line)]
    return [line[a:b] for a, b in zip([0, *ends], ends, strict=False)]


@given(
    st.sampled_from(sorted(HEADS)),
    st.lists(st.integers(1, 2**32 - 1), min_size=1, max_size=40),
    st.lists(st.integers(0, 400)),
    st.sampled_from([b"", b" (MODSEQ 77)"]),
)
def test_any_portions_give_the_set_of_the_whole_line(head, numbers, cuts, rest):
    kind = HEADS[head]
    line = head + (b" " if kind is SearchData else b",").join(b"%d" % number for number in numbers)
    line += (
        rest
        if kind is SearchData
        else b" MODSEQ 77"
        if kind is EsearchData and b"MODSEQ" not in head
        else b""
    )
    for portions in (cut(line, cuts), cut(line + b"\r", cuts), [line]):
        found = read(portions)
        assert type(found) is kind
        assert found.uids == UidSet(numbers)
        if kind is Vanished:
            assert found.is_earlier == (b"arlier" in head)
        elif kind is EsearchData:
            assert found.mod_seq == (9 if b"MODSEQ 9" in head else 77)
        else:
            assert found.mod_seq == (77 if rest else None)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"* VANISHED 1,2,,3", "qresync_malformed"),
        (b"* VANISHED 1,0", "qresync_malformed"),
        (b"* VANISHED 1,2,", "qresync_malformed"),
        (b"* VANISHED 1,2 x", "qresync_malformed"),
        (b"* VANISHED 1,4294967296,3", "qresync_malformed"),
        (b"* VANISHED 1," + b"9" * 5000, "qresync_malformed"),
        (b"* ESEARCH ALL 1:2:3,4", "esearch_malformed"),
        (b"* SEARCH 1 2,3", "protocol"),
        (b"* SEARCH 1 0 2", "protocol"),
        (b"* SEARCH 1 (MODSEQ x)", "protocol"),
        (b"* SEARCH 1 (" + b"x" * 5000, "protocol"),
    ],
)
def test_what_cannot_be_read_is_told_at_the_end_in_any_portions(line, reason):
    for width in (1, 7, len(line)):
        start = number_lines._START.match(line).end() + 1
        portions = [line[:start], *(line[at : at + width] for at in range(start, len(line), width))]
        with pytest.raises(RemoteProtocolError) as caught:
            read(portions)
        assert caught.value.reason == reason


def test_million_uids_of_which_none_follows_another_cost_eight_bytes_each(logged_in):
    """sync.md 23: 16 MiB of VANISHED, as a stream."""
    connection = logged_in(selected=True)
    text = (
        b"* VANISHED (EARLIER) "
        + b",".join(b"%d" % uid for uid in range(10**9, 10**9 + 2_800_000, 2))
        + b"\r\n"
    )
    assert 14 * MIB < len(text) < 16 * MIB
    portions = [bytearray(text[at : at + 65536]) for at in range(0, len(text), 65536)]
    tracemalloc.start()
    try:
        found = [event for portion in portions for event in connection.receive(portion)]
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [event.uids.range_count for event in found] == [1_400_000]
    assert kept < 14 * MIB
    assert most < 32 * MIB


def test_long_line_at_random_splits_is_one_event_with_one_value(logged_in):
    chance = random.Random(5)
    uids = sorted(chance.sample(range(1, 10**7), 30_000))
    line = b"* SEARCH " + b" ".join(b"%d" % uid for uid in uids) + b" (MODSEQ 5)\r\n"
    assert len(line) > Limits().status_line_bytes
    for _ in range(10):
        ends = [*sorted(chance.choices(range(len(line)), k=chance.randrange(12))), len(line)]
        connection = logged_in(selected=True)
        found = [e for a, b in zip([0, *ends], ends, strict=False) for e in connection.receive(line[a:b])]
        assert found == [SearchData(uids=UidSet(uids), mod_seq=5)]


def test_hundred_thousand_numbers_without_order_are_refused():
    """Sorting them would hold up every other account."""
    numbers = list(range(1, 2 * number_lines.MOST_UNORDERED + 4, 2))
    for uids, is_taken in ((numbers, True), (numbers[::-1], False), (numbers[:1000][::-1], True)):
        line = b"* VANISHED " + b",".join(b"%d" % uid for uid in uids)
        if is_taken:
            assert read([line]).uids == UidSet(uids)
            continue
        with pytest.raises(RemoteProtocolError) as caught:
            read([line])
        assert caught.value.reason == "qresync_malformed"


def test_numbers_without_any_order_are_not_even_kept(monkeypatch):
    monkeypatch.setattr(number_lines, "MOST_UNORDERED", 10)
    line = NumberLine()
    line.feed(b"* VANISHED " + b",".join(b"%d" % number for number in range(1000, 100, -2)))
    assert len(line._builder) <= 10
    line.feed(b",5\r")
    with pytest.raises(RemoteProtocolError, match="without any order"):
        line.end()
