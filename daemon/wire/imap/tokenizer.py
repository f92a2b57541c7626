r"""The general reader of response data: one frame in, nested lists of tokens out.

Slower than the regexes of the hot path and takes everything they do not. Iterative: nesting costs a list, never a
stack frame, and ends at a limit. Tokens are `Atom`, `Quoted`, plain `bytes` for a literal, `Streamed`, or a list.
Atoms are read generously: 8-bit, brackets and `%*\` are taken, because flags and names hold them in practice.
"""

import re
from typing import Final

from daemon.model.errors import RemoteProtocolError
from daemon.wire.imap.framing import Frame, Streamed


class Atom(bytes):
    """A bare word or number."""

    __slots__ = ()

    @property
    def is_nil(self) -> bool:
        return self.upper() == b"NIL"


class Quoted(bytes):
    """The content of a quoted string."""

    __slots__ = ()


Token = Atom | Quoted | bytes | Streamed | list["Token"]

_TOKEN: Final = re.compile(
    rb"""[ ]*+(?:
        (?P<open>\()
      | (?P<close>\))
      | "(?P<quoted>[^"\\]*+(?:\\.[^"\\]*+)*+)"
      | (?P<literal>~?\{[0-9]+\+?\}\Z)
      | (?P<atom>(?:BODY|BINARY)(?:\.PEEK|\.SIZE)?+\[[^\]]*+\](?:<\d+>)?+ | [^ ()"\{\x00-\x1f\x7f]++)
    )""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)


def unescape(content: bytes) -> bytes:
    """What stands between quotes, backslashes resolved."""
    return _ESCAPED.sub(rb"\1", content) if b"\\" in content else content


def tokenize(frame: Frame, start: int, *, nesting_depth: int = 64, is_partial: bool = False) -> list[Token]:
    """Tokens of `frame` from offset `start` of its first text.

    `is_partial` reads a head whose last text ends in the `{n}` of a literal still to come; open lists are closed.

    Raises:
        RemoteProtocolError: Not IMAP data, unbalanced, or nested deeper than `nesting_depth`.
    """
    pieces = (frame,) if isinstance(frame, bytes) else frame
    top: list[Token] = []
    current = top
    stack: list[list[Token]] = []
    match = _TOKEN.match
    at = start
    for index in range(0, len(pieces), 2):
        text = pieces[index]
        if not isinstance(text, bytes):
            raise RemoteProtocolError("literals out of order")
        end = len(text.rstrip(b" "))
        while at < end:
            found = match(text, at)
            if found is None:
                raise RemoteProtocolError(f"unreadable data: {text[at : at + 40]!r}")
            kind = found.lastgroup
            at = found.end()
            if kind == "atom":
                current.append(Atom(found["atom"]))
            elif kind == "open":
                if len(stack) >= nesting_depth:
                    raise RemoteProtocolError(f"more than {nesting_depth} lists within lists")
                stack.append(current)
                inner: list[Token] = []
                current.append(inner)
                current = inner
            elif kind == "close":
                if not stack:
                    raise RemoteProtocolError("a list is closed that was never opened")
                current = stack.pop()
            elif kind == "quoted":
                current.append(Quoted(unescape(found["quoted"])))
            elif index + 1 < len(pieces):
                current.append(pieces[index + 1])
            elif not is_partial:
                raise RemoteProtocolError("a literal is announced and missing")
        at = 0
    if stack and not is_partial:
        raise RemoteProtocolError("a list is not closed")
    return top
