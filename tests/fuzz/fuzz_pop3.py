"""Fuzz target: whatever a server sends, the POP3 parser answers with events or with one typed error, in bounded memory.

The input is a program of one byte for the state and one for the cut, then the server's octets. With atheris installed:

    make fuzz FUZZ=pop3 MINUTES=10
    python tests/fuzz/fuzz_pop3.py [libFuzzer options, or files to try again]

goes on from the corpus under .cache/fuzz-pop3, which begins with the transcripts; without it the same checks run in the gate
(test_fuzz_pop3.py). A finding is written to .cache/fuzz-pop3-findings and its path is told.
"""

import contextlib
import sys
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
watched: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed: pip install atheris (CPython on Linux)")
    watched = atheris.instrument_imports(include=["daemon"])

with watched:
    from daemon.model.errors import RemoteProtocolError, TlsFailed
    from daemon.model.secret import Secret
    from daemon.wire.pop3 import commands, refusals
    from daemon.wire.pop3.connection import Pop3Connection
    from daemon.wire.pop3.events import CommandDone, Farewell, Greeting, MessageBegin, MessageData
    from daemon.wire.pop3.limits import Limits
    from daemon.wire.pop3.listings import UIDL_CHARACTERS
    from daemon.wire.pop3.responses import TEXT_CHARACTERS, SizeLines, Status, Streamed, UidlLines
    from daemon.wire.pop3.states import State
    from tests.support.transcripts import TRANSCRIPTS, read_transcript

# Small, so that a fuzzer reaches them: each is a branch.
LIMITS = Limits(
    status_line_bytes=2048,
    listing_line_bytes=1024,
    listing_count=200,
    listing_bytes=8192,
    capability_bytes=1024,
    gathered_message_bytes=256,
    max_message_bytes=4096,
    blank_lines=10,
)
PORTION_BYTES = 8 * 1024
KEPT_BYTES = 768 * 1024
"""Most memory that any input may hold, whatever its length: the limits, and the values made of one portion."""

STATES = 8


def seeds() -> list[bytes]:
    """The server's side of every POP3 transcript: whole, and from each of its turns on."""
    found: list[bytes] = []
    for path in sorted(TRANSCRIPTS.glob("pop3*.txt")):
        turns = [octets for side, octets in read_transcript(path.stem) if side == "S:"]
        found += [b"".join(turns[at:]) for at in range(len(turns))]
    return found


def prepared(state: int) -> Pop3Connection:
    """A connection in one of the states in which octets of a server arrive."""
    connection = Pop3Connection(limits=LIMITS)
    state %= STATES
    if state == 1:
        return connection
    connection.receive(b"+OK hi\r\n")
    match state:
        case 2:
            connection.submit(commands.stls())
        case 3:
            connection.submit(commands.auth("PLAIN"))
        case 4:
            connection.submit(commands.capa())
        case 5:
            connection.submit(commands.user("ada"))
        case _:
            if state == 0:
                connection.submit(commands.capa())
                connection.receive(b"+OK\r\nPIPELINING\r\nRESP-CODES\r\n.\r\n")
            connection.submit(commands.auth("PLAIN", b"AGEAYg=="))
            connection.receive(b"+OK\r\n")
            for command in (commands.leave(),) if state == 7 else _of_a_poll():
                connection.submit(command)
    return connection


def _of_a_poll() -> tuple[commands.Command, ...]:
    return (
        commands.stat(),
        commands.list_uidls(),
        commands.list_sizes(),
        commands.retr(1),
        commands.retr(2),
        commands.list_sizes(3),
        commands.list_uidls(3),
        commands.capa(),
        commands.top(1, 0),
        commands.dele(1),
        commands.rset(),
        commands.noop(),
    )


def cut(stream: bytes, width: int) -> Iterator[bytes]:
    """The stream in portions of `width` octets; 0 is all at once."""
    step = width or max(len(stream), 1)
    for at in range(0, len(stream), step):
        yield stream[at : at + step]


def feed(connection: Pop3Connection, portions: Iterator[bytes]) -> tuple[list[object], str | None]:
    """What came, as it can be compared, and how it ended: the fault, or None. Any other exception is a finding."""
    events: list[object] = []
    for portion in portions:
        try:
            events += connection.receive(bytearray(portion))
        except (RemoteProtocolError, TlsFailed) as exc:
            events += connection.events_before_fault
            assert connection.state is State.BROKEN
            check_events(events)
            return completed(events), f"{type(exc).__name__} {exc.reason}"
        connection.data_to_send()
    check_events(events)
    return completed(events), None


def completed(events: Sequence[object]) -> list[object]:
    """Portions of listings and messages depend on where octets were split; what they add up to does not."""
    found: list[object] = []
    entries: list[object] = []
    octets = bytearray()
    for event in events:
        match event:
            case MessageBegin():
                octets = bytearray()
            case MessageData(data):
                octets += data
            case SizeLines(lines) | UidlLines(lines):
                entries += lines
            case CommandDone(result=Streamed(size)):
                assert size == len(octets)
                found += [bytes(octets), event]
            case CommandDone():
                found += [entries, event]
                entries = []
            case _:
                found.append(event)
    return found


def check_events(events: Sequence[object]) -> None:
    """What a caller stores and shows is clean and bounded, whatever was sent."""
    size = 0
    for event in events:
        match event:
            case Greeting(status) | Farewell(status):
                check_status(status)
            case CommandDone(status=status, result=result):
                check_status(status)
                assert not isinstance(result, bytes) or len(result) <= LIMITS.max_message_bytes
            case MessageBegin():
                size = 0
            case MessageData(data):
                size += len(data)
                assert size <= LIMITS.max_message_bytes
            case UidlLines(entries):
                for number, uidl in entries:
                    assert number > 0
                    assert uidl is None or (uidl.isascii() and uidl.isprintable() and " " not in uidl)
                    assert uidl is None or 0 < len(uidl) <= UIDL_CHARACTERS
            case SizeLines(entries):
                assert all(number > 0 and (octets is None or octets >= 0) for number, octets in entries)


def check_status(status: Status) -> None:
    assert len(status.text) <= TEXT_CHARACTERS
    assert not any(char < " " for char in status.text)
    if not status.is_ok:
        refusals.refusal(status)
        refusals.is_busy(status)


def check(program: bytes) -> None:
    """Run one input; an assertion or an exception of another kind is a finding."""
    state, width, stream = program[0] if program else 0, program[1] if program[1:] else 0, program[2:]
    expected = shown(feed(prepared(state), cut(stream, 0)))
    assert shown(feed(prepared(state), cut(stream, width))) == expected, (
        "the split of the octets made a difference"
    )


def shown(outcome: tuple[list[object], str | None]) -> tuple[list[str], str | None]:
    """Handles of commands are other objects each time: the command's text stands for them."""
    events, fault = outcome
    return [
        repr((event.sent.command.describe(), event.status, event.result))
        if isinstance(event, CommandDone)
        else repr((type(event).__name__, getattr(event, "data", event)))
        for event in events
    ], fault


def most_memory(state: int, stream: bytes) -> int:
    """Bytes held at most while a stream is fed as a line delivers it and its events are let go."""
    connection = prepared(state)
    portions = [bytearray(portion) for portion in cut(stream, PORTION_BYTES)]
    tracemalloc.start()
    try:
        for portion in portions:
            try:
                connection.receive(portion)
            except (RemoteProtocolError, TlsFailed):
                break
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def log_in_first() -> Pop3Connection:
    """A connection whose PASS is unanswered: octets of a stranger before we know him."""
    connection = Pop3Connection(limits=LIMITS)
    connection.receive(b"+OK hello\r\n")
    connection.submit(commands.user("ada"))
    connection.receive(b"+OK\r\n")
    connection.submit(commands.password(Secret("x")))
    return connection


def main() -> None:
    corpus = ROOT / ".cache" / "fuzz-pop3"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        for state in range(STATES):
            (corpus / f"seed-{number}-{state}").write_bytes(bytes([state, 7]) + seed)
    findings = ROOT / ".cache" / "fuzz-pop3-findings"
    findings.mkdir(exist_ok=True)
    given = sys.argv[1:]
    places = [] if any(not one.startswith("-") for one in given) else [str(corpus)]
    defaults = [f"-artifact_prefix={findings}/", "-max_len=8192", "-timeout=20"]
    atheris.Setup([sys.argv[0], *defaults, *given, *places], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
