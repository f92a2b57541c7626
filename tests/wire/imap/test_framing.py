import random
import time

import pytest

from daemon.wire.imap.framing import Framer, StreamBegin, Streamed, StreamEnd
from daemon.wire.imap.limits import MIB, Limits


def feed_all(portions, **limits):
    framer = Framer(Limits(**limits))
    items = []
    for portion in portions:
        items += framer.feed(portion)
    return items, framer


def test_lines_end_with_crlf_or_bare_lf():
    items, _ = feed_all([b"* OK a\r\n* OK b\n* OK c\r\n"])
    assert items == [b"* OK a", b"* OK b", b"* OK c"]


def test_empty_lines_and_nul_padding_between_responses_are_skipped():
    items, framer = feed_all([b"\r\n\n\0\0\0* OK a\r\n\0\r\n* OK b\r\n"])
    assert items == [b"* OK a", b"* OK b"]
    assert not framer.is_mid_response


def test_literal_split_across_reads_is_joined():
    for at in range(1, 40):
        data = b"* 1 FETCH (BODY[] {10}\r\n01234\r\n789)\r\n* OK\r\n"
        items, _ = feed_all([data[:at], data[at:]])
        assert items == [(b"* 1 FETCH (BODY[] {10}", b"01234\r\n789", b")"), b"* OK"]


def test_several_literals_in_one_response():
    items, _ = feed_all([b'* LIST () {1}\r\n/ {0}\r\n\r\n* ID ({2+}\r\nab "x")\r\n'])
    assert items == [(b"* LIST () {1}", b"/", b" {0}", b"", b""), (b"* ID ({2+}", b"ab", b' "x")')]


def test_braces_at_the_end_of_words_announce_nothing():
    lines = [b"* OK see {5}", b"A1 NO {7}", b"+ {3}", b"* BAD [X] {1}", b"* XMORE {x}", b"* LIST () NIL {-1}"]
    items, _ = feed_all([b"\r\n".join(lines) + b"\r\n"])
    assert items == lines


def test_line_end_behind_a_literal_is_skipped_in_fetch():
    """QUIRK MailKit#954: the literal was announced two bytes short."""
    items, _ = feed_all([b"* 1 FETCH (BODY[] {3}\r\nabc\r\n)\r\n"])
    assert items == [(b"* 1 FETCH (BODY[] {3}", b"abc", b")")]


def test_large_fetch_literal_is_streamed_in_portions():
    items, framer = feed_all([b"* 1 FETCH (BODY[] {9}\r\nab", b"cdef", b"ghi)\r\n"], gathered_literal_bytes=8)
    assert items[0] == StreamBegin((b"* 1 FETCH (BODY[] {9}",), 9)
    assert [bytes(item) for item in items[1:4]] == [b"ab", b"cdef", b"ghi"]
    assert items[4:] == [StreamEnd(), (b"* 1 FETCH (BODY[] {9}", Streamed(9), b")")]
    assert framer.literal_bytes == 9


@pytest.mark.parametrize("size", [b"4294967295", b"1" + b"0" * 30, b"9" * 5000])
def test_huge_literal_is_refused_before_allocation(size):
    items, framer = feed_all([b"* 1 FETCH (BODY[] {" + size + b"}\r\n", b"x" * 100])
    assert items == []
    assert framer.fault is not None
    assert framer.fault.reason == "message_too_large"


def test_large_literal_outside_fetch_is_refused():
    _, framer = feed_all([b"* LIST () NIL {65537}\r\n"])
    assert framer.fault is not None


def test_gathered_literals_of_one_response_are_bounded():
    portion = b" BODY[1] {600}\r\n" + b"x" * 600
    _, framer = feed_all([b"* 1 FETCH (UID 1" + portion * 3], gathered_response_bytes=1500)
    assert framer.fault is not None


@pytest.mark.parametrize(
    ("head", "limit"),
    [
        (b"* OK ", 64 << 10),
        (b"A1 OK ", 64 << 10),
        (b"* XUNKNOWN ", 64 << 10),
        (b"garbage", 64 << 10),
        (b"* 1 FETCH (", 1 << 20),
        (b"* list () ", 1 << 20),
        (b"* FLAGS (", 1 << 20),
        (b"* SEARCH 1", 16 << 20),
        (b"* VANISHED 1", 16 << 20),
        (b"* ESEARCH UID ALL 1", 16 << 20),
        (b"* ESEARCH ", 64 << 10),
    ],
)
def test_line_without_end_is_refused_at_its_limit(head, limit):
    """S16: 100 MB without a line end."""
    framer = Framer(Limits())
    framer.feed(head)
    taken = len(head)
    portion = b"1" * 65536
    while framer.fault is None and taken < 100 << 20:
        framer.feed(portion)
        taken += len(portion)
    assert framer.fault is not None
    assert framer.fault.reason == "line_too_long"
    assert limit < taken <= limit + 2 * len(portion)


def test_long_line_given_at_once_is_refused_as_well():
    items, framer = feed_all([b"* OK a\r\n* OK " + b"x" * 70000 + b"\r\n* OK b\r\n"])
    assert items == [b"* OK a"]
    assert framer.fault is not None
    assert framer.feed(b"* OK c\r\n") == []


def test_data_line_between_the_limits_is_taken():
    line = b"* LIST () NIL " + b"x" * 70000
    items, _ = feed_all([line + b"\r\n"])
    assert items == [line]


def test_text_between_literals_counts_together():
    _, framer = feed_all([b"* 1 FETCH (" + b"X {1}\r\na" * 300], data_line_bytes=1000)
    assert framer.fault is not None


def test_random_splits_give_the_same_items():
    chance = random.Random(7)
    stream = b"".join(
        b"* %d FETCH (UID %d BODY[] {%d}\r\n%b)\r\n* %d EXISTS\n"
        % (n, n, size, bytes(chance.choices(b"a)\r\n{}", k=size)), n)
        for n, size in enumerate(chance.choices(range(40), k=50), 1)
    )
    expected, _ = feed_all([stream])
    for _ in range(50):
        cuts = sorted(chance.choices(range(len(stream)), k=60))
        portions = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        assert feed_all(map(memoryview, portions))[0] == expected


def test_long_line_byte_by_byte_costs_linear_time():
    framer = Framer(Limits())
    framer.feed(b"* LIST")
    started = time.process_time()
    for _ in range(100_000):
        framer.feed(b" 1")
    assert framer.feed(b"\r\n")[0].startswith(b"* LIST 1 1")
    assert time.process_time() - started < 2


@pytest.mark.parametrize("line", [b"* OK " + b"x" * 65531, b"* FLAGS (" + b"x" * (MIB - 9)])
def test_line_as_long_as_its_limit_is_taken_in_any_portions(line):
    """The CR that waits for its LF is no part of it."""
    for width in (65535, 65536, 65537, len(line), len(line) + 1, len(line) + 2):
        stream = line + b"\r\n"
        items, framer = feed_all([stream[at : at + width] for at in range(0, len(stream), width)])
        assert framer.fault is None, framer.fault
        assert items == [line]
