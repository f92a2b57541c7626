"""Sets of UIDs as ascending, disjoint ranges.

ABNF: sequence-set = (seq-number / seq-range) ["," sequence-set] (RFC 9051 §9). We never emit `*` and always
write ascending, compact sets: some servers answer BAD to descending ranges.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

from daemon.model.ids import Uid

MAX_UID: Final = 0xFFFF_FFFF


class UidSet:
    """An immutable set of UIDs, cheap for long runs."""

    __slots__ = ("_ranges", "_starts")

    def __init__(self, uids: Iterable[int] = ()) -> None:
        ranges: list[tuple[int, int]] = []
        for uid in sorted(set(uids)):
            if ranges and uid == ranges[-1][1] + 1:
                ranges[-1] = (ranges[-1][0], uid)
            else:
                ranges.append((uid, uid))
        self._ranges = tuple(ranges)
        self._starts = tuple(start for start, _ in ranges)

    @classmethod
    def from_ranges(cls, ranges: Iterable[tuple[int, int]]) -> UidSet:
        """The union of closed ranges given in any order; ends may be swapped."""
        merged: list[tuple[int, int]] = []
        for low, high in sorted((min(a, b), max(a, b)) for a, b in ranges):
            if merged and low <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], high))
            else:
                merged.append((low, high))
        new = cls.__new__(cls)
        new._ranges = tuple(merged)  # noqa: SLF001 - our own class, past __init__
        new._starts = tuple(low for low, _ in merged)  # noqa: SLF001
        return new

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
        return self._ranges

    def __contains__(self, uid: object) -> bool:
        if not isinstance(uid, int):
            return False
        at = bisect_right(self._starts, uid) - 1
        return at >= 0 and uid <= self._ranges[at][1]

    def __iter__(self) -> Iterator[Uid]:
        for low, high in self._ranges:
            for uid in range(low, high + 1):
                yield Uid(uid)

    def __len__(self) -> int:
        return sum(high - low + 1 for low, high in self._ranges)

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UidSet) and self._ranges == other._ranges

    def __hash__(self) -> int:
        return hash(self._ranges)

    def __or__(self, other: UidSet) -> UidSet:
        return UidSet.from_ranges((*self._ranges, *other._ranges))

    def __str__(self) -> str:
        """The wire form, ascending and compact; empty for the empty set, which must never be sent."""
        return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in self._ranges)

    def __repr__(self) -> str:
        return f"UidSet({str(self)!r})"

    def split(self, most_bytes: int) -> Iterator[UidSet]:
        """Parts whose wire form is at most `most_bytes` long (at least one range each)."""
        part: list[tuple[int, int]] = []
        used = 0
        for low, high in self._ranges:
            cost = len(str(low)) + (0 if low == high else 1 + len(str(high))) + 1
            if part and used + cost > most_bytes:
                yield UidSet.from_ranges(part)
                part, used = [], 0
            part.append((low, high))
            used += cost
        if part:
            yield UidSet.from_ranges(part)

    def chunks(self, most_count: int) -> Iterator[UidSet]:
        """Parts of at most `most_count` UIDs, ascending."""
        part: list[tuple[int, int]] = []
        room = most_count
        for start, high in self._ranges:
            low = start
            while low <= high:
                end = min(high, low + room - 1)
                part.append((low, end))
                room -= end - low + 1
                low = end + 1
                if room == 0:
                    yield UidSet.from_ranges(part)
                    part, room = [], most_count
        if part:
            yield UidSet.from_ranges(part)
