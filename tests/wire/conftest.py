"""Transcripts: `C:` what we send, `S:` what the server sends, fed in any portions."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from daemon.model.secret import Secret
from daemon.wire.imap import commands
from daemon.wire.imap.connection import ImapConnection
from daemon.wire.imap.responses import LiteralData

TRANSCRIPTS = Path(__file__).parents[1] / "data" / "transcripts"
Action = Callable[[ImapConnection], object]
Cut = Callable[[bytes], Iterator[bytes]]


def read_transcript(name: str) -> list[tuple[str, bytes]]:
    """Blocks of one side. `s:` is a line that ends in LF alone; `\\xNN` is one byte; `#` starts a remark.

    `[n octets]` behind a line that announces a literal stands for its octets, as a trace leaves them out.
    """
    blocks: list[tuple[str, bytes]] = []
    for line in (TRANSCRIPTS / f"{name}.txt").read_text("ascii").splitlines():
        side, text = line[:2], line[3:]
        if side not in ("C:", "S:", "s:"):
            assert line == "" or line.startswith("#"), line
            continue
        left_out = re.match(r"\[(\d+) octets\]", text)
        if left_out and blocks and re.search(rb"\{%b\+?\}\r\n\Z" % left_out[1].encode(), blocks[-1][1]):
            text = "x" * int(left_out[1]) + text[left_out.end() :]
        octets = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())
        octets += b"\n" if side == "s:" else b"\r\n"
        if blocks and blocks[-1][0] == side.upper():
            blocks[-1] = (side.upper(), blocks[-1][1] + octets)
        else:
            blocks.append((side.upper(), octets))
    return blocks


def whole(data: bytes) -> Iterator[bytes]:
    yield data


def bytewise(data: bytes) -> Iterator[bytes]:
    for at in range(len(data)):
        yield data[at : at + 1]


def at_random(seed: int) -> Cut:
    chance = random.Random(seed)

    def cut(data: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(data):
            size = chance.choice((1, 2, 3, 7, 20, 200))
            yield data[at : at + size]
            at += size

    return cut


def settled(events: Sequence[object]) -> list[object]:
    """Events as plain values, neighbouring portions of a literal joined: what no split may change."""
    found: list[object] = []
    for event in events:
        if isinstance(event, LiteralData):
            if found and isinstance(found[-1], bytes):
                found[-1] += bytes(event.data)
            else:
                found.append(bytes(event.data))
        else:
            found.append(event)
    return found


def play(
    name: str, actions: Sequence[Action], cut: Cut = whole, **options
) -> tuple[list[object], ImapConnection]:
    """Run a transcript: an action is taken whenever `C:` has more than was sent by itself."""
    connection = ImapConnection(**options)
    left = list(actions)
    events: list[object] = []
    for side, octets in read_transcript(name):
        if side == "C:":
            said = b"".join(connection.data_to_send())
            while len(said) < len(octets):
                assert left, f"nothing more to do, and the transcript has {octets[len(said) :]!r}"
                left.pop(0)(connection)
                said += b"".join(connection.data_to_send())
            assert said == octets
        else:
            for portion in cut(octets):
                events += settled(connection.receive(bytearray(portion)))
    assert not left
    return settled_again(events), connection


def settled_again(events: list[object]) -> list[object]:
    found: list[object] = []
    for event in events:
        if isinstance(event, bytes) and found and isinstance(found[-1], bytes):
            found[-1] += event
        else:
            found.append(event)
    return found


@pytest.fixture
def play_transcript():
    return play


@pytest.fixture
def cuts() -> list[Cut]:
    return [whole, bytewise, *(at_random(seed) for seed in range(25))]


@pytest.fixture
def settle():
    return lambda events: settled_again(settled(events))


@pytest.fixture
def logged_in() -> Callable[..., ImapConnection]:
    """A connection that is authenticated, or has INBOX selected."""

    def make(capabilities: str = "IMAP4rev1", *, selected: bool = False, **options) -> ImapConnection:
        connection = ImapConnection(**options)
        connection.receive(b"* OK ready\r\n")
        login = connection.submit(commands.login("ada", Secret("lovelace")))
        connection.receive(login.tag + b" OK [CAPABILITY " + capabilities.encode() + b"] in\r\n")
        if selected:
            select = connection.submit(commands.select(b"INBOX"))
            connection.receive(b"* 3 EXISTS\r\n" + select.tag + b" OK [READ-WRITE] selected\r\n")
        connection.data_to_send()
        return connection

    return make
