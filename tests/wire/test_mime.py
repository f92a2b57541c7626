import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.model.envelope import Envelope
from daemon.wire import mime


def facts(*lines: bytes) -> Envelope:
    return mime.read_facts(b"\r\n".join((*lines, b"", b"Subject: in the body")))


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_ordinary_header_is_read(end):
    found = mime.read_facts(
        end.join(
            [
                b"Received: by x;",
                b"\tTue, 2 Jan 2024 00:00:00 +0000",
                b"FROM: Ann <ann@example.net>",
                b"To: Bob <bob@example.org>,",
                b" Carl <carl@example.org>",
                b"cc: Dora <d@example.org>",
                b"Subject: =?utf-8?q?Andr=C3=A9?=",
                b"\t=?utf-8?q?_again?=",
                b"Message-Id: <1@example.net> (comment)",
                b"Date: Tue, 2 Jan 2024 11:11:12 +0100",
                b"",
                b"body",
            ]
        )
    )
    assert found == Envelope(
        subject="André again",
        sender="Ann <ann@example.net>",
        recipients="Bob <bob@example.org>, Carl <carl@example.org>, Dora <d@example.org>",
        message_id_header="<1@example.net>",
        date_header=1704190272,
    )


def test_body_is_not_looked_at():
    assert facts(b"X: y").subject == ""


def test_first_field_of_a_name_wins_and_similar_names_do_not():
    assert (
        facts(b"Subject-X: no", b"X-Subject: no", b"Subject : first", b"Subject: second").subject == "first"
    )


def test_field_at_the_very_start_is_seen():
    assert facts(b"Subject: x").subject == "x"


@pytest.mark.parametrize(
    ("octets", "block"),
    [
        (b"A: 1\r\n\r\nb", b"A: 1\r\n\r\n"),
        (b"A: 1\n\nb\r\n\r\n", b"A: 1\n\n"),
        (b"A: 1\r\n\nb", b"A: 1\r\n\n"),
        (b"A: 1\n\r\nb", b"A: 1\n\r\n"),
        (b"\r\nb", b"\r\n"),
        (b"\nb", b"\n"),
        (b"A: 1", b"A: 1"),
        (b"", b""),
    ],
)
def test_header_block_ends_with_its_empty_line(octets, block):
    assert mime.header_block(octets) == block
    assert mime.header_length(octets) == len(block)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Tue, 2 Jan 2024 11:11:12 +0100", 1704190272),
        ("2 Jan 2024 10:11 GMT", 1704190260),
        ("2 Jan 24 05:11:12 EST", 1704190272),
        ("Tue,  2 January 2024 10:11:12 -0000 (UTC)", 1704190272),
        ("2-Jan-2024 10:11:12 Z", 1704190272),
        ("Sat, 31 Dec 2016 23:59:60 +0000", 1483228799),
        ("1 Jan 1970 00:00:00 +0100", None),
        ("1 Jan 0000 00:00:00 +0000", None),
        ("1 Jan 99999 00:00:00 +0000", None),
        ("1 Jan 2101 00:00:00 +0000", None),
        ("31 Feb 2024 00:00:00 +0000", None),
        ("1 Foo 2024 00:00:00 +0000", None),
        ("1 Jan 2024 25:00:00 +0000", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_date_is_read_or_absent(text, seconds):
    """RFC 5322 §3.3, §4.3; faults.md M9."""
    assert mime.parse_date(text.encode()) == seconds


def test_forty_dates_count_as_the_first():
    assert (
        facts(*[b"Date: 2 Jan 2024 10:11:%02d +0000" % second for second in range(40)]).date_header
        == 1704190260
    )


HOSTILE = {
    "many headers": b"".join(b"X-H%d: v\r\n" % n for n in range(100_000)),
    "long header": b"Subject: " + b"a" * (1 << 20),
    "long fold": b"Subject: " + b"\r\n a" * 300_000,
    "addresses": b"To: " + b", ".join(b"a%d@x.example" % n for n in range(50_000)),
    "short addresses": b"To: " + b"a," * 30_000,
    "parameters": b"Content-Type: a/b" + b"; x=y" * 10_000 + b"\r\nSubject: kept",
    "words": b"Subject: " + b"\r\n ".join([b"=?utf-8?b?0J/RgNC40LLQtdGC?="] * 40_000),
    "open words": b"Subject: " + b"=?utf-8?q?" * 100_000,
    "question marks": b"Subject: " + b"=?" * 500_000,
    "endless word": b"From: =?a?b?" + b"a" * 1_000_000,
    "wanted names": b"to: a\n" * 200_000,
    "name starts": b"\rto\n" * 250_000,
    "blanks before colon": b"Subject" + b" " * 1_000_000 + b": x",
    "angles": b"Message-ID: " + b"<" * 1_000_000,
    "dates": b"Date: " + b"1 jan " * 100_000,
    "korean": b"Subject: =?iso-2022-kr?b?" + b"GyQpQw4=" * 8_000 + b"?=",
    "hz": b"Subject: =?hz-gb-2312?q?" + b"~{" * 30_000 + b"?=",
    "utf-7": b"Subject: =?utf-7?q?" + b"+AAA-" * 12_000 + b"?=",
    "zeros": bytes(1 << 20),
    "line feeds": b"x\n " * 400_000,
}


@pytest.mark.timeout(5)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_header_costs_little_and_never_raises(name):
    """faults.md M1-M4. Each takes milliseconds; the limit only catches what grows with the square."""
    found = mime.read_facts(HOSTILE[name] + b"\r\n\r\nbody")
    assert len(found.subject) <= mime.MAX_SUBJECT_CHARS
    assert len(found.recipients) <= mime.MAX_RECIPIENTS_CHARS
    json.dumps(found.subject + found.sender + found.recipients + found.message_id_header).encode()


@pytest.mark.parametrize(
    "name", ["many headers", "long header", "addresses", "short addresses", "words", "wanted names", "angles"]
)
def test_limit_met_is_said(name):
    assert mime.read_facts(HOSTILE[name] + b"\r\n\r\n").is_limited


def test_number_of_addresses_is_limited():
    found = facts(b"To: " + b"a," * 1500)
    assert found.is_limited
    assert found.recipients.count(",") < mime.MAX_ADDRESSES


def test_ordinary_header_is_not_limited():
    assert not facts(b"Subject: x", b"To: " + b", ".join([b"a@b.example"] * 50)).is_limited


@given(st.binary(max_size=400))
def test_any_octets_give_facts(octets):
    mime.read_facts(octets)
    mime.read_facts(b"Subject: " + octets)
    mime.read_facts(b"Date: " + octets + b"\r\nMessage-ID: " + octets)


def test_time_received_is_that_of_the_first_received_field():
    header = (
        b"Return-Path: <a@b>\r\nReceived: from x (y; z)\r\n\tby mx with ESMTP;\r\n Tue, 14 Nov 2023 22:13:20 +0000\r\n"
        b"Received: by older; Mon, 1 Jan 2001 00:00:00 +0000\r\nDate: Sun, 2 Jan 2000 00:00:00 +0000\r\n\r\n"
    )
    assert mime.received_date(header) == 1_700_000_000


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            b"Received: by nobody; no date at all\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n\r\n",
            1_700_000_000,
        ),
        (
            b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n\r\nReceived: x; Mon, 1 Jan 2001 00:00:00 +0000",
            1_700_000_000,
        ),
        (b"Subject: none\r\n\r\n", None),
        (b"", None),
    ],
)
def test_without_a_received_date_the_date_field_stands_in(header, expected):
    assert mime.received_date(header) == expected
