r"""POP3 commands: typed arguments in, one line out.

Pure. NUL, CR and LF are refused in every argument, a space in a username is not. Grammar: RFC 1939, RFC 2449 §4; AUTH with
an initial response: RFC 5034 §4. Raises LocalProtocolError for arguments no server could read.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from daemon.model.errors import LocalProtocolError
from daemon.model.secret import Secret
from daemon.wire.pop3.states import Kind

MOST_COMMAND_BYTES: Final = 255  # RFC 2449 §4, the line end included
_MECHANISM: Final = re.compile(r"[A-Z0-9_-]{1,20}\Z")


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `number` is the message it is about, `shown` its text for logs with secrets as `***`."""

    kind: Kind
    line: bytes = field(repr=False)
    shown: str
    number: int | None = None
    is_multiline: bool = False
    has_initial: bool = False

    def describe(self) -> str:
        """The command as a protocol log may show it."""
        return self.shown


def capa() -> Command:
    return _plain(Kind.CAPA, is_multiline=True)


def stls() -> Command:
    return _plain(Kind.STLS)


def utf8() -> Command:
    return _plain(Kind.UTF8)


def auth(mechanism: str, initial: bytes | None = None) -> Command:
    """AUTH; `initial` is base64, or `=` for an empty one, see `fits_initial`."""
    if not _MECHANISM.match(mechanism):
        raise LocalProtocolError(f"{mechanism!r} is no SASL mechanism")
    words = [b"AUTH", mechanism.encode()]
    if initial is not None:
        words.append(_clean(initial))
    shown = f"AUTH {mechanism}{' ***' if initial is not None else ''}"
    return Command(Kind.AUTH, b" ".join(words) + b"\r\n", shown, has_initial=initial is not None)


def fits_initial(mechanism: str, initial: bytes) -> bool:
    """Whether AUTH with this initial response stays within a command line (RFC 5034 §4); else it goes as an answer."""
    return len(mechanism) + len(initial) + len("AUTH  \r\n") <= MOST_COMMAND_BYTES


def user(name: str) -> Command:
    return Command(Kind.USER, b"USER " + _argument(name) + b"\r\n", "USER ***")


def password(secret: Secret) -> Command:
    """PASS; spaces belong to the secret (RFC 1939 §7)."""
    return Command(Kind.PASS, b"PASS " + _argument(secret.reveal()) + b"\r\n", "PASS ***")


def stat() -> Command:
    return _plain(Kind.STAT)


def list_sizes(number: int | None = None) -> Command:
    """LIST of one message, or of all."""
    return _listing(Kind.LIST, number)


def list_uidls(number: int | None = None) -> Command:
    """UIDL of one message, or of all."""
    return _listing(Kind.UIDL, number)


def top(number: int, lines: int) -> Command:
    """TOP: header and `lines` lines of the body."""
    if lines < 0:
        raise LocalProtocolError(f"TOP with {lines} lines")
    text = f"TOP {_number(number)} {lines}"
    return Command(Kind.TOP, text.encode() + b"\r\n", text, number, is_multiline=True)


def retr(number: int) -> Command:
    text = f"RETR {_number(number)}"
    return Command(Kind.RETR, text.encode() + b"\r\n", text, number, is_multiline=True)


def dele(number: int) -> Command:
    text = f"DELE {_number(number)}"
    return Command(Kind.DELE, text.encode() + b"\r\n", text, number)


def noop() -> Command:
    return _plain(Kind.NOOP)


def rset() -> Command:
    return _plain(Kind.RSET)


def leave() -> Command:
    """QUIT."""
    return _plain(Kind.QUIT)


def refuse_line_breaks(data: bytes) -> None:
    """Raise LocalProtocolError when NUL, CR or LF would break out of the line."""
    if b"\0" in data or b"\r" in data or b"\n" in data:
        raise LocalProtocolError("NUL, CR or LF in a command argument")


def _plain(kind: Kind, *, is_multiline: bool = False) -> Command:
    return Command(kind, kind.value.encode() + b"\r\n", kind.value, is_multiline=is_multiline)


def _listing(kind: Kind, number: int | None) -> Command:
    if number is None:
        return _plain(kind, is_multiline=True)
    text = f"{kind.value} {_number(number)}"
    return Command(kind, text.encode() + b"\r\n", text, number)


def _number(number: int) -> int:
    if number < 1:
        raise LocalProtocolError(f"{number} is no message number")
    return number


def _argument(text: str) -> bytes:
    if not text:
        raise LocalProtocolError("an empty command argument")
    return _clean(text.encode())


def _clean(data: bytes) -> bytes:
    refuse_line_breaks(data)
    return data
