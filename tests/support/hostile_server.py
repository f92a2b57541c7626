"""IMAP servers that break every rule, in a process of their own: `start` one for each attack by its name.

Each behaves like an ordinary server until the command at which it strikes, and then sends its octets for as long as they are
taken. Run as a script it prints one line of JSON, the port of each attack named, and serves until its input ends.
"""

import contextlib
import itertools
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

CAPS = b"IMAP4rev1 UIDPLUS IDLE ENABLE CONDSTORE QRESYNC LITERAL+ ESEARCH UNSELECT"
PIECE_BYTES = 128 * 1024
MIB = 1 << 20
ROOT = Path(__file__).parents[2]

Octets = Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class Attack:
    """What is sent at the command `at`; `exists` messages are claimed; `caps` is what is offered."""

    at: str
    octets: Octets
    exists: int = 0
    caps: bytes = CAPS
    tree: bytes = b'* LIST () "/" INBOX\r\n'


def again(piece: bytes, first: bytes = b"") -> Octets:
    """`first`, then the same octets without end."""

    def octets() -> Iterator[bytes]:
        if first:
            yield first
        yield from itertools.repeat(piece * (PIECE_BYTES // len(piece) + 1))

    return octets


def counted(line: bytes, first: int = 1) -> Octets:
    """A line in which every `%d` is the number of the line, without end."""
    count = line.count(b"%d")

    def octets() -> Iterator[bytes]:
        for start in itertools.count(first, 1000):
            yield b"".join(line % ((number,) * count) for number in range(start, start + 1000))

    return octets


def once(*pieces: bytes) -> Octets:
    """These octets, and silence."""
    return lambda: iter(pieces)


def dripped(octets: bytes, seconds: float) -> Octets:
    """One octet each `seconds`."""

    def drops() -> Iterator[bytes]:
        for octet in itertools.cycle(octets):
            yield bytes([octet])
            time.sleep(seconds)

    return drops


def mixed() -> Iterator[bytes]:
    """Every kind of untagged data in turn."""
    for number in itertools.count(1):
        yield b"".join(
            b'* LIST () "/" "box%d"\r\n* FLAGS (a%d b%d)\r\n* SEARCH %d %d\r\n* STATUS "box%d" (UIDNEXT %d)\r\n'
            b"* VANISHED (EARLIER) %d\r\n* XUNKNOWN %d\r\n* OK [X%d] so\r\n* ESEARCH UID ALL %d:%d\r\n* NO %d\r\n"
            % ((n,) * 13)
            for n in range(number * 100, number * 100 + 100)
        )


SPREAD = b",".join(b"%d" % number for number in range(1_000_000_000, 1_002_800_000, 2))
"""A set of UIDs in which none follows another, about as long as such a line may be."""

UNORDERED = b",".join(b"%d" % number for number in range(1_002_000_000, 1_000_000_000, -2))

FALSE_FETCH = b'* %d FETCH (UID %d FLAGS (\\Seen) MODSEQ (%d) RFC822.SIZE %d INTERNALDATE "17-Jul-2019 02:44:25 +0000")\r\n'

EVIL_NAMES = [
    b'"../../../../etc/passwd"', b'"/etc/passwd"', b'".."', b'"."', b'"a/../../b"', b'"cur"', b'"new/tmp"', b'"~root"', b'"a\\\\b"',
    b'"mailsyncd-id"', b'"a//b"', b'"a/"', b'"\xff\xfe"', b'"&bad"', b'"&AC8-etc"', b'"a\x01\x1b[2Jb"', b'"inbox"', b'"InBoX/x"',
    b"{5}\r\na\0b\r\n", b"{40000}\r\n" + b"long/" * 8_000, b'"' + b"L" * 60_000 + b'"', b'"Twin"', b'"twin"', b'"Twin"', b'"T\xc3\xa9"',
    b'"Te\xcc\x81"', b'""', b'" "', b'"*"', b'"%"',
]  # fmt: skip
"""Names that lead elsewhere, break lines, are of no encoding, very long, or the same twice."""

ATTACKS: dict[str, Attack] = {
    "flood": Attack("FETCH", again(b"* 1 XUNKNOWN something\r\n"), exists=3),
    "literal": Attack("BODY", once(b"* 1 FETCH (UID 1 BODY[] {4294967296}\r\n"), exists=1),
    "parentheses": Attack("FETCH", once(b"* 1 FETCH (" + b"(" * 1_000_000 + b"\r\n"), exists=3),
    "greeting": Attack("GREETING", again(b"* OK "), exists=3),
    "greeting_lines": Attack("GREETING", again(b"* OK hello\r\n"), exists=3),
    "line": Attack("FETCH", again(b"x", b"* OK "), exists=3),
    "continuations": Attack("FETCH", again(b"+ go on\r\n"), exists=3),
    "idle": Attack("IDLE", again(b"* 3 XUNKNOWN\r\n"), exists=0),
    "idle_exists": Attack("IDLE", counted(b"* %d EXISTS\r\n")),
    "idle_fetch": Attack("IDLE", counted(b"* 1 FETCH (UID %d FLAGS (\\Seen))\r\n")),
    "idle_expunge": Attack("IDLE", again(b"* 1 EXISTS\r\n* 1 EXPUNGE\r\n")),
    "idle_vanished": Attack("IDLE", counted(b"* VANISHED %d\r\n")),
    "idle_still_here": Attack("IDLE", again(b"* OK Still here\r\n")),
    "unasked_fetch": Attack("LIST", counted(b"* 1 FETCH (UID %d FLAGS (k%d))\r\n")),
    "mixture": Attack("FETCH", mixed, exists=3),
    "mixture_select": Attack("SELECT", mixed, exists=3),
    "code": Attack("SELECT", again(b"x", b"* OK [" + b"y" * MIB)),
    "codes": Attack("SELECT", again(b"* OK [X" + b"y" * 60_000 + b"] z\r\n")),
    "drip": Attack("SELECT", dripped(b"* OK still thinking about it\r\n", 10)),
    "mailboxes": Attack("LIST", counted(b'* LIST (\\HasNoChildren) "/" "a mailbox with quite a long name %d"\r\n')),
    "false_exists": Attack("FETCH", counted(FALSE_FETCH), exists=5_000_000),
    "false_exists_keywords": Attack("FETCH", counted(FALSE_FETCH.replace(b"\\Seen", b"k%d l%d")), exists=5_000_000),
    "false_million": Attack("FETCH", counted(FALSE_FETCH), exists=1_000_000),
    "search": Attack("SEARCH", again(b"* ESEARCH UID ALL " + SPREAD + b"\r\n"), exists=5_000_000),
    "vanished": Attack("SELECT", again(b"* VANISHED (EARLIER) " + SPREAD + b"\r\n"), exists=5_000_000),
    "unordered": Attack("SELECT", again(b"* VANISHED (EARLIER) " + UNORDERED + b"\r\n"), exists=5),
    "vanished_fetch": Attack("FETCH", again(b"* VANISHED (EARLIER) " + SPREAD + b"\r\n"), exists=5),
    "select_fetch": Attack("SELECT", counted(FALSE_FETCH), exists=5_000_000),
    "bodies": Attack("BODY", counted(b"* 1 FETCH (UID 1 BODY[] {1000000}\r\n" + b"x" * 1_000_000 + b")\r\n* %d EXISTS\r\n"), exists=1),
    "long_body": Attack("BODY", again(b"x" * 1000, b"* 1 FETCH (UID 1 BODY[] {1073741824}\r\n"), exists=1),
    "flags": Attack("SELECT", counted(b"* FLAGS (k%d " + b"abcdefgh " * 1000 + b")\r\n")),
    "capabilities": Attack("LOGIN", counted(b"* CAPABILITY IMAP4rev1 " + b"X%d=Y " * 1000 + b"\r\n")),
    "enabled": Attack("ENABLE", counted(b"* ENABLED X%d\r\n")),
    "namespaces": Attack("LIST", counted(b"* NAMESPACE ((" + b'"n%d" "/")(' * 500 + b'"x" "/")) NIL NIL\r\n')),
    "status": Attack("LIST", counted(b'* STATUS "%d" (UIDNEXT 1)\r\n')),
    "id": Attack("ID", counted(b"* ID (" + b'"a%d" "bbbbbbbbbbbb" ' * 500 + b")\r\n"), caps=CAPS + b" ID"),
    "names": Attack(
        "NEVER", once(), tree=b'* LIST () "/" INBOX\r\n' + b"".join(b'* LIST () "/" %b\r\n' % name for name in EVIL_NAMES)
    ),
    "inline_literals": Attack("LIST", again(b'* LIST () "/" {60000}\r\n' + b"z" * 60_000 + b"\r\n")),
}  # fmt: skip
"""Each endless but those that are meant to be waited for."""


class Server:
    """One attack, one port; any number of connections."""

    def __init__(self, attack: Attack) -> None:
        self._attack = attack
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            line, _ = self._socket.accept()
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError), line:
            Conversation(line, self._attack).run()


class Conversation:
    """One connection: an ordinary server until it strikes."""

    def __init__(self, line: socket.socket, attack: Attack) -> None:
        self._line = line
        self._reader = line.makefile("rb")
        self._attack = attack

    def run(self) -> None:
        caps = self._attack.caps
        self._strike("GREETING")
        self._say(b"* OK [CAPABILITY " + caps + b" AUTH=PLAIN SASL-IR] ready\r\n")
        while text := self._command():
            tag, _, rest = text.strip().partition(b" ")
            command = self._word(rest)
            self._strike(command)
            self._say(self._answer(command, rest))
            if command == "IDLE":
                self._reader.readline()
            code = b"[CAPABILITY " + caps + b"] " if command == "LOGIN" else b""
            self._say(tag + b" OK " + code + b"done\r\n")

    def _command(self) -> bytes:
        """One command, its literals (LITERAL+ is offered) read in."""
        text = self._reader.readline()
        while text.endswith(b"+}\r\n"):
            size = int(text[text.rindex(b"{") + 1 : -4])
            text += self._reader.read(size) + self._reader.readline()
        return text

    @staticmethod
    def _word(rest: bytes) -> str:
        words = rest.decode("latin-1").upper().split()
        if "BODY.PEEK[]" in rest.decode("latin-1").upper():
            return "BODY"
        word = words[1] if words[0] == "UID" else words[0]
        return "LOGIN" if word == "AUTHENTICATE" else word

    def _answer(self, command: str, rest: bytes) -> bytes:
        exists = self._attack.exists
        match command:
            case "LIST":
                return self._attack.tree
            case "SELECT":
                return (
                    b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT %d] x\r\n* OK [HIGHESTMODSEQ 9] x\r\n"
                    % (
                        exists,
                        exists + 1,
                    )
                )
            case "STATUS":
                return b"* STATUS INBOX (MESSAGES %d UIDNEXT %d UIDVALIDITY 7 HIGHESTMODSEQ 9)\r\n" % (
                    exists,
                    exists + 1,
                )
            case "FETCH":
                return b"".join(FALSE_FETCH % ((n,) * 4) for n in range(1, min(exists, 100) + 1))
            case "IDLE":
                return b"+ idling\r\n"
            case "NAMESPACE":
                return b'* NAMESPACE (("" "/")) NIL NIL\r\n'
        return b""

    def _strike(self, command: str) -> None:
        if command != self._attack.at:
            return
        if command == "IDLE":
            self._say(b"+ idling\r\n")
        for octets in self._attack.octets():
            self._say(octets)
        while self._reader.read(4096):
            continue
        raise ConnectionAbortedError

    def _say(self, octets: bytes) -> None:
        self._line.sendall(octets)


@contextlib.contextmanager
def start(*names: str) -> Iterator[dict[str, int]]:
    """The port of a server for each attack named; a process of its own, because a flood is work."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.hostile_server", *names],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.kill()


def main() -> None:
    print(json.dumps({name: Server(ATTACKS[name]).port for name in sys.argv[1:]}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
