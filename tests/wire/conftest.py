"""IMAP transcripts, fed in any portions."""

from collections.abc import Callable, Sequence

import pytest

from daemon.model.secret import Secret
from daemon.wire.imap import commands
from daemon.wire.imap.connection import ImapConnection
from daemon.wire.imap.responses import LiteralData
from tests.support.transcripts import Cut, all_cuts, read_transcript, whole

Action = Callable[[ImapConnection], object]


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
    return all_cuts()


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
