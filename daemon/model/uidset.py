"""Sets of UIDs as ascending, disjoint ranges.

ABNF: sequence-set = (seq-number / seq-range) ["," sequence-set] (RFC 9051 §9). We never emit `*` and always
write ascending, compact sets: some servers answer BAD to descending ranges.

A range costs eight bytes: a server may name a million UIDs of which none follows another.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

from daemon.model.ids import Uid

MAX_UID: Final = 0xFFFF_FFFF
_BITS: Final = 32


class UidSetBuilder:
    """Gathers UIDs and closed ranges in any order. Those that come ascending cost nothing but their place in the set."""

    __slots__ = ("_lasts", "_starts", "is_ascending")

    def __init__(self) -> None:
        self._starts = array("I")
        self._lasts = array("I")
        self.is_ascending = True
        """Whether `build` need not sort, which costs thirty bytes and a microsecond a range."""

    def __len__(self) -> int:
        """How many ranges are held, which is what memory they take."""
        return len(self._starts)

    def add(self, low: int, high: int) -> None:
        """The UIDs from `low` to `high`; raises OverflowError for what is no UID."""
        lasts = self._lasts
        if lasts and self.is_ascending:
            if low >= self._starts[-1] and low <= lasts[-1] + 1:
                lasts[-1] = max(high, lasts[-1])
                return
            self.is_ascending = low > lasts[-1]
        self._starts.append(low)
        lasts.append(high)

    def add_set(self, uids: UidSet) -> None:
        for low, high in uids.iterate_ranges():
            self.add(low, high)

    def build(self) -> UidSet:
        """The set. The builder is empty afterwards."""
        return UidSet.of_arrays(*self.take_arrays())

    def take_arrays(self) -> tuple[array[int], array[int]]:
        """First and last UIDs of the set's ranges. The builder is empty afterwards."""
        if not self.is_ascending:
            pairs = sorted(low << _BITS | high for low, high in zip(self._starts, self._lasts, strict=True))
            self._clear()
            for pair in pairs:
                self.add(pair >> _BITS, pair & MAX_UID)
        arrays = self._starts, self._lasts
        self._clear()
        return arrays

    def _clear(self) -> None:
        self._starts = array("I")
        self._lasts = array("I")
        self.is_ascending = True


class UidSet:
    """An immutable set of UIDs, cheap for long runs."""

    __slots__ = ("_lasts", "_starts")

    _starts: array[int]
    _lasts: array[int]

    def __init__(self, uids: Iterable[int] = ()) -> None:
        builder = UidSetBuilder()
        add = builder.add
        for uid in uids:
            add(uid, uid)
        self._starts, self._lasts = builder.take_arrays()

    @classmethod
    def of_arrays(cls, starts: array[int], lasts: array[int]) -> UidSet:
        """The set of these ranges, which are ascending and do not touch. Both arrays belong to it from now on."""
        new = cls.__new__(cls)
        new._starts = starts  # noqa: SLF001 - our own class, past __init__
        new._lasts = lasts  # noqa: SLF001
        return new

    @classmethod
    def from_ranges(cls, ranges: Iterable[tuple[int, int]]) -> UidSet:
        """The union of closed ranges given in any order; ends may be swapped."""
        builder = UidSetBuilder()
        for one, other in ranges:
            if one <= other:
                builder.add(one, other)
            else:
                builder.add(other, one)
        return builder.build()

    @classmethod
    def union(cls, sets: Iterable[UidSet]) -> UidSet:
        """All UIDs of these sets."""
        builder = UidSetBuilder()
        for one in sets:
            builder.add_set(one)
        return builder.build()

    @classmethod
    def parse(cls, text: str) -> UidSet:
        """The set written as `1:3,7`; raises ValueError for anything else, `*` and 0 included."""
        ranges: list[tuple[int, int]] = []
        for part in text.split(","):
            first, colon, last = part.partition(":")
            if not (first.isascii() and first.isdigit()) or (
                colon and not (last.isascii() and last.isdigit())
            ):
                raise ValueError(f"not a UID set: {text[:80]!r}")
            low, high = int(first), int(last) if colon else int(first)
            if not (0 < low <= MAX_UID and 0 < high <= MAX_UID):
                raise ValueError(f"UID out of range in {text[:80]!r}")
            ranges.append((low, high))
        return cls.from_ranges(ranges)

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The closed ranges, ascending."""
        return tuple(self.iterate_ranges())

    @property
    def range_count(self) -> int:
        """How many ranges there are, which is what memory the set takes."""
        return len(self._starts)

    def iterate_ranges(self) -> Iterator[tuple[int, int]]:
        """The closed ranges, ascending, one by one."""
        return zip(self._starts, self._lasts, strict=True)

    def __contains__(self, uid: object) -> bool:
        if not isinstance(uid, int):
            return False
        at = bisect_right(self._starts, uid) - 1
        return at >= 0 and uid <= self._lasts[at]

    def __iter__(self) -> Iterator[Uid]:
        for low, high in self.iterate_ranges():
            for uid in range(low, high + 1):
                yield Uid(uid)

    def __len__(self) -> int:
        return sum(self._lasts) - sum(self._starts) + len(self._starts)

    def __bool__(self) -> bool:
        return bool(self._starts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UidSet) and self._starts == other._starts and self._lasts == other._lasts

    def __hash__(self) -> int:
        return hash((self._starts.tobytes(), self._lasts.tobytes()))

    def __or__(self, other: UidSet) -> UidSet:
        return UidSet.union((self, other))

    def __str__(self) -> str:
        """The wire form, ascending and compact; empty for the empty set, which must never be sent."""
        return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in self.iterate_ranges())

    def __repr__(self) -> str:
        return f"UidSet({str(self)!r})"

    def split(self, most_bytes: int) -> Iterator[UidSet]:
        """Parts whose wire form is at most `most_bytes` long (at least one range each)."""
        part = UidSetBuilder()
        used = 0
        for low, high in self.iterate_ranges():
            cost = len(str(low)) + (0 if low == high else 1 + len(str(high))) + 1
            if part and used + cost > most_bytes:
                yield part.build()
                used = 0
            part.add(low, high)
            used += cost
        if part:
            yield part.build()

    def chunks(self, most_count: int) -> Iterator[UidSet]:
        """Parts of at most `most_count` UIDs, ascending."""
        part = UidSetBuilder()
        room = most_count
        for start, high in self.iterate_ranges():
            low = start
            while low <= high:
                end = min(high, low + room - 1)
                part.add(low, end)
                room -= end - low + 1
                low = end + 1
                if room == 0:
                    yield part.build()
                    room = most_count
        if part:
            yield part.build()
