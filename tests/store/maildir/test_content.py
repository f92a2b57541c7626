import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.store.maildir.content import ContentMeter, WireStream, bare_line_feeds, facts_of, wire_form

octet_strings = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"Subject: x", b""]), max_size=40).map(
    b"".join
)


def by_definition(octets: bytes) -> bytes:
    return re.sub(rb"(?<!\r)\n", b"\r\n", octets)


@given(octet_strings)
def test_wire_form_changes_bare_line_feeds_and_nothing_else(octets):
    assert wire_form(octets) == by_definition(octets)
    assert bare_line_feeds(octets) == len(by_definition(octets)) - len(octets)


@given(octet_strings, st.integers(1, 7))
def test_wire_form_of_a_stream_is_that_of_the_whole(octets, step):
    stream = WireStream()
    chunks = [octets[at : at + step] for at in range(0, len(octets), step)]
    assert b"".join(map(stream.convert, chunks)) == by_definition(octets)


@given(octet_strings, st.integers(1, 7))
def test_facts_of_a_stream_are_those_of_the_whole(octets, step):
    meter = ContentMeter()
    for at in range(0, len(octets), step):
        meter.feed(octets[at : at + step])
    assert meter.result() == facts_of(octets)


def test_unchanged_chunk_is_not_copied():
    chunk = b"a\r\nb\r\n"
    assert WireStream().convert(chunk) is chunk


@pytest.mark.parametrize(
    ("octets", "header"),
    [
        (b"A: 1\r\nB: 2\r\n\r\nbody\r\n", b"A: 1\r\nB: 2\r\n\r\n"),
        (b"A: 1\nB: 2\n\nbody\n", b"A: 1\r\nB: 2\r\n\r\n"),
        (b"A: 1\n\r\nbody\n", b"A: 1\r\n\r\n"),
        (b"\r\nbody", b"\r\n"),
        (b"\nbody", b"\r\n"),
        (b"A: 1\r\nno end", b"A: 1\r\nno end"),
        (b"", b""),
    ],
)
def test_header_digest_covers_the_empty_line_in_wire_form(octets, header):
    assert facts_of(octets).header_sha256 == hashlib.sha256(header).digest()


def test_downloaded_message_has_one_digest_for_both_forms():
    octets = b"Subject: x\r\n\r\nbody\r\n"
    facts = facts_of(octets)
    assert facts.file_sha256 == facts.wire_sha256 == hashlib.sha256(octets).digest()
    assert facts.file_size == facts.wire_size == len(octets)


def test_local_message_has_two():
    facts = facts_of(b"Subject: x\n\nbody\n")
    assert facts.wire_size == facts.file_size + 3
    assert facts.wire_sha256 == hashlib.sha256(b"Subject: x\r\n\r\nbody\r\n").digest()
    assert facts.envelope.subject == "x"


def test_header_longer_than_every_limit_is_digested_whole():
    octets = b"X: " + b"a" * (3 << 20) + b"\r\n\r\nbody"
    meter = ContentMeter()
    for at in range(0, len(octets), 1 << 16):
        meter.feed(octets[at : at + (1 << 16)])
    assert meter.result().header_sha256 == hashlib.sha256(octets[:-4]).digest()
    assert meter.result().envelope.is_limited
