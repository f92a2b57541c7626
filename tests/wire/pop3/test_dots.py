"""Dot-stuffing undone: any octets come back as they were sent, at any split."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.wire.pop3.dots import DotReader

LINES = st.lists(
    st.sampled_from([b"", b".", b"..", b"...", b".a", b"a", b"a.", b"\r", b"a\n", b"\n.", b"\n..b", b"\0"])
)
PIECES = [b".", b"\r", b"\n", b"\r\n", b"\r\n.", b"..", b"a"]


def stuff(octets: bytes, line_end: bytes = b"\r\n") -> bytes:
    """What a server sends for these octets."""
    stuffed = (line_end + octets).replace(line_end + b".", line_end + b"..")
    return stuffed[len(line_end) :] + b"." + line_end


def read(portions, *, is_lax=False) -> tuple[bytes, bytes] | None:
    """Octets of the answer and what lies behind it, None if it is not complete."""
    reader = DotReader(is_lax=is_lax)
    tail = found = b""
    for index, portion in enumerate(portions):
        buffer = tail + portion
        octets, at, is_complete = reader.take(buffer, 0)
        found += octets
        if is_complete:
            return found, b"".join([buffer[at:], *portions[index + 1 :]])
        tail = buffer[at:]
        assert len(tail) < 5
    return None


def split(data: bytes, cuts) -> list[bytes]:
    places = sorted(cut % (len(data) + 1) for cut in cuts)
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@given(LINES, st.lists(st.integers(0, 10_000), max_size=8))
@settings(max_examples=400, deadline=None)
def test_stuffed_octets_come_back_at_any_split(lines, cuts):
    octets = b"".join(line + b"\r\n" for line in [b"Received: by a server", *lines])
    sent = stuff(octets) + b"+OK next\r\n"
    assert read([sent]) == (octets, b"+OK next\r\n")
    assert read(split(sent, cuts)) == (octets, b"+OK next\r\n")
    assert read([sent[at : at + 1] for at in range(len(sent))]) == (octets, b"+OK next\r\n")


@given(LINES, st.lists(st.integers(0, 10_000), max_size=8))
@settings(max_examples=200, deadline=None)
def test_bare_line_feeds_come_back_when_the_server_uses_them_throughout(lines, cuts):
    """P8."""
    octets = b"".join(line.replace(b"\n", b"") + b"\n" for line in [b"Received: by a server", *lines])
    octets = octets.replace(b"\r", b"")
    for end in (b".\n", b".\r\n"):
        sent = stuff(octets, b"\n")[:-2] + end + b"+OK"
        assert read(split(sent, cuts)) == (octets, b"+OK")


@given(
    st.lists(st.sampled_from(PIECES), max_size=30), st.lists(st.integers(0, 100), max_size=6), st.booleans()
)
@settings(max_examples=600, deadline=None)
def test_any_octets_are_read_alike_at_any_split(pieces, cuts, is_lax):
    sent = b"".join(pieces)
    expected = read([sent], is_lax=is_lax)
    assert read(split(sent, cuts), is_lax=is_lax) == expected
    assert read([sent[at : at + 1] for at in range(len(sent))] or [b""], is_lax=is_lax) == expected


@pytest.mark.parametrize(
    ("sent", "octets"),
    [
        (b".\r\n", b""),
        (b".\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"...\r\n.\r\n", b"..\r\n"),
        (b".first line of Dovecot\r\n.\r\n", b".first line of Dovecot\r\n"),
        (b".\rx\r\n.\r\n", b".\rx\r\n"),
        (b"a\r\n.b\r\n.\r\n", b"a\r\nb\r\n"),
        (b"a\r\n..\r\n....c\r\n.\r\n", b"a\r\n.\r\n...c\r\n"),
        (b"a\r\n.\rb\r\n.\r\n", b"a\r\n\rb\r\n"),
        (b"a\n..b\n.\r\n", b"a\n.b\n"),
        (b"a\n..b\r\nc\n.\n", b"a\n.b\r\nc\n"),
    ],
)
def test_one_dot_goes_from_each_line_that_begins_with_one(sent, octets):
    assert read([sent]) == (octets, b"")
    assert read([sent[at : at + 1] for at in range(len(sent))]) == (octets, b"")


@pytest.mark.parametrize("end", [b"\n.\r\n", b"\n.\n", b"\r.\r\n"])
def test_line_end_of_another_kind_ends_no_answer_of_a_server_that_sends_crlf(end):
    """Who writes LF, dot, CRLF into a mail must not be able to forge the answers behind it."""
    mail = b"Received: x\r\n\r\ntext" + end + b"+OK forged\r\n"
    assert read([mail + b".\r\n+OK true\r\n"]) == (mail, b"+OK true\r\n")


@pytest.mark.parametrize("sent", [b"", b".", b".\r", b"a", b"a\r\n", b"a\r\n.", b"a\r\n.\r", b"a\r\n..\r\n"])
def test_answer_without_its_dot_is_not_complete(sent):
    """P7."""
    assert read([sent]) is None


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("octets", [b".", b"..", b"x" * 4_000_000, b"\r" * 3_000_000 + b"x"])
def test_time_is_linear_in_the_octets(octets, line_end):
    """P8: 100 MB without a line end cost what any others do."""
    octets = (octets + line_end) * (1 if len(octets) > 2 else 1_000_000)
    sent = stuff(octets, line_end)
    portions = [sent[at : at + 65536] for at in range(0, len(sent), 65536)]
    began = time.process_time()
    assert read(portions)
    assert time.process_time() - began < 2
