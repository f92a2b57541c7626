r"""The protocol as lines that a person may see: no credentials, no mail.

Pure. What goes each way is cut into lines; a literal shows as `[n octets]` in front of what follows it, never its content, and a
body written as a quoted string is left out as well. Whatever belongs to LOGIN and AUTHENTICATE is `***`, the words of their
answers included. With the direction in front (`C: `, `S: `) the lines are a transcript that the tests can read.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Final

MOST_LINE_BYTES: Final = 8 * 1024
HIDDEN: Final = "***"
_LITERAL: Final = re.compile(rb"~?\{(\d{1,19})\+?\}\Z")
_TEXT_LINE: Final = re.compile(rb"(?:\*[ ]+|[A-Za-z]\d+[ ]+)(?:OK|NO|BAD|BYE|PREAUTH)\b|\+", re.IGNORECASE)
_LOGIN: Final = re.compile(rb"(\S+) (LOGIN|AUTHENTICATE(?: [A-Za-z0-9_-]+)?)(?: |\Z)", re.IGNORECASE)
_ANSWER: Final = re.compile(rb"(\S+) (OK|NO|BAD)(?: (\[[^\]]*\]))?", re.IGNORECASE)
_QUOTED_BODY: Final = re.compile(rb'((?:BODY|BINARY|RFC822)[^ ]*) "(?:\\.|[^"\\])*"', re.IGNORECASE)
_UNPRINTABLE: Final = re.compile(rb"[^\x20-\x7e]|\\(?=x)")


class Direction(StrEnum):
    """Whose line it is, as transcripts write it."""

    CLIENT = "C"
    SERVER = "S"


Write = Callable[[Direction, str], None]
"""Takes a line. It is called while octets are parsed: it must neither block nor raise."""


class _Lines:
    """One direction: octets in, lines out, literals skipped. Bounded by `MOST_LINE_BYTES`."""

    __slots__ = ("_cut", "_kept", "_left", "_mark", "_take")

    def __init__(self, take: Callable[[bytes, str, int], None]) -> None:
        self._take = take
        self._kept = bytearray()
        self._cut = 0
        self._left = 0
        self._mark = ""

    def feed(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            if self._left:
                taken = min(self._left, len(data) - at)
                self._left -= taken
                at += taken
                continue
            end = data.find(b"\n", at)
            self._keep(data[at : end if end >= 0 else len(data)])
            if end < 0:
                return
            at = end + 1
            self._end()

    def _keep(self, part: bytes) -> None:
        room = MOST_LINE_BYTES - len(self._kept)
        self._kept += part[:room]
        self._cut += max(len(part) - room, 0)
        if self._cut:
            self._kept[-24:] = (bytes(self._kept[-24:]) + part)[-24:]  # the end may announce a literal

    def _end(self) -> None:
        line = bytes(self._kept).removesuffix(b"\r")
        cut, mark = self._cut, self._mark
        self._kept.clear()
        self._cut = 0
        self._mark = ""
        is_text = not mark and _TEXT_LINE.match(line) is not None
        found = None if is_text else _LITERAL.search(line)
        if found is not None:
            self._left = int(found[1])
            self._mark = f"[{self._left} octets]"
        self._take(line, mark, cut)


class Tracer:
    """Both directions of one connection, given to `write` line by line."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._client = _Lines(self._take_client)
        self._server = _Lines(self._take_server)
        self._secret_tag = b""

    def sent(self, data: bytes) -> None:
        """Octets on their way to the server, before TLS and deflate."""
        self._client.feed(data)

    def received(self, data: bytes) -> None:
        """Octets that came from the server, after TLS and inflate."""
        self._server.feed(data)

    def _take_client(self, line: bytes, mark: str, cut: int) -> None:
        found = None if mark else _LOGIN.match(line)
        if found is not None:
            self._secret_tag = found[1]
            rest = HIDDEN if len(line) > found.end() else ""
            self._write(Direction.CLIENT, f"{_shown(found[0]).rstrip()} {rest}".rstrip())
        elif self._secret_tag:
            self._write(Direction.CLIENT, HIDDEN)
        else:
            self._write(Direction.CLIENT, mark + _shown(line, cut))

    def _take_server(self, line: bytes, mark: str, cut: int) -> None:
        if self._secret_tag and line.startswith(b"+"):
            self._write(Direction.SERVER, f"+ {HIDDEN}")
            return
        if self._secret_tag and line.startswith(self._secret_tag + b" "):
            self._secret_tag = b""
            found = _ANSWER.match(line)
            # a server may repeat what it could not read
            text = _shown(found[0]) if found is not None else ""
            self._write(Direction.SERVER, f"{text} {HIDDEN}".lstrip())
            return
        self._write(Direction.SERVER, mark + _shown(_QUOTED_BODY.sub(rb'\1 "***"', line), cut))


def _shown(line: bytes, cut: int = 0) -> str:
    text = _UNPRINTABLE.sub(lambda found: b"\\x%02x" % found[0][0], line).decode("ascii")
    return f"{text} [{cut} octets cut]" if cut else text
