"""Fuzz target: whatever a server sends, the IMAP parser answers with events or with one typed error, in bounded memory.

The input is a program of one byte for its options and one for the cut, then the server's octets. With atheris installed:

    make fuzz FUZZ=imap MINUTES=10
    python tests/fuzz/fuzz_imap.py [libFuzzer options, or files to try again]

goes on from the corpus under .cache/fuzz-imap, which begins with the transcripts; without it the same checks run in the gate
(test_fuzz_imap.py). A finding is written to .cache/fuzz-imap-findings and its path is told.
"""

import contextlib
import re
import sys
import tracemalloc
from collections.abc import Iterator
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
    from daemon.model.uidset import UidSet
    from daemon.wire.imap import commands
    from daemon.wire.imap.commands import FetchItem
    from daemon.wire.imap.connection import ImapConnection
    from daemon.wire.imap.limits import Limits
    from daemon.wire.imap.responses import FetchData, LiteralData
    from daemon.wire.imap.states import State
    from daemon.wire.imap.trace import MOST_LINE_BYTES, Tracer

TRANSCRIPTS = ROOT / "tests" / "data" / "transcripts"
# Small, so that a fuzzer reaches them: each is a branch.
LIMITS = Limits(
    status_line_bytes=2048,
    data_line_bytes=4096,
    number_line_bytes=8192,
    inline_literal_bytes=256,
    gathered_literal_bytes=512,
    max_literal_bytes=4096,
    gathered_response_bytes=2048,
    nesting_depth=16,
    untagged_count=2000,
    untagged_bytes=1 << 20,
    quiet_untagged_count=1000,
    quiet_untagged_bytes=1 << 19,
)
PORTION_BYTES = 64 * 1024
KEPT_BYTES = 4 << 20
"""Most memory that any input may hold, whatever its length: the limits, and the values made of one portion."""


def seeds() -> list[bytes]:
    """The server's side of every IMAP transcript."""
    found = []
    for path in sorted(TRANSCRIPTS.glob("*.txt")):
        if path.name.startswith("pop3"):
            continue
        lines = [line[3:] for line in path.read_text("ascii").splitlines() if line[:2] in ("S:", "s:")]
        text = "\r\n".join(lines).encode() + b"\r\n"
        found.append(re.sub(rb"\\x([0-9a-f]{2})", lambda one: bytes([int(one[1], 16)]), text))
    return found


def prepared(options: int) -> ImapConnection:
    """A connection in one of the states in which octets of a server arrive, with commands to be answered as A1, A2, …"""
    connection = ImapConnection(limits=LIMITS)
    if options & 1:
        return connection
    connection.receive(b"* PREAUTH [CAPABILITY IMAP4rev1 LITERAL+ IDLE NOTIFY] hi\r\n")
    connection.submit(commands.compress() if options & 2 else commands.select(b"INBOX"))
    if not options & 2:
        connection.receive(b"* 3 EXISTS\r\nA1 OK [READ-WRITE] done\r\n")
        connection.submit(
            commands.uid_fetch(UidSet([1, 2, 3]), [FetchItem.UID, FetchItem.FLAGS, FetchItem.BODY])
        )
        connection.submit(commands.uid_search(returning=("ALL",)))
        connection.submit(commands.idle() if options & 4 else commands.append(b"Box", b"hello"))
    return connection


def cut(stream: bytes, width: int) -> Iterator[bytes]:
    """The stream in portions of `width` octets; 0 is all at once."""
    step = width or max(len(stream), 1)
    for at in range(0, len(stream), step):
        yield stream[at : at + step]


def feed(connection: ImapConnection, portions: Iterator[bytes]) -> tuple[list[object], str | None]:
    """Events without their octets, and how it ended: the fault, or the octets that are deflated from here on.

    Any other exception is a finding.
    """
    tracer = Tracer(lambda direction, text: check_line(text))
    events: list[object] = []
    for portion in portions:
        tracer.received(portion)
        try:
            found = connection.receive(bytearray(portion))
        except (RemoteProtocolError, TlsFailed) as exc:
            events += plain(connection.events_before_fault)
            assert connection.state is State.BROKEN
            return events, f"{type(exc).__name__} {exc.reason}"
        events += plain(found)
        connection.data_to_send()
        if connection.is_compressed:
            return events, f"deflated {connection.take_deflated() + b''.join(portions)!r}"
    return events, None


def plain(events) -> Iterator[object]:
    """Events as they can be compared: the portions of a literal are no events of their own."""
    for event in events:
        if not isinstance(event, LiteralData):
            yield event
        if isinstance(event, FetchData) and event.body is not None:
            assert len(event.body) <= LIMITS.gathered_literal_bytes


def check_line(text: str) -> None:
    assert text.isascii()
    assert len(text) <= 4 * MOST_LINE_BYTES + 200


def check(program: bytes) -> None:
    """Run one input; an assertion or an exception of another kind is a finding."""
    options, width, stream = program[0] if program else 0, program[1] if program[1:] else 0, program[2:]
    expected = feed(prepared(options), cut(stream, 0))
    assert feed(prepared(options), cut(stream, width)) == expected, (
        "the split of the octets made a difference"
    )


def most_memory(options: int, stream: bytes) -> int:
    """Bytes held at most while a stream is fed as a line delivers it and its events are let go."""
    connection = prepared(options)
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


def log_in_first() -> ImapConnection:
    """A connection whose LOGIN is unanswered: octets of a stranger before we know him."""
    connection = ImapConnection(limits=LIMITS)
    connection.receive(b"* OK hello\r\n")
    connection.submit(commands.login("ada", Secret("x")))
    return connection


def main() -> None:
    corpus = ROOT / ".cache" / "fuzz-imap"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        for options in range(8):
            (corpus / f"seed-{number}-{options}").write_bytes(bytes([options, 7]) + seed)
    findings = ROOT / ".cache" / "fuzz-imap-findings"
    findings.mkdir(exist_ok=True)
    given = sys.argv[1:]
    places = [] if any(not one.startswith("-") for one in given) else [str(corpus)]
    defaults = [f"-artifact_prefix={findings}/", "-max_len=8192", "-timeout=20"]
    atheris.Setup([sys.argv[0], *defaults, *given, *places], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
