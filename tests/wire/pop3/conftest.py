"""Transcripts: `C:` what we send, `S:` what the server sends, fed in any portions."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from daemon.model.secret import Secret
from daemon.wire.pop3 import commands
from daemon.wire.pop3.connection import Pop3Connection
from daemon.wire.pop3.events import MessageData
from daemon.wire.pop3.responses import SizeLines, UidlLines

TRANSCRIPTS = Path(__file__).parents[2] / "data" / "transcripts"
Action = Callable[[Pop3Connection], object]
Cut = Callable[[bytes], Iterator[bytes]]


def read_transcript(name: str) -> list[tuple[str, bytes]]:
    """Blocks of one side. `s:` is a line that ends in LF alone; `\\xNN` is one byte; `#` starts a remark."""
    blocks: list[tuple[str, bytes]] = []
    for line in (TRANSCRIPTS / f"{name}.txt").read_text("ascii").splitlines():
        side, text = line[:2], line[3:]
        if side not in ("C:", "S:", "s:"):
            assert line == "" or line.startswith("#"), line
            continue
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
    """Events as plain values, neighbouring portions joined: what no split may change."""
    found: list[object] = []
    for event in events:
        last = found[-1] if found else None
        if isinstance(event, MessageData) and isinstance(last, MessageData):
            found[-1] = MessageData(last.data + event.data)
        elif isinstance(event, SizeLines | UidlLines):
            if type(last) is type(event):
                found[-1] = type(event)([*last.entries, *event.entries])
            elif event.entries:
                found.append(type(event)(list(event.entries)))
        else:
            found.append(event)
    return found


def play(
    name: str, actions: Sequence[Action], cut: Cut = whole, **options
) -> tuple[list[object], Pop3Connection]:
    """Run a transcript: an action is taken whenever `C:` has more than was sent by itself."""
    connection = Pop3Connection(**options)
    left = list(actions)
    events: list[object] = []
    for side, octets in read_transcript(name):
        if side == "C:":
            said = connection.data_to_send()
            while len(said) < len(octets):
                assert left, f"nothing more to do, and the transcript has {octets[len(said) :]!r}"
                left.pop(0)(connection)
                said += connection.data_to_send()
            assert said == octets
        else:
            for portion in cut(octets):
                events += connection.receive(bytearray(portion))
    assert not left
    return settled(events), connection


@pytest.fixture
def play_transcript():
    return play


@pytest.fixture
def cuts() -> list[Cut]:
    return [whole, bytewise, *(at_random(seed) for seed in range(25))]


@pytest.fixture
def settle():
    return settled


@pytest.fixture
def logged_in() -> Callable[..., Pop3Connection]:
    """A connection in the state TRANSACTION, with the capabilities given."""

    def make(capabilities: str = "PIPELINING", **options) -> Pop3Connection:
        connection = Pop3Connection(**options)
        connection.receive(b"+OK ready\r\n")
        connection.submit(commands.capa())
        lines = "".join(f"{line}\r\n" for line in capabilities.split("|"))
        connection.receive(b"+OK\r\n" + lines.encode() + b".\r\n")
        connection.submit(commands.user("ada"))
        connection.receive(b"+OK\r\n")
        connection.submit(commands.password(Secret("lovelace")))
        connection.receive(b"+OK\r\n")
        connection.data_to_send()
        return connection

    return make
