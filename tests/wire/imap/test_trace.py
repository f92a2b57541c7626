"""A trace shows the protocol, and neither credentials nor mail."""

import base64

import pytest

from daemon.model.secret import Secret
from daemon.wire.imap import commands
from daemon.wire.imap.trace import MOST_LINE_BYTES, Direction, Tracer

CANARY = "c4n4ry-s3cr3t"
MAIL = b"Subject: c4n4ry\r\n\r\nA1 OK c4n4ry\r\n"


class Trace:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tracer = Tracer(lambda direction, text: self.lines.append(f"{direction}: {text}"))

    def client(self, *octets: bytes) -> None:
        for one in octets:
            self.tracer.sent(one)

    def server(self, *octets: bytes) -> None:
        for one in octets:
            self.tracer.received(one)


@pytest.fixture
def trace() -> Trace:
    return Trace()


def test_lines_of_both_sides_with_literals_by_their_size_only(trace):
    trace.server(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
    trace.client(b"A1 APPEND Box {%d+}\r\n" % len(MAIL), MAIL, b"\r\nA2 NOOP\r\n")
    trace.server(
        b"* 1 FETCH (UID 1 BODY[] {%d}\r\n" % len(MAIL) + MAIL[:5],
        MAIL[5:] + b" FLAGS (\\Seen))\r\nA1 OK x\n",
    )
    assert trace.lines == [
        "S: * OK [CAPABILITY IMAP4rev1] ready",
        f"C: A1 APPEND Box {{{len(MAIL)}+}}",
        f"C: [{len(MAIL)} octets]",
        "C: A2 NOOP",
        f"S: * 1 FETCH (UID 1 BODY[] {{{len(MAIL)}}}",
        f"S: [{len(MAIL)} octets] FLAGS (\\Seen))",
        "S: A1 OK x",
    ]


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_split_of_the_octets_does_not_matter(size):
    whole, parts = Trace(), Trace()
    stream = (
        b'* LIST () "/" {3}\r\na\nb\r\n* OK {5}\r\n* 1 FETCH (BODY[] {%d}\r\n' % len(MAIL)
        + MAIL
        + b")\r\n* BYE \xff\\x41\r\n"
    )
    whole.server(stream)
    parts.server(*(stream[at : at + size] for at in range(0, len(stream), size)))
    assert parts.lines == whole.lines
    assert whole.lines[-1] == "S: * BYE \\xff\\x5cx41"
    assert "S: * OK {5}" in whole.lines


@pytest.mark.parametrize("password", [CANARY, CANARY + "\u00e4", f'{CANARY}"\\'])
def test_login_is_hidden_in_whatever_form_it_goes(trace, password):
    parts = commands.login("ada", Secret(password)).parts
    trace.client(b"A1 ")
    for part in parts:
        if isinstance(part, bytes):
            trace.client(part)
        else:
            trace.client(b"{%d}\r\n" % part.size)
            trace.server(b"+ go\r\n")
            trace.client(part.octets)
    trace.client(b"\r\n")
    trace.server(b"A1 BAD cannot read " + password.encode() + b"\r\n")
    trace.client(b"A2 NOOP\r\n")
    shown = "\n".join(trace.lines)
    assert CANARY not in shown
    assert trace.lines[0] == "C: A1 LOGIN ***"
    assert trace.lines[-2:] == ["S: A1 BAD ***", "C: A2 NOOP"]


@pytest.mark.parametrize("with_initial", [True, False])
def test_authenticate_is_hidden_both_ways(trace, with_initial):
    secret = base64.b64encode(CANARY.encode())
    trace.client(b"A1 AUTHENTICATE SCRAM-SHA-256" + (b" " + secret if with_initial else b"") + b"\r\n")
    trace.server(b"+ " + secret + b"\r\n")
    trace.client(secret + b"\r\n")
    trace.server(b"* CAPABILITY IMAP4rev1\r\nA1 NO [AUTHENTICATIONFAILED] " + secret + b"\r\n")
    assert secret.decode() not in "\n".join(trace.lines)
    assert trace.lines == [
        "C: A1 AUTHENTICATE SCRAM-SHA-256" + (" ***" if with_initial else ""),
        "S: + ***",
        "C: ***",
        "S: * CAPABILITY IMAP4rev1",
        "S: A1 NO [AUTHENTICATIONFAILED] ***",
    ]


def test_body_in_quotes_is_hidden_too(trace):
    trace.server(b'* 1 FETCH (UID 1 BODY[] "c4n\\"4ry" BODY[HEADER] "c4n4ry" FLAGS ())\r\n')
    assert trace.lines == ['S: * 1 FETCH (UID 1 BODY[] "***" BODY[HEADER] "***" FLAGS ())']


def test_endless_line_costs_no_memory_and_its_literal_is_still_skipped(trace):
    for _ in range(100):
        trace.server(b"* SEARCH " + b"1 " * 5000)
    trace.server(b"BODY[] {6}\r\nc4n4ry\r\n* OK\r\n")
    assert max(map(len, trace.lines)) < MOST_LINE_BYTES + 100
    assert "octets cut]" in trace.lines[0]
    assert trace.lines[1:] == ["S: [6 octets]", "S: * OK"]


def test_directions_are_written_as_in_transcripts():
    assert [str(one) for one in Direction] == ["C", "S"]
