r"""Framing: bytes in any portions in; status lines and the octets of multi-line answers out, whichever is asked for.

POP3 does not mark what a line is: that follows from the command it answers, so the connection pulls. Pure, linear in the
bytes given. RFC 1939 §3; a bare LF ends a status line as well.
"""

from typing import Final

from daemon.model.errors import RemoteProtocolError
from daemon.wire.pop3.dots import DotReader
from daemon.wire.pop3.limits import Limits

_CR: Final = 0x0D


class Framer:
    """Splits the byte stream of a server: `feed`, then `read_line` or `read_body` until they have no more."""

    __slots__ = ("_at", "_blank_count", "_buffer", "_dots", "_has_octets", "_limits", "_tail")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._tail = bytearray()
        self._buffer = b""
        self._at = 0
        self._dots: DotReader | None = None
        self._has_octets = False
        self._blank_count = 0

    @property
    def is_mid_unit(self) -> bool:
        """Whether a line, or the octets of a multi-line answer, have begun and are not complete."""
        return bool(self._tail) or self._has_octets

    @property
    def has_more(self) -> bool:
        """Whether octets lie behind what was read."""
        return self._at < len(self._buffer) or bool(self._tail)

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take octets; everything complete must have been read before."""
        tail = self._tail
        if not tail:
            self._buffer = bytes(data)
        elif self._dots is None and bytes(data).find(b"\n") < 0:
            # the tail has no line end in it either: linear for any split
            tail += data
            self._buffer = b""
            self._check_line(len(tail) - 1)
        else:
            self._buffer = b"".join((tail, data))
            tail.clear()
        self._at = 0

    def read_line(self) -> bytes | None:
        """The next line without its end, None until it is complete; a few empty ones are skipped."""
        buffer = self._buffer
        while True:
            at = self._at
            line_feed = buffer.find(b"\n", at)
            if line_feed < 0:
                self._keep()
                self._check_line(len(self._tail) - 1)
                return None
            end = line_feed - 1 if line_feed > at and buffer[line_feed - 1] == _CR else line_feed
            self._at = line_feed + 1
            if end > at:
                self._check_line(end - at)
                self._blank_count = 0
                return buffer[at:end]
            self._blank_count += 1
            if self._blank_count > self._limits.blank_lines:
                raise RemoteProtocolError("empty lines without end", reason="flood")

    def begin_body(self, *, is_lax: bool = False) -> None:
        """From here on a multi-line answer is read."""
        self._dots = DotReader(is_lax=is_lax)

    def read_body(self) -> tuple[bytes, bool]:
        """The next octets of the answer without their stuffing, and whether it is complete."""
        if self._dots is None:
            return b"", True
        at = self._at
        octets, self._at, is_complete = self._dots.take(self._buffer, at)
        if is_complete:
            self._dots = None
            self._has_octets = False
        else:
            self._has_octets = self._has_octets or len(self._buffer) > at
            self._keep()
        return octets, is_complete

    def _keep(self) -> None:
        self._tail += memoryview(self._buffer)[self._at :]
        self._buffer = b""
        self._at = 0

    def _check_line(self, length: int) -> None:
        most = self._limits.status_line_bytes
        if length > most:
            raise RemoteProtocolError(
                f"response line of more than {most} bytes, no more are taken", reason="line_too_long"
            )
