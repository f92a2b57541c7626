r"""Dot-stuffing undone on the fly: octets of a multi-line answer in any portions, up to its lone dot.

Pure; `find` and `replace` do the work, never a loop over bytes. RFC 1939 §3: a line that begins with a dot got one
more, a dot alone ends the answer, and the line end before it belongs to the last line.

Lines end as the first one does. Where that is CRLF, as everywhere but on broken servers, a bare LF is content: if LF, dot,
CRLF ended an answer there, whoever writes such a line into a mail could forge the answers behind it.
"""

import re
from typing import Final

_END: Final = b"\r\n.\r\n"
_LAX_END: Final = re.compile(rb"\n\.\r?\n")
_LAX_STARTS: Final = (b"\n.\r", b"\n.", b"\n")
_CR: Final = 0x0D


class DotReader:
    """Reads one multi-line answer. `is_lax`: any LF ends a line from the start, for listings."""

    __slots__ = ("_is_at_start", "_is_lax", "_is_strict")

    def __init__(self, *, is_lax: bool = False) -> None:
        self._is_lax = is_lax
        self._is_strict = False
        self._is_at_start = True

    def take(self, buffer: bytes, at: int) -> tuple[bytes, int, bool]:
        """Octets found in `buffer` from `at`, where reading goes on, and whether the answer is complete.

        Up to four octets are held back until it is known what they are: the next call's buffer begins with what lies
        behind the place returned.
        """
        if self._is_at_start:
            head = buffer[at : at + 3]
            if head == b".\r\n" or head[:2] == b".\n":
                return b"", at + (3 if head == b".\r\n" else 2), True
            if head in (b"", b".", b".\r"):
                return b"", at, False
        if not (self._is_strict or self._is_lax):
            line_feed = buffer.find(b"\n", at)
            if line_feed < 0:
                stop = len(buffer) - buffer.endswith(b"\r", at)
                return self._cut(buffer, at, stop), stop, False
            self._is_strict = line_feed > at and buffer[line_feed - 1] == _CR
            self._is_lax = not self._is_strict
        return self._take_strictly(buffer, at) if self._is_strict else self._take_laxly(buffer, at)

    def _take_strictly(self, buffer: bytes, at: int) -> tuple[bytes, int, bool]:
        dot = buffer.find(b"\r\n.", at)
        if dot >= 0 and buffer.startswith(_END, dot):
            return self._cut(buffer, at, dot + 2), dot + 5, True  # nothing was stuffed: one search is all
        end = buffer.find(_END, dot) if dot >= 0 else -1
        if end >= 0:
            return self._cut(buffer, at, end + 2).replace(b"\r\n.", b"\r\n"), end + 5, True
        stop = len(buffer)
        for length in (4, 3, 2, 1):
            if buffer.endswith(_END[:length], at):
                stop -= length
                break
        octets = self._cut(buffer, at, stop)
        return octets if dot < 0 else octets.replace(b"\r\n.", b"\r\n"), stop, False

    def _take_laxly(self, buffer: bytes, at: int) -> tuple[bytes, int, bool]:
        found = _LAX_END.search(buffer, at)
        if found is not None:
            return self._cut(buffer, at, found.start() + 1).replace(b"\n.", b"\n"), found.end(), True
        stop = len(buffer)
        for start in _LAX_STARTS:
            if buffer.endswith(start, at):
                stop -= len(start)
                break
        return self._cut(buffer, at, stop).replace(b"\n.", b"\n"), stop, False

    def _cut(self, buffer: bytes, at: int, stop: int) -> bytes:
        """The octets between, without the dot that the very first line may have got."""
        if self._is_at_start and stop > at:
            self._is_at_start = False
            # QUIRK Dovecot 2.3.19 does not stuff the first line: a single dot there is the message's own
            if buffer.startswith(b"..", at):
                at += 1
        return buffer[at:stop]
