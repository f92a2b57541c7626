import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.model.errors import RemoteProtocolError
from daemon.model.flags import DELETED, SEEN, Flag
from daemon.model.ids import ModSeq, Uid
from daemon.wire.imap import fetch
from daemon.wire.imap.framing import Streamed
from daemon.wire.imap.responses import FetchData, LiteralBegin

DATE = '"17-Jul-1996 02:44:25 -0700"'
ITEMS = {
    "UID 7": ("uid", 7),
    "FLAGS (\\Seen $Junk)": ("flags", frozenset({SEEN, Flag("$Junk")})),
    "MODSEQ (624140003)": ("mod_seq", 624140003),
    "RFC822.SIZE 44827": ("size", 44827),
    f"INTERNALDATE {DATE}": ("internal_date", 837596665),
}


@given(st.permutations(list(ITEMS)), st.integers(1, len(ITEMS)))
def test_flag_line_in_any_item_order_and_by_both_readers(items, count):
    line = f"* 12 FETCH ({' '.join(items[:count])})".encode()
    expected = FetchData(seq=12)._replace(**dict(ITEMS[item] for item in items[:count]))
    assert fetch.parse_flag_line(line) == expected
    assert fetch.parse_fetch(line) == expected


@given(st.permutations(list(ITEMS)), st.integers(0, len(ITEMS)), st.binary(max_size=40), st.booleans())
def test_body_behind_any_items_and_by_both_readers(items, count, octets, is_header):
    section = "BODY[HEADER]" if is_header else "BODY[]"
    head = f"* 3 FETCH ({' '.join([*items[:count], section])} {{{len(octets)}}}".encode()
    frame = (head, octets, b")")
    field = "header" if is_header else "body"
    expected = FetchData(seq=3)._replace(**dict(ITEMS[item] for item in items[:count]), **{field: octets})
    assert fetch.parse_body(frame) == expected
    assert fetch.parse_fetch(frame) == expected


@given(st.permutations(list(ITEMS)), st.integers(0, len(ITEMS)))
def test_items_behind_the_body_are_read(items, at):
    head = f"* 3 FETCH ({' '.join([*items[:at], 'BODY[]'])} {{2}}".encode()
    tail = "".join(f" {item}" for item in items[at:]).encode() + b")"
    data = fetch.parse_body((head, b"hi", tail)) or fetch.parse_fetch((head, b"hi", tail))
    assert data == FetchData(seq=3, body=b"hi")._replace(**dict(ITEMS.values()))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"* 1 FETCH ()", FetchData(seq=1)),
        (b'* 1 FETCH (UID 3 INTERNALDATE "31-Feb-2001 00:00:00 +0000")', FetchData(seq=1, uid=Uid(3))),
        (b"* 25996 UIDFETCH (FLAGS (\\Seen))", FetchData(seq=0, uid=Uid(25996), flags=frozenset({SEEN}))),
        (b"* 0 FETCH (UID 3)", FetchData(seq=0, uid=Uid(3))),
        (b"* 1 fetch (uid 3 flags (\\seen))", FetchData(seq=1, uid=Uid(3), flags=frozenset({SEEN}))),
        (b"* 1 FETCH (UID 3 MODSEQ (-1))", FetchData(seq=1, uid=Uid(3))),
        (b"* 1 FETCH (UID 3 MODSEQ 12)", FetchData(seq=1, uid=Uid(3), mod_seq=ModSeq(12))),
        (b"* 1 FETCH (UID 3 MODSEQ (0))", FetchData(seq=1, uid=Uid(3))),
        (b"* 1 FETCH (UID 3 MODSEQ ())", FetchData(seq=1, uid=Uid(3))),
        (b"* 1 FETCH (UID 0)", FetchData(seq=1)),
        (b"* 1 FETCH (UID 4294967296)", FetchData(seq=1)),
        (b"* 1 FETCH (UID 4294967295)", FetchData(seq=1, uid=Uid(4294967295))),
        (b"* 1 FETCH (UID 3999999999)", FetchData(seq=1, uid=Uid(3999999999))),
        (b"* 1 FETCH (UID 3 RFC822.SIZE 9.37e+06)", FetchData(seq=1, uid=Uid(3), size=9370000)),
        (b"* 1 FETCH (UID 3 RFC822.SIZE NIL)", FetchData(seq=1, uid=Uid(3))),
        (b"* 1 FETCH (UID 3 FLAGS NIL)", FetchData(seq=1, uid=Uid(3), flags=frozenset())),
        (b"* 1 FETCH (UID 3 FLAGS ())", FetchData(seq=1, uid=Uid(3), flags=frozenset())),
        (b"* 1 FETCH (FLAGS (\\Recent \\*) UID 3)", FetchData(seq=1, uid=Uid(3), flags=frozenset())),
        (b"* 1 FETCH (UID 3  FLAGS (\\Deleted) )", FetchData(seq=1, uid=Uid(3), flags=frozenset({DELETED}))),
        (b"* 1 FETCH (UID 3 BODY[] NIL)", FetchData(seq=1, uid=Uid(3))),
        (b'* 1 FETCH (UID 3 BODY[] "quo\\"ted")', FetchData(seq=1, uid=Uid(3), body=b'quo"ted')),
        (b'* 1 FETCH (UID 3 RFC822 "x")', FetchData(seq=1, uid=Uid(3), body=b"x")),
        (b'* 1 FETCH (UID 3 BODY[HEADER.FIELDS (From To)] "x")', FetchData(seq=1, uid=Uid(3))),
        (
            b'* 1 FETCH (UID 3 BODY[TEXT]<0> "x" INTERNALDATE "00-Jan-0000 00:00:00 +0000")',
            FetchData(seq=1, uid=Uid(3)),
        ),
        (
            b'* 1 FETCH (ENVELOPE ("a" (("b" NIL "c" "d")) NIL) UID 3 X-NEW (1 (2)))',
            FetchData(seq=1, uid=Uid(3)),
        ),
        (
            b"* 1 FETCH (UID 3 EMAILID (M6d99ac3) THREADID NIL)",
            FetchData(seq=1, uid=Uid(3), email_id="M6d99ac3"),
        ),
        (b"* 1 FETCH (UID 3 EMAILID () THREADID (T1))", FetchData(seq=1, uid=Uid(3), thread_id="T1")),
        (
            b'* 1 FETCH (X-GM-THRID 12 X-GM-MSGID 1278455344230334865 X-GM-LABELS ("\\\\Inbox" Sent "M&AOk-") UID 3)',
            FetchData(
                seq=1,
                uid=Uid(3),
                gmail_message_id=1278455344230334865,
                gmail_thread_id=12,
                gmail_labels=(b"\\Inbox", b"Sent", b"M&AOk-"),
            ),
        ),
        (b"* 1 FETCH (X-GM-LABELS NIL UID 3)", FetchData(seq=1, uid=Uid(3), gmail_labels=())),
    ],
)
def test_quirk_and_rare_items(line, expected):
    assert (fetch.parse_flag_line(line) or fetch.parse_fetch(line)) == expected


@pytest.mark.parametrize("flag", [b"[Gmail]", b"a]b", b"[x", b"caf\xc3\xa9", b"%*"])
def test_flag_with_odd_characters_is_kept(flag):
    """QUIRK Gmail, cpython#21815: brackets in flags, unquoted."""
    line = b"* 1 FETCH (FLAGS (\\Seen " + flag + b") UID 3)"
    expected = frozenset({SEEN, Flag(flag.decode())})
    assert fetch.parse_flag_line(line).flags == expected
    assert fetch.parse_fetch(line).flags == expected


@pytest.mark.parametrize(
    "line",
    [
        b"* 1 FETCH",
        b"* 1 FETCH (UID 3",
        b"* 1 FETCH (UID 3))",
        b"* 1 FETCH (UID)",
        b"* 1 FETCH (UID x)",
        b"* 1 FETCH (UID (3))",
        b"* 1 FETCH (UID 3 FLAGS \\Seen)",
        b'* 1 FETCH (UID 3 BODY[] "abc)',
        b"* 1 FETCH (UID 3 BODY[] {x})",
        b"* 1 FETCH (UID 3 BODY[] {-1}",
        b"* 1 FETCH (UID 3 BODY[] (1))",
        b"* 1 FETCH (UID 3 INTERNALDATE (1))",
        b"* 1 FETCH (UID 3 EMAILID ((1)))",
        b"* 1 FETCH ((UID 3))",
        b'* 1 FETCH ("UID" 3)',
        b"* 1 FETCH (UID 3) (UID 4)",
        b"* 1 FETCH (\x01 3)",
        b"* FETCH (UID 3)",
    ],
)
def test_unreadable_fetch_is_a_protocol_error(line):
    assert fetch.parse_flag_line(line) is None
    with pytest.raises(RemoteProtocolError):
        fetch.parse_fetch(line)


def test_streamed_body_gives_its_length():
    head = b"* 1 FETCH (UID 3 BODY[] {9999999}"
    expected = FetchData(seq=1, uid=Uid(3), streamed_bytes=9999999)
    assert fetch.parse_body((head, Streamed(9999999), b")")) == expected
    assert fetch.parse_fetch((head, Streamed(9999999), b")")) == expected


def test_streamed_header_and_part_are_not_a_body():
    for section in (b"BODY[HEADER]", b"BODY[1]"):
        head = b"* 1 FETCH (UID 3 " + section + b" {9999999}"
        assert fetch.parse_fetch((head, Streamed(9999999), b")")) == FetchData(seq=1, uid=Uid(3))


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ((b"* 4 FETCH (UID 3 BODY[] {99}",), LiteralBegin(seq=4, uid=Uid(3), section="", size=99)),
        ((b"* 4 FETCH (RFC822 {99}",), LiteralBegin(seq=4, uid=None, section="", size=99)),
        (
            (b"* 4 fetch (flags (a) body[header] {1}", b"x", b" uid 5 body[text] {99}"),
            LiteralBegin(seq=4, uid=Uid(5), section="TEXT", size=99),
        ),
    ],
)
def test_head_of_a_large_literal(head, expected):
    assert fetch.parse_literal_head(head, 99) == expected


@pytest.mark.parametrize(
    "head", [b"* 4 FETCH (FLAGS ({99}", b"* 4 FETCH ({99}", b"* 4 FETCH (UID 3 {99}", b"* 4 FETCH {99}"]
)
def test_large_literal_in_an_odd_place_is_a_protocol_error(head):
    with pytest.raises(RemoteProtocolError):
        fetch.parse_literal_head((head,), 99)


def test_hundred_thousand_flag_lines_take_a_fraction_of_a_second():
    lines = [
        b"* %d FETCH (UID %d FLAGS (\\Seen) MODSEQ (%d))" % (number, number * 2, number + 9)
        for number in range(1, 100_001)
    ]
    started = time.process_time()
    for line in lines:
        fetch.parse_flag_line(line)
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize(
    "line",
    [
        b"* 1 FETCH (" + b"FLAGS () " * 100_000,
        b"* 1 FETCH (FLAGS (" + b"\\Seen " * 100_000,
        b"* 1 FETCH (UID 3 " + b" " * 500_000 + b"x",
        b"* 1 FETCH (UID " + b"1" * 500_000,
        b'* 1 FETCH (X "' + b'\\"' * 300_000,
        b"* 1 FETCH (BODY[" + b"BODY[" * 100_000,
    ],
)
def test_hostile_line_is_refused_in_linear_time(line):
    started = time.process_time()
    assert fetch.parse_flag_line(line) is None
    with pytest.raises(RemoteProtocolError):
        fetch.parse_fetch(line)
    assert time.process_time() - started < 2.0


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (b"EMAILID (M6d99_ac-3)", {"email_id": "M6d99_ac-3"}),
        (b"X-GM-MSGID 1278455344230334865", {"gmail_message_id": 1278455344230334865}),
        (b"X-GM-MSGID 9223372036854775807", {"gmail_message_id": 2**63 - 1}),
        (b"X-GM-MSGID 18446744073709551615", {"gmail_message_id": None}),
    ],
)
def test_names_of_messages_are_read_by_the_quick_way_as_by_the_thorough_one(items, expected):
    line = b"* 7 FETCH (UID 9 " + items + b" FLAGS ())"
    thorough = fetch.parse_fetch(line)
    for name, value in expected.items():
        assert getattr(thorough, name) == value
    quick = fetch.parse_flag_line(line)
    assert quick in (thorough, None)
    body = fetch.parse_body((b"* 7 FETCH (UID 9 " + items + b" BODY[] {3}", b"abc", b")"))
    assert body is None or body == thorough._replace(flags=None, body=b"abc")
