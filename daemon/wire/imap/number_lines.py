"""SEARCH, ESEARCH and VANISHED of any length: read as they come, so that a line of 16 MiB costs its ranges and not its text.

The framer makes one for each such line that is longer than an ordinary one, whatever the portions it comes in; so the result
does not depend on them, and what is unreadable is told at the end of the line. `wire.imap.data` makes the value. sync.md 23.
"""

import re
from typing import Final

from daemon.model.errors import RemoteProtocolError
from daemon.model.uidset import UidSet, UidSetBuilder
from daemon.wire.imap import values

HEAD_BYTES: Final = 200
"""The numbers begin within so many bytes, or the line is none of these."""

_START: Final = re.compile(
    rb"\*[ ]+(?:(?:SEARCH|SORT)[ ]+"
    rb"|VANISHED[ ]+(?:\(EARLIER\)[ ]*)?"
    rb"|ESEARCH[ ]+(?:\([^()]*\)[ ]*)?(?:UID[ ]+)?(?:[A-Z]+[ ]+\d+[ ]+)*ALL[ ]+)(?=\d)",
    re.IGNORECASE,
)
MOST_UNORDERED: Final = 100_000
"""Servers write sets in order; sorting a million pieces would hold up every other line for seconds."""

_MOST_REST_BYTES: Final = 1024  # behind the numbers: MODSEQ and counts
_MOST_ITEM_BYTES: Final = values.MAX_RANGE_BYTES + 1  # with the CR of the line's end
_REASONS: Final = {"ESEARCH": "esearch_malformed", "VANISHED": "qresync_malformed"}


def begins(head: bytes) -> bool:
    """Whether these first `HEAD_BYTES` of a line are those of a set of numbers."""
    return _START.match(head) is not None


class NumberLine:
    """One line. `feed` it, then take `head`, `uids` and `rest`."""

    __slots__ = (
        "_builder",
        "_carry",
        "_fault",
        "_is_behind",
        "_is_set",
        "_rest",
        "head",
        "reason",
        "size",
        "word",
    )

    def __init__(self) -> None:
        self.head = b""
        """What stands before the numbers."""
        self.word = ""
        self.reason: str | None = None
        self.size = 0
        self._is_set = False
        self._builder = UidSetBuilder()
        self._carry = b""
        self._rest = b""
        self._is_behind = False
        self._fault: RemoteProtocolError | None = None

    def feed(self, text: bytes) -> None:
        """Take the next portion; the first must be long enough for `begins`."""
        self.size += len(text)
        if not self.head:
            text = self._take_head(text)
        if self._fault is None:
            try:
                self._take(text)
            except RemoteProtocolError as exc:
                self._fault = exc
                self._builder = UidSetBuilder()

    def end(self) -> tuple[UidSet, bytes]:
        """The numbers, and what stands behind them. Raises RemoteProtocolError if any of it cannot be read."""
        if self._fault is None:
            try:
                if not self._is_behind:
                    self._add(self._carry.removesuffix(b"\r"))
            except RemoteProtocolError as exc:
                self._fault = exc
        if self._fault is not None:
            raise self._fault
        return self._builder.build(), self._rest.removesuffix(b"\r")

    def _take_head(self, text: bytes) -> bytes:
        found = _START.match(text)
        end = found.end() if found is not None else 0
        self.head = text[:end] or b"*"
        self.word = values.word(self.head.split()[1]) if end else ""
        self.reason = _REASONS.get(self.word)
        self._is_set = self.reason is not None
        return text[end:]

    def _take(self, text: bytes) -> None:
        if self._is_behind:
            self._keep_rest(text)
            return
        text = self._carry + text
        end = text.find(b" " if self._is_set else b"(")
        if end >= 0:
            self._is_behind = True
            self._carry = b""
            self._add(text[:end])
            self._keep_rest(text[end:])
            return
        cut = text.rfind(b"," if self._is_set else b" ")
        self._carry = text[cut + 1 :]
        if len(self._carry) > _MOST_ITEM_BYTES:
            raise RemoteProtocolError(f"{self.word} with something else than numbers", reason=self.reason)
        if cut >= 0:
            self._add(text[:cut])

    def _add(self, raw: bytes) -> None:
        if self._is_set:
            values.add_uids(self._builder, raw, reason=self.reason)
        else:
            values.add_numbers(self._builder, raw)
        if not self._builder.is_ascending and len(self._builder) > MOST_UNORDERED:
            # Told at the line's end; from here on its numbers are not even kept.
            raise RemoteProtocolError(f"{self.word} without any order", reason=self.reason)

    def _keep_rest(self, text: bytes) -> None:
        self._rest += text
        if len(self._rest) > _MOST_REST_BYTES:
            raise RemoteProtocolError(f"{self.word} with too much behind its numbers", reason=self.reason)
