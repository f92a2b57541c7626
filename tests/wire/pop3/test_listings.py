"""LIST and UIDL: good lines in bulk, bad ones singly, ids of any shape without harm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.model.errors import RemoteProtocolError
from daemon.wire.pop3.limits import DEFAULT_LIMITS, Limits
from daemon.wire.pop3.listings import (
    UIDL_CHARACTERS,
    ListingReader,
    parse_one,
    parse_sizes,
    parse_stat,
    parse_uidl,
    parse_uidls,
)
from daemon.wire.pop3.responses import DropStat

UIDLS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=70)


@given(st.lists(st.tuples(st.integers(1, 10**9 - 1), UIDLS)), st.sampled_from([b"\r\n", b"\n"]))
def test_uidl_lines_come_back(entries, line_end):
    block = b"".join(b"%d %s%s" % (number, uidl.encode(), line_end) for number, uidl in entries)
    assert parse_uidls(block).entries == entries


@given(st.lists(st.tuples(st.integers(1, 10**9 - 1), st.integers(0, 2**63 - 1))))
def test_list_lines_come_back(entries):
    assert parse_sizes(b"".join(b"%d %d\r\n" % entry for entry in entries)).entries == entries


@given(
    st.lists(
        st.sampled_from([b"1 a", b"2  b ", b"+OK 3 c", b"x", b"", b"4", b"5 a b", b"0 z", b"9999999999 y"])
    )
)
def test_one_bad_line_changes_no_other(lines):
    together = parse_uidls(b"".join(line + b"\r\n" for line in lines)).entries
    assert together == [entry for line in lines for entry in parse_uidls(line + b"\r\n").entries]


@pytest.mark.parametrize(
    ("line", "entries"),
    [
        (b"1 abc", [(1, "abc")]),
        (b"1   abc  ", [(1, "abc")]),
        (b"1\tabc", [(1, "abc")]),
        (b"+OK 1 abc", [(1, "abc")]),
        (b"1", [(1, None)]),
        (b"1 ", [(1, None)]),
        (b"garbage", []),
        (b"0 abc", []),
        (b"-1 abc", []),
        (b"12345678901 abc", []),
        (b"1 ../../x", [(1, "../../x")]),
        (b"1 " + b"u" * 200, [(1, "u" * 200)]),
    ],
)
def test_uidl_line_of_a_broken_server(line, entries):
    assert parse_uidls(line + b"\r\n").entries == entries


@pytest.mark.parametrize(
    "octets", [b"a b", b"a\0b", b"\xff", b"u" * (UIDL_CHARACTERS + 1), "ü".encode(), b"a\x7f"]
)
def test_id_that_is_none_becomes_its_digest(octets):
    """P4: hashed, no path use; longer than any proper id, so it can be taken for none."""
    uidl = parse_uidl(octets)
    assert uidl.startswith("sha256:")
    assert len(uidl) == 71
    assert uidl == parse_uidl(octets)
    assert uidl != parse_uidl(octets + b"x")


@pytest.mark.parametrize(
    ("line", "entries"),
    [
        (b"1 100 more words", [(1, 100)]),
        (b"1  100", [(1, 100)]),
        (b"1 -5", [(1, None)]),
        (b"1 100000000000000000000", [(1, None)]),
        (b"1 9223372036854775808", [(1, None)]),
        (b"1 many", [(1, None)]),
        (b"1", [(1, None)]),
    ],
)
def test_list_line_of_a_broken_server(line, entries):
    """P5."""
    assert parse_sizes(line + b"\r\n").entries == entries


@pytest.mark.parametrize(
    ("line", "stat"),
    [
        (b"+OK 2 320", DropStat(2, 320)),
        (b"+ok  2  320 octets", DropStat(2, 320)),
        (b"+OK 2 -320", DropStat(2, None)),
        (b"+OK 2", DropStat(2, None)),
        (b"+OK 0 0", DropStat(0, 0)),
        (b"+OK two", None),
        (b"+OK", None),
    ],
)
def test_stat_is_count_and_octets(line, stat):
    assert parse_stat(line) == stat


def test_answer_about_another_message_is_an_attack():
    """fetchmail: LIST 2 answered with 3."""
    assert parse_one(parse_sizes, b"+OK 2 17", 2).entries == [(2, 17)]
    assert parse_one(parse_uidls, b"+OK 2 x", 2).entries == [(2, "x")]
    for line in (b"+OK 3 17", b"+OK", b"+OK words"):
        with pytest.raises(RemoteProtocolError):
            parse_one(parse_sizes, line, 2)


def collect(octets, size, limits=DEFAULT_LIMITS):
    reader = ListingReader(parse_uidls, limits)
    found = []
    for at in range(0, len(octets), size):
        lines = reader.take(octets[at : at + size])
        found += lines.entries if lines else []
    last = reader.end()
    return found + (list(last.entries) if last else [])


def test_listing_is_read_as_a_stream():
    octets = b"".join(b"%d uid%d\r\n" % (n, n) for n in range(1, 2000))
    expected = [(n, f"uid{n}") for n in range(1, 2000)]
    for size in (1, 7, 1000, len(octets)):
        assert collect(octets, size) == expected
    assert collect(octets[:-2], 100) == expected


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(listing_count=3), "flood"),
        (Limits(listing_bytes=30), "flood"),
        (Limits(listing_line_bytes=10), "line_too_long"),
    ],
)
def test_listing_without_end_is_refused(limits, reason):
    octets = b"1 abcdefgh\r\n" * 4 + b"1 a line too long"
    for size in (1, 1000):
        with pytest.raises(RemoteProtocolError) as caught:
            collect(octets, size, limits)
        assert caught.value.reason == reason


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_line_that_is_too_long_is_refused_however_it_is_cut(size):
    reader = ListingReader(parse_uidls, Limits(listing_line_bytes=10, listing_count=3))
    octets = b"1 a\r\n2 bbbbbbbbb\r\n3 c\r\n4 d\r\n"
    with pytest.raises(RemoteProtocolError) as refused:
        for at in range(0, len(octets), size):
            reader.take(octets[at : at + size])
    assert refused.value.reason == "line_too_long"
