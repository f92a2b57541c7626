r"""Commands on their way out: tags, order, the window of commands in flight, and literals.

Pure. Commands leave in the order of `submit`. The first in the queue waits while it may not overlap with one in
flight (`states.may_overlap`), while the window is full, or while the command before it has literal octets to send. A
synchronising literal waits for the server's `+`; with LITERAL+ (RFC 7888), or LITERAL- up to 4,096 octets, none is asked.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from daemon.model.errors import LocalProtocolError
from daemon.wire.imap.arguments import Literal, LiteralSlot
from daemon.wire.imap.capabilities import Capabilities
from daemon.wire.imap.commands import Command
from daemon.wire.imap.states import Kind, may_overlap

MAX_LITERAL_MINUS_BYTES: Final = 4096  # RFC 7888 §5
JOINED_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Sent:
    """The handle of a command: its tag and the command. Hashed by tag, for it may carry megabytes."""

    tag: bytes
    command: Command = field(hash=False)


@dataclass(frozen=True, slots=True)
class LiteralWanted:
    """The shell may send octets of this command now; `size` of them are still missing."""

    sent: Sent
    size: int


class Outbox:
    """Everything between `submit` and the bytes; `in_flight` has what was begun and not answered, by tag."""

    def __init__(self, *, max_in_flight: int, tag_prefix: str) -> None:
        self.max_in_flight = max_in_flight
        self.in_flight: dict[bytes, Sent] = {}
        self.waiting: deque[Sent] = deque()
        self.capabilities = Capabilities()
        self._prefix = tag_prefix
        self._count = 0
        self._chunks: list[bytes] = []
        self._current: Sent | None = None
        self._part = 0
        self._awaits_plus = False
        self._slot_left = 0

    def put(self, command: Command) -> Sent:
        """A handle for `command`, queued and begun if it may."""
        self._count += 1
        sent = Sent(f"{self._prefix}{self._count}".encode(), command)
        self.waiting.append(sent)
        self.pump()
        return sent

    def take(self) -> list[bytes]:
        """The bytes to write, in order; small ones are joined, so that one command is one write."""
        chunks, self._chunks = self._chunks, []
        if len(chunks) > 1 and sum(map(len, chunks)) <= JOINED_BYTES:
            return [b"".join(chunks)]
        return chunks

    def add(self, data: bytes) -> None:
        """Bytes that are no command: DONE, an answer to a challenge."""
        self._chunks.append(data)

    @property
    def wanted_literal(self) -> LiteralWanted | None:
        if self._current is None or not self._slot_left:
            return None
        return LiteralWanted(self._current, self._slot_left)

    @property
    def awaits_plus(self) -> bool:
        """Whether a literal waits for the server's continuation."""
        return self._awaits_plus

    @property
    def has_unanswered(self) -> bool:
        return bool(self.in_flight or self.waiting)

    def is_pending(self, kinds: frozenset[Kind]) -> bool:
        """Whether one of `kinds` is in flight or waits."""
        return any(sent.command.kind in kinds for sent in (*self.in_flight.values(), *self.waiting))

    def pump(self) -> None:
        """Begin every waiting command that may begin."""
        while self._current is None and self.waiting and len(self.in_flight) < self.max_in_flight:
            lane = self.waiting[0].command.lane
            if not all(may_overlap(lane, other.command.lane) for other in self.in_flight.values()):
                return
            sent = self.waiting.popleft()
            self.in_flight[sent.tag] = sent
            self._current = sent
            self._part = 0
            self._chunks.append(sent.tag + b" ")
            self._advance()

    def continue_literal(self) -> None:
        """The server said `+`: send the literal it waits for."""
        self._awaits_plus = False
        self._send_literal_part()
        self._advance()
        self.pump()

    def fill(self, data: bytes | memoryview) -> None:
        """Octets from the shell for the literal wanted."""
        size = len(data)
        if size > self._slot_left:
            raise LocalProtocolError(f"{size} octets given for a literal that lacks {self._slot_left}")
        self._chunks.append(bytes(data))
        self._slot_left -= size
        if not self._slot_left:
            self._part += 1
            self._advance()
            self.pump()

    def answered(self, tag: bytes) -> Sent | None:
        """The command that `tag` ends, None for a tag that is not in flight.

        A command refused instead of `+` is cut short; one whose literal is under way has promised its octets and
        goes on until they are given.
        """
        sent = self.in_flight.pop(tag, None)
        if sent is not None and sent is self._current and self._awaits_plus:
            self._awaits_plus = False
            self._current = None
        return sent

    def _advance(self) -> None:
        """Send parts of the current command until its end, or until a literal holds it."""
        if self._current is None or self._slot_left:
            return
        parts = self._current.command.parts
        while self._part < len(parts):
            part = parts[self._part]
            if isinstance(part, bytes):
                self._chunks.append(part)
                self._part += 1
                continue
            mark = b"~" if isinstance(part, LiteralSlot) and part.is_binary else b""
            if not self._may_send_at_once(part.size):
                self._chunks.append(b"%b{%d}\r\n" % (mark, part.size))
                self._awaits_plus = True
                return
            self._chunks.append(b"%b{%d+}\r\n" % (mark, part.size))
            if self._send_literal_part():
                return
        self._chunks.append(b"\r\n")
        self._current = None

    def _send_literal_part(self) -> bool:
        """Send the literal due; True when its octets must come from the shell first."""
        part = self._current.command.parts[self._part] if self._current else b""
        if isinstance(part, LiteralSlot) and part.size:
            self._slot_left = part.size
            return True
        if isinstance(part, Literal):
            self._chunks.append(part.octets)
        self._part += 1
        return False

    def _may_send_at_once(self, size: int) -> bool:
        known = self.capabilities
        return known.has("LITERAL+") or (known.has("LITERAL-") and size <= MAX_LITERAL_MINUS_BYTES)
