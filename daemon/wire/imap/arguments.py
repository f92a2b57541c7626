r"""Command arguments: atom, quoted string or literal, chosen by content; dates, flags and words.

Pure. ABNF: astring = 1*ASTRING-CHAR / string; string = quoted / literal; QUOTED-CHAR excludes CR, LF and NUL (RFC 9051 §9).
Whatever could break out of a line is refused here with LocalProtocolError and nowhere else.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from daemon.model.errors import LocalProtocolError
from daemon.model.flags import Flag
from daemon.model.secret import Secret

# Yahoo cuts command lines at 1,000 bytes; longer strings go as literals
_ASTRING: Final = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]{1,1000}\Z")
_QUOTABLE: Final = re.compile(rb"[\x20-\x7e]{0,1000}\Z")
_FLAG: Final = re.compile(r"\\?[^\x00-\x20\x7f-\U0010ffff(){%*\"\\]{1,250}\Z")
_WORD: Final = re.compile(r"[A-Za-z0-9.+=_-]{1,100}\Z")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_YEAR_9999: Final = 253402300799


@dataclass(frozen=True, slots=True)
class Literal:
    """Octets sent as a literal by the connection itself."""

    octets: bytes = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.octets)


@dataclass(frozen=True, slots=True)
class LiteralSlot:
    """A literal of `size` octets that the shell hands over in pieces when the connection wants it."""

    size: int
    is_binary: bool = False
    """Written `~{n}`: literal8, which may hold NUL and 8-bit header text (RFC 6855 §4)."""


Part = bytes | Literal | LiteralSlot


def refuse_line_breaks(data: bytes) -> None:
    """Raise LocalProtocolError when NUL, CR or LF would break out of the line."""
    if b"\0" in data or b"\r" in data or b"\n" in data:
        raise LocalProtocolError("NUL, CR or LF in a command argument")


def astring(data: bytes) -> Part:
    """The shortest form that carries `data`: atom, quoted string, or literal for 8-bit, controls and long text."""
    refuse_line_breaks(data)
    if _ASTRING.match(data) and data.upper() != b"NIL":
        return data
    if _QUOTABLE.match(data):
        return quoted(data)
    return Literal(data)


def secret_astring(secret: Secret) -> Part:
    """A password as a quoted string, or as a literal where it must be; never as an atom, which some servers fold."""
    data = secret.reveal().encode()
    refuse_line_breaks(data)
    return quoted(data) if _QUOTABLE.match(data) else Literal(data)


def quoted(data: bytes) -> bytes:
    """`data` between quotes, `"` and the backslash escaped."""
    refuse_line_breaks(data)
    return b'"' + data.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def words(names: Iterable[str]) -> bytes:
    """Names of extensions or options, in the order given."""
    found = list(names)
    for name in found:
        if not _WORD.match(name):
            raise LocalProtocolError(f"not a word of the protocol: {name[:40]!r}")
    if not found:
        raise LocalProtocolError("a command needs at least one word")
    return " ".join(found).encode()


def flag_list(flags: Iterable[Flag]) -> bytes:
    """`(flag ...)`, sorted, so that equal changes give equal lines."""
    found = sorted(flags)
    for flag in found:
        if not _FLAG.match(flag):
            raise LocalProtocolError(f"not a flag a client may send: {flag[:40]!r}")
    return ("(" + " ".join(found) + ")").encode()


def format_internal_date(seconds: int) -> bytes:
    """ABNF: date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE, in UTC."""
    when = datetime.fromtimestamp(min(max(seconds, 0), _YEAR_9999), UTC)
    month = _MONTHS[when.month - 1]
    return f'"{when.day:2d}-{month}-{when.year:04d} {when:%H:%M:%S} +0000"'.encode()


def join(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The parts with a space between, neighbouring text made one; none behind an open parenthesis or before its end."""
    joined: list[Part] = []
    text = b""
    for part in parts:
        is_glued = text.endswith(b"(") or part == b")"
        text += b" " if (joined or text) and not is_glued else b""
        if isinstance(part, bytes):
            text += part
        else:
            joined += [text, part]
            text = b""
    if text:
        joined.append(text)
    return tuple(joined)
