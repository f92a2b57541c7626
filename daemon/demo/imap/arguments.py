"""Arguments of one client command: octets in, values out, left to right.

Pure; literals stand inline as they came, `{n}` CRLF and n octets. Grammar: RFC 3501 §9. Raises `BadCommand`.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, TypeVar

from daemon.model.flags import FlagSet, normalise_flags

T = TypeVar("T")
_ATOM: Final = re.compile(rb'[^\x00-\x20(){%*"\\\]\x7f]+')
_TAG: Final = re.compile(rb'[^\x00-\x20(){%*"\\+\x7f]+')
_ASTRING: Final = re.compile(rb'[^\x00-\x20(){%*"\\\x7f]+')
_PATTERN: Final = re.compile(rb'[^\x00-\x20(){"\\\x7f]+')
_QUOTED: Final = re.compile(rb'"((?:[^\x00\r\n"\\]|\\["\\])*)"')
_LITERAL: Final = re.compile(rb"\{(\d+)\+?\}\r?\n")
_NUMBER: Final = re.compile(rb"\d{1,19}")
_SET: Final = re.compile(rb"[0-9*:,]+")
_FLAG: Final = re.compile(rb'\\?[^\x00-\x20(){%*"\\\]\x7f]+')
_DATE_TIME: Final = re.compile(rb'"([ \d]\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"')
_DATE: Final = re.compile(rb'"?(\d{1,2})-([A-Za-z]{3})-(\d{4})"?')
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class BadCommand(Exception):
    """The command cannot be read or means nothing here: the answer is BAD with this text."""


class Arguments:
    """A cursor over one command."""

    __slots__ = ("_at", "_octets")

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    @property
    def is_done(self) -> bool:
        return self._at >= len(self._octets)

    def end(self) -> None:
        """Nothing more may follow."""
        if not self.is_done:
            raise BadCommand("too many arguments")

    def accept(self, text: bytes) -> bool:
        """Whether `text` was next, in any case; then it is behind us."""
        if self._octets[self._at : self._at + len(text)].upper() != text:
            return False
        self._at += len(text)
        return True

    def rest(self) -> bytes:
        """Everything that is left."""
        rest = self._octets[self._at :]
        self._at = len(self._octets)
        return rest

    def expect(self, text: bytes) -> None:
        if not self.accept(text):
            raise BadCommand(f"{text.decode()!r} expected")

    def space(self) -> None:
        self.expect(b" ")

    def peek(self) -> bytes:
        """The next octet; empty at the end."""
        return self._octets[self._at : self._at + 1]

    def atom(self) -> bytes:
        return self.match(_ATOM, "an atom")[0]

    def tag(self) -> bytes:
        """ABNF: tag SP; BadCommand for a line that does not begin with one."""
        tag = self.match(_TAG, "a tag")[0]
        self.space()
        return tag

    def word(self) -> str:
        """An atom in capitals."""
        return self.atom().decode("ascii", "replace").upper()

    def number(self) -> int:
        return int(self.match(_NUMBER, "a number")[0])

    def sequence_set(self) -> str:
        return self.match(_SET, "a sequence set")[0].decode("ascii")

    def astring(self) -> bytes:
        if self.peek() in (b'"', b"{"):
            return self.string()
        return self.match(_ASTRING, "a string")[0]

    def pattern(self) -> bytes:
        """ABNF: list-mailbox = 1*list-char / string."""
        if self.peek() in (b'"', b"{"):
            return self.string()
        return self.match(_PATTERN, "a pattern")[0]

    def string(self) -> bytes:
        if self.peek() == b'"':
            quoted = self.match(_QUOTED, "a quoted string")[1]
            return re.sub(rb"\\(.)", rb"\1", quoted)
        size = int(self.match(_LITERAL, "a string")[1])
        octets = self._octets[self._at : self._at + size]
        if len(octets) < size:
            raise BadCommand("a literal is too short")
        self._at += size
        return octets

    def flags(self) -> FlagSet:
        r"""Flags in parentheses or, as STORE allows, without; system flags in the field's spelling."""
        if self.peek() == b"(":
            found = self.listed(self._flag)
        else:
            found = [self._flag()]
            while self.accept(b" "):
                found.append(self._flag())
        return normalise_flags(found)

    def listed(self, parse: Callable[[], T]) -> list[T]:
        """What `parse` gives for each part of a parenthesised list, which may be empty."""
        self.expect(b"(")
        found: list[T] = []
        while not self.accept(b")"):
            if found:
                self.space()
            found.append(parse())
        return found

    def date_time(self) -> int:
        """ABNF: date-time; seconds since 1970, UTC."""
        day, month, year, hour, minute, second, sign, zone_hour, zone_minute = self.match(
            _DATE_TIME, "a date and time"
        ).groups()
        offset = timedelta(hours=int(zone_hour), minutes=int(zone_minute))
        try:
            zone = timezone(-offset if sign == b"-" else offset)
            time = (int(year), _month(month), int(day), int(hour), int(minute), int(second))
            return int(datetime(*time, tzinfo=zone).timestamp())
        except ValueError as exc:
            raise BadCommand("no such date") from exc

    def date(self) -> int:
        """ABNF: date; its midnight in seconds since 1970, UTC."""
        day, month, year = self.match(_DATE, "a date").groups()
        try:
            return int(datetime(int(year), _month(month), int(day), tzinfo=UTC).timestamp())
        except ValueError as exc:
            raise BadCommand("no such date") from exc

    def _flag(self) -> str:
        return self.match(_FLAG, "a flag")[0].decode("ascii", "replace")

    def match(self, pattern: re.Pattern[bytes], what: str) -> re.Match[bytes]:
        """What `pattern` finds here; `what` names it in the refusal."""
        found = pattern.match(self._octets, self._at)
        if found is None:
            raise BadCommand(f"{what} expected")
        self._at = found.end()
        return found


def _month(name: bytes) -> int:
    try:
        return MONTHS.index(name.decode("ascii").title()) + 1
    except ValueError as exc:
        raise BadCommand("no such month") from exc
