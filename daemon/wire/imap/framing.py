r"""Framing: bytes in any portions in, complete responses out.

A frame is one response without its line ends: `bytes` when it is a single line, else a tuple in which text and
literals take turns, each text but the last ending in its `{n}`. FETCH literals above the gathering limit are
not kept: they leave as StreamBegin, memoryviews and StreamEnd, and stand in the frame as `Streamed`. Neither is the
text of a long SEARCH, ESEARCH or VANISHED: it is read as it comes and leaves as a NumberLine.

Pure, linear in the bytes given, no work per byte of literals. A breach of `Limits` sets `fault` and ends all parsing.
Literals: RFC 9051 §4.3; a bare LF ends a line as well, NULs before a response are padding (both seen in the wild).
"""

import re
from dataclasses import dataclass
from typing import Final

from daemon.model.errors import RemoteProtocolError
from daemon.wire.imap import number_lines
from daemon.wire.imap.limits import Limits
from daemon.wire.imap.number_lines import NumberLine


@dataclass(frozen=True, slots=True)
class Streamed:
    """Stands in a frame for a literal whose octets were given out already."""

    size: int


@dataclass(frozen=True, slots=True)
class StreamBegin:
    """Octets of a large literal follow; `head` is the response up to and with its `{size}`."""

    head: "tuple[Piece, ...]"
    size: int


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The large literal is complete."""


Piece = bytes | Streamed
Frame = bytes | tuple[Piece, ...]
Item = bytes | tuple[Piece, ...] | NumberLine | StreamBegin | memoryview | StreamEnd

_LF: Final = 0x0A
_CR: Final = 0x0D
_CLOSING_BRACE: Final = 0x7D
_HEAD_BYTES: Final = number_lines.HEAD_BYTES
_DATA_HEAD: Final = re.compile(rb"\*[ ]+(?:\d+[ ]+)?([A-Za-z][A-Za-z0-9.-]*)")
_STATUS_WORDS: Final = frozenset({b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"})
_DATA_WORDS: Final = frozenset(
    {b"FETCH", b"UIDFETCH", b"LIST", b"LSUB", b"FLAGS", b"STATUS", b"NAMESPACE", b"ID"}
)
_NUMBER_WORDS: Final = frozenset({b"SEARCH", b"ESEARCH", b"VANISHED", b"SORT"})
_MAX_LITERAL_DIGITS: Final = 10


class Framer:
    """Splits the byte stream of a server; see the module for what comes out."""

    __slots__ = (
        "_gathered_bytes",
        "_has_literals",
        "_is_fetch",
        "_is_numbers",
        "_is_streaming",
        "_left",
        "_limit",
        "_limits",
        "_numbers",
        "_part",
        "_pieces",
        "_size",
        "_tail",
        "_text_bytes",
        "fault",
        "literal_bytes",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._tail = bytearray()
        self._pieces: list[Piece] = []
        self._part = bytearray()
        self._numbers: NumberLine | None = None
        self._size = 0
        self._left = 0
        self._is_streaming = False
        self._text_bytes = 0
        self._gathered_bytes = 0
        self._limit = 0
        self._is_fetch = False
        self._is_numbers = False
        self._has_literals = False
        self.fault: RemoteProtocolError | None = None
        self.literal_bytes = 0

    @property
    def is_mid_response(self) -> bool:
        """Whether a response has begun and is not complete."""
        return bool(self._tail or self._pieces or self._left or self._numbers)

    def feed(self, data: bytes | bytearray | memoryview) -> list[Item]:
        """Everything that is complete with `data`; memoryviews may be of `data` itself."""
        items: list[Item] = []
        if self.fault is not None:
            return items
        at = 0
        if self._left:
            at = self._take_literal(memoryview(data), items)
            if self._left or at == len(data):
                return items
        if isinstance(data, bytes):
            buffer = data
        else:
            buffer = bytes(memoryview(data)[at:])
            at = 0
        if self._numbers is not None:
            at = self._take_numbers(self._numbers, buffer, at, items)
            if at == 0:
                return items
        if self._tail:
            # the tail has no line end in it, so only the new bytes are searched: linear for any split
            if buffer.find(b"\n", at) < 0:
                self._keep_tail(buffer, at)
                return items
            buffer = bytes(self._tail) + buffer[at:]
            at = 0
            self._tail.clear()
        self._split(buffer, at, items)
        return items

    def _split(self, buffer: bytes, at: int, items: list[Item]) -> None:
        size = len(buffer)
        find = buffer.find
        append = items.append
        most = self._limits.status_line_bytes
        while at < size:
            line_feed = find(b"\n", at)
            if line_feed < 0:
                self._keep_tail(buffer, at)
                return
            end = line_feed - 1 if line_feed > at and buffer[line_feed - 1] == _CR else line_feed
            if end == at and not self._pieces:
                at = line_feed + 1
                continue
            if not self._pieces and end - at <= most and buffer[end - 1] != _CLOSING_BRACE and buffer[at]:
                append(buffer[at:end])
                at = line_feed + 1
                continue
            line = buffer[at:end]
            at = line_feed + 1
            self._take_line(line, items)
            if self._left:
                taken = self._left
                if taken <= size - at and not self._is_streaming:
                    self._finish_literal(buffer[at : at + taken])
                    at += taken
                elif at < size:
                    at += self._take_literal(memoryview(buffer)[at:], items)
            if self.fault is not None:
                return

    def _keep_tail(self, buffer: bytes, at: int) -> None:
        tail = self._tail
        tail += memoryview(buffer)[at:]
        length = len(tail) - tail.endswith(b"\r")
        if self._pieces:
            if self._text_bytes + length > self._limit:
                self._refuse_line(self._text_bytes + length)
        elif length > self._limits.status_line_bytes:
            line = tail if tail[0] else tail.lstrip(b"\0")
            self._classify(bytes(line[:_HEAD_BYTES]))
            if length > self._limit:
                self._refuse_line(length)
            elif self._is_numbers:
                self._numbers = NumberLine()
                self._numbers.feed(bytes(line))
                tail.clear()

    def _take_numbers(self, numbers: NumberLine, buffer: bytes, at: int, items: list[Item]) -> int:
        """Read on in a long line of numbers; where the next line begins, 0 if this one goes on."""
        line_feed = buffer.find(b"\n", at)
        piece = buffer[at : line_feed if line_feed >= 0 else len(buffer)]
        numbers.feed(piece)
        length = numbers.size - piece.endswith(b"\r")
        if length > self._limit:
            self._refuse_line(length)
        elif line_feed >= 0:
            items.append(numbers)
            self._numbers = None
            return line_feed + 1
        return 0

    def _take_line(self, line: bytes, items: list[Item]) -> None:
        """Handle a line that is long, padded, ends in a brace or belongs to a response with literals."""
        if not self._pieces:
            # QUIRK any server behind some proxies (imapflow): NUL bytes before a response
            line = line.lstrip(b"\0")
            if not line:
                return
            self._classify(line[:_HEAD_BYTES])
            if self._is_numbers and self._limits.status_line_bytes < len(line) <= self._limit:
                numbers = NumberLine()
                numbers.feed(line)
                items.append(numbers)
                return
        self._text_bytes += len(line) + 2
        if self._text_bytes > self._limit + 2:
            self._refuse_line(self._text_bytes)
            return
        size = self._announced_literal(line) if self._has_literals else None
        if self.fault is not None:
            return
        if size is None:
            # QUIRK MailKit#954: a literal announced one or two bytes short, or a line end behind it
            if line or not (self._is_fetch and self._pieces):
                items.append((*self._pieces, line) if self._pieces else line)
                self._reset()
            return
        self._begin_literal(line, size, items)

    def _begin_literal(self, line: bytes, size: int, items: list[Item]) -> None:
        limits = self._limits
        if not self._is_fetch and size > limits.inline_literal_bytes:
            self._refuse(f"literal of {size} bytes where at most {limits.inline_literal_bytes} are expected")
            return
        if size > limits.max_literal_bytes:
            self._refuse(
                f"literal of {size} bytes announced, at most {limits.max_literal_bytes} are taken",
                reason="message_too_large",
            )
            return
        self._pieces.append(line)
        if self._is_fetch and size > limits.gathered_literal_bytes:
            self._is_streaming = True
            items.append(StreamBegin(tuple(self._pieces), size))
        else:
            self._gathered_bytes += size
            if self._gathered_bytes > limits.gathered_response_bytes:
                self._refuse(f"literals of one response exceed {limits.gathered_response_bytes} bytes")
                return
        self._size = self._left = size
        if size == 0:
            self._finish_literal(b"")

    def _take_literal(self, view: memoryview, items: list[Item]) -> int:
        """Move octets of the current literal out of `view`; how many were taken."""
        taken = min(self._left, len(view))
        octets = view[:taken]
        if self._is_streaming:
            items.append(octets)
            self.literal_bytes += taken
            self._left -= taken
            if not self._left:
                items.append(StreamEnd())
                self._pieces.append(Streamed(self._size))
                self._is_streaming = False
        else:
            self._part += octets
            if taken == self._left:
                gathered = bytes(self._part)
                self._part = bytearray()
                self._finish_literal(gathered)
            else:
                self._left -= taken
        return taken

    def _finish_literal(self, octets: bytes) -> None:
        self._left = 0
        self.literal_bytes += len(octets)
        self._pieces.append(octets)

    def _announced_literal(self, line: bytes) -> int | None:
        """ABNF: literal = "{" number64 ["+"] "}" CRLF *CHAR8; None where the line announces none."""
        if not line.endswith(b"}"):
            return None
        brace = line.rfind(b"{")
        digits = line[brace + 1 : -1].removesuffix(b"+")
        if brace < 0 or not digits.isdigit():
            return None
        if len(digits) > _MAX_LITERAL_DIGITS:
            self._refuse(
                f"literal of absurd size announced ({len(digits)} digits)", reason="message_too_large"
            )
            return None
        return int(digits)

    def _classify(self, head: bytes) -> None:
        """Set limit and literal rule of the response that begins with `head`."""
        limits = self._limits
        found = _DATA_HEAD.match(head.lstrip(b"\0"))
        word = found[1].upper() if found else b""
        self._is_numbers = word in _NUMBER_WORDS and number_lines.begins(head)
        self._is_fetch = word in (b"FETCH", b"UIDFETCH")
        # text of status lines may end in braces; only data carry literals
        self._has_literals = bool(word) and word not in _STATUS_WORDS
        if word in _DATA_WORDS:
            self._limit = limits.data_line_bytes
        elif self._is_numbers:
            self._limit = limits.number_line_bytes
        else:
            self._limit = limits.status_line_bytes

    def _reset(self) -> None:
        self._pieces = []
        self._text_bytes = 0
        self._gathered_bytes = 0

    def _refuse_line(self, length: int) -> None:
        self._refuse(
            f"response line of more than {length - 1} bytes, at most {self._limit} are taken",
            reason="line_too_long",
        )

    def _refuse(self, detail: str, *, reason: str | None = None) -> None:
        self.fault = RemoteProtocolError(detail, reason=reason)
        self._tail.clear()
        self._part = bytearray()
        self._pieces = []
        self._numbers = None
        self._left = 0
