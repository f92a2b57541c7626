import pytest

from daemon.demo.imap.arguments import Arguments, BadCommand
from daemon.demo.imap.fetch import answer, internal_date, read_items, split_message
from daemon.demo.mailbox import StoredMessage
from daemon.model.flags import FLAGGED, SEEN

OCTETS = b"Subject: folded\r\n line\r\nFrom: a@example.org\r\nX-Long: 1\r\nSUBJECT: again\r\n\r\nHello\r\nthere\r\n"
MESSAGE = StoredMessage(
    uid=9, octets=OCTETS, flags=frozenset({SEEN, FLAGGED}), internal_date=837_596_665, mod_seq=12
)


def fetched(items: bytes, message: StoredMessage = MESSAGE) -> bytes:
    return answer(message, 4, read_items(Arguments(items)))


def test_plain_items_stand_in_the_order_asked_for():
    assert fetched(b"(UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ)") == (
        b'* 4 FETCH (UID 9 FLAGS (\\Flagged \\Seen) INTERNALDATE "17-Jul-1996 09:44:25 +0000" '
        b"RFC822.SIZE %d MODSEQ (12))\r\n" % len(OCTETS)
    )


def test_whole_body_is_a_literal_of_exactly_its_octets():
    assert fetched(b"BODY.PEEK[]") == b"* 4 FETCH (BODY[] {%d}\r\n%s)\r\n" % (len(OCTETS), OCTETS)
    assert fetched(b"RFC822") == b"* 4 FETCH (RFC822 {%d}\r\n%s)\r\n" % (len(OCTETS), OCTETS)


def test_empty_message_is_an_empty_literal():
    empty = StoredMessage(uid=1, octets=b"", flags=frozenset(), internal_date=0, mod_seq=1)
    assert fetched(b"(BODY.PEEK[] BODY[HEADER] BODY[TEXT])", empty) == (
        b"* 4 FETCH (BODY[] {0}\r\n BODY[HEADER] {0}\r\n BODY[TEXT] {0}\r\n)\r\n"
    )


def test_header_and_text_together_are_the_message():
    header, text = split_message(OCTETS)
    assert header + text == OCTETS
    assert b"* 4 FETCH (BODY[HEADER] {%d}\r\n%s)" % (len(header), header) in fetched(b"BODY[HEADER]")
    assert fetched(b"RFC822.HEADER").endswith(header + b")\r\n")
    assert fetched(b"BODY[TEXT]") == b"* 4 FETCH (BODY[TEXT] {14}\r\nHello\r\nthere\r\n)\r\n"
    assert fetched(b"RFC822.TEXT") == b"* 4 FETCH (RFC822.TEXT {14}\r\nHello\r\nthere\r\n)\r\n"
    assert split_message(b"\r\nonly text") == (b"\r\n", b"only text")


def test_header_fields_are_found_in_any_case_and_whole():
    wanted = b"Subject: folded\r\n line\r\nSUBJECT: again\r\n\r\n"
    assert fetched(b"BODY[HEADER.FIELDS (subject date)]") == (
        b"* 4 FETCH (BODY[HEADER.FIELDS (subject date)] {%d}\r\n%s)\r\n" % (len(wanted), wanted)
    )
    others = b"From: a@example.org\r\nX-Long: 1\r\n\r\n"
    assert others in fetched(b"BODY[HEADER.FIELDS.NOT (Subject)]")


def test_partial_range_names_its_origin():
    assert fetched(b"BODY.PEEK[TEXT]<2.3>") == b"* 4 FETCH (BODY[TEXT]<2> {3}\r\nllo)\r\n"
    assert fetched(b"BODY.PEEK[]<9999.3>") == b"* 4 FETCH (BODY[]<9999> {0}\r\n)\r\n"


def test_part_of_a_plain_message_is_its_text_and_a_missing_part_is_nil():
    assert fetched(b"BODY[1]") == b"* 4 FETCH (BODY[1] {14}\r\nHello\r\nthere\r\n)\r\n"
    assert fetched(b"BODY[2]") == b"* 4 FETCH (BODY[2] NIL)\r\n"


@pytest.mark.parametrize(
    ("items", "is_seen"),
    [
        (b"BODY[]", True),
        (b"BODY.PEEK[]", False),
        (b"RFC822", True),
        (b"RFC822.TEXT", True),
        (b"RFC822.HEADER", False),
        (b"FLAGS", False),
        (b"BODY", False),
        (b"FAST", False),
    ],
)
def test_only_what_shows_text_sets_seen(items, is_seen):
    assert any(item.sets_seen for item in read_items(Arguments(items))) is is_seen


def test_macros_are_short_for_their_items():
    assert [item.name for item in read_items(Arguments(b"FAST"))] == ["FLAGS", "INTERNALDATE", "RFC822.SIZE"]
    assert read_items(Arguments(b"FULL"))[-1].name == "BODY"


@pytest.mark.parametrize("items", [b"(FAST)", b"NONSENSE", b"BODY.PEEK", b"BODY[MIME]", b"BODY[", b"BODY[X]"])
def test_items_that_mean_nothing_are_refused(items):
    with pytest.raises(BadCommand):
        read_items(Arguments(items))


def test_internal_date_has_a_day_of_two_places():
    assert internal_date(0) == '" 1-Jan-1970 00:00:00 +0000"'
