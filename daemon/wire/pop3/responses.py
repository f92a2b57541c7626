r"""POP3 responses as frozen values, and the first line of each taken apart.

ABNF: greeting = single-line = status [SP text] CRLF; status = "+OK" / "-ERR"; resp-code = "[" resp-level *("/" resp-level)
"]" (RFC 2449 §8). Pure. Words of the server (`text`) are printable and cut to 512 characters. A code means something only
to who knows it: servers without RESP-CODES put brackets into their texts as well.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NewType

from daemon.model.errors import RemoteProtocolError
from daemon.wire.pop3.capabilities import Capabilities

Uidl = NewType("Uidl", str)
"""A unique id: printable ASCII without spaces as the server said it, else `sha256:` and the digest of its octets."""

TEXT_CHARACTERS: Final = 512
_UNPRINTABLE: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_CODE: Final = re.compile(rb"[ ]*\[([A-Za-z0-9._/-]{1,64})(?:[ ][^\]]{0,400})?\][ ]*")


@dataclass(frozen=True, slots=True)
class Status:
    """+OK or -ERR. `code` is in capitals: `IN-USE`, `SYS/TEMP`."""

    is_ok: bool
    code: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class DropStat:
    """Messages in the maildrop and their octets together; None where the server's number is none."""

    count: int
    size: int | None


@dataclass(frozen=True, slots=True)
class SizeLines:
    """Part of a LIST: (number, octets)."""

    entries: Sequence[tuple[int, int | None]]


@dataclass(frozen=True, slots=True)
class UidlLines:
    """Part of a UIDL: (number, id); None where the line has no id."""

    entries: Sequence[tuple[int, Uidl | None]]


@dataclass(frozen=True, slots=True)
class Streamed:
    """Stands for a message whose octets were given out already."""

    size: int


Result = bytes | Streamed | DropStat | SizeLines | UidlLines | Capabilities | None
"""What an answer brings: octets of RETR and TOP, values of STAT and of LIST and UIDL for one message, capabilities."""

ACCEPTED: Final = Status(is_ok=True)


def is_ok_line(line: bytes) -> bool:
    """Whether the line says +OK."""
    return line[:3] == b"+OK" or line[:3].upper() == b"+OK"


def parse_status(line: bytes) -> Status:
    """ABNF: single-line = status [SP [resp-code SP] text]; anything else is RemoteProtocolError."""
    if is_ok_line(line):
        return Status(is_ok=True, text=printable(line[3:].strip()))
    if line[:4].upper() != b"-ERR":
        raise RemoteProtocolError(f"neither +OK nor -ERR: {printable(line, 80)}")
    rest = line[4:]
    found = _CODE.match(rest)
    if found is None:
        return Status(is_ok=False, text=printable(rest.strip()))
    return Status(
        is_ok=False, code=found[1].decode("ascii").upper(), text=printable(rest[found.end() :].strip())
    )


def printable(raw: bytes, most: int = TEXT_CHARACTERS) -> str:
    """Words of a server, safe to show: controls and direction marks escaped, cut to `most` characters."""
    text = raw[: most * 4].decode("utf-8", "backslashreplace")[:most]
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)[:most]
