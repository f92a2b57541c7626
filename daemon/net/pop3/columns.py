"""A maildrop's listing in columns: a maildrop may hold hundreds of thousands of messages, and an object each is too much.

Nothing is decided here. Numbers are those of one session.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final, overload

from daemon.net.pop3.values import MaildropEntry, Uidl

UNKNOWN: Final = -1
"""Stands for a size that the server did not say."""


class Ids:
    """Unique ids one behind the other; None is kept as an empty one, which no id can be."""

    __slots__ = ("_ends", "_octets")

    def __init__(self) -> None:
        self._octets = bytearray()
        self._ends = array("q")

    def extend(self, uidls: Iterable[Uidl | None]) -> None:
        parts = [b"" if uidl is None else uidl.encode("ascii") for uidl in uidls]
        ends = accumulate(map(len, parts), initial=len(self._octets))
        next(ends)
        self._ends.extend(ends)
        self._octets += b"".join(parts)

    def octets_at(self, at: int) -> bytes:
        """The id, empty where there is none."""
        return bytes(self._octets[self._ends[at - 1] if at else 0 : self._ends[at]])

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, at: int) -> Uidl | None:
        octets = self.octets_at(at)
        return Uidl(octets.decode("ascii")) if octets else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ids) and (self._ends, self._octets) == (other._ends, other._octets)

    __hash__ = None  # type: ignore[assignment]  # it grows


class Listing(Sequence[MaildropEntry]):
    """Every message as listed, ascending by number; entries are made when they are asked for.

    `is_disputed`: the server counted more messages than it listed, or named fewer, and did so again when it was asked
    again. `seal` is a digest of what the server said, None where that was not the same throughout, or nothing.
    """

    __slots__ = ("ids", "is_disputed", "numbers", "seal", "sizes")

    def __init__(
        self, numbers: Sequence[int] = (), sizes: Sequence[int] = (), ids: Ids | None = None
    ) -> None:
        """The columns; a size is `UNKNOWN` where there is none."""
        self.numbers = numbers if isinstance(numbers, array) else array("l", numbers)
        self.sizes = sizes if isinstance(sizes, array) else array("q", sizes)
        self.ids = ids if ids is not None else Ids()
        self.is_disputed = False
        self.seal: bytes | None = None

    @classmethod
    def of(cls, entries: Iterable[MaildropEntry]) -> "Listing":
        """The columns of these entries, which are ascending by number."""
        if isinstance(entries, Listing):
            return entries
        listing = cls()
        for entry in entries:
            listing.numbers.append(entry.number)
            listing.sizes.append(UNKNOWN if entry.size is None else entry.size)
            listing.ids.extend((entry.uidl,))
        return listing

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, at: int) -> MaildropEntry: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[MaildropEntry]: ...
    def __getitem__(self, at: int | slice) -> MaildropEntry | Sequence[MaildropEntry]:
        if isinstance(at, slice):
            return tuple(self[one] for one in range(*at.indices(len(self))))
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        at %= len(self)
        size = self.sizes[at]
        return MaildropEntry(self.numbers[at], self.ids[at], None if size == UNKNOWN else size)

    def __iter__(self) -> Iterator[MaildropEntry]:
        return (self[at] for at in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Listing):
            return (self.numbers, self.sizes, self.ids) == (other.numbers, other.sizes, other.ids)
        return isinstance(other, tuple) and tuple(self) == other

    __hash__ = None  # type: ignore[assignment]  # its columns can be written to
