"""POP3 transcripts, fed in any portions."""

from collections.abc import Callable, Sequence

import pytest

from daemon.model.secret import Secret
from daemon.wire.pop3 import commands
from daemon.wire.pop3.connection import Pop3Connection
from daemon.wire.pop3.events import MessageData
from daemon.wire.pop3.responses import SizeLines, UidlLines
from tests.support.transcripts import Cut, all_cuts, read_transcript, whole

Action = Callable[[Pop3Connection], object]


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
    return all_cuts()


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
