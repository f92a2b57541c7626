"""The maildrop as listed: UIDL and LIST side by side, checked against STAT and against what was listed before.

Numbers are the only thread between the two, so a maildrop that shrinks or renumbers within a session ends it (faults.md
P12). One that was counted with more messages than were listed, or named, may have shrunk just now: it is asked once more,
and what is said twice is how this server counts, or that it has no ids. Mail that came between UIDL and LIST waits for
the next session. RFC 1939 §5, §7.
"""

import hashlib
from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from daemon.model.errors import RemoteProtocolError
from daemon.net.pop3.columns import UNKNOWN, Ids, Listing
from daemon.net.pop3.session import Session
from daemon.wire.pop3 import commands, refusals
from daemon.wire.pop3.events import CommandDone
from daemon.wire.pop3.listings import Unread
from daemon.wire.pop3.responses import DropStat, SizeLines, UidlLines

_T = TypeVar("_T")


class _Lines:
    """The lines of LIST and UIDL as they came, unread."""

    def __init__(self) -> None:
        self._blocks: dict[type[SizeLines | UidlLines], list[SizeLines | UidlLines]] = {
            SizeLines: [],
            UidlLines: [],
        }
        self._digests = {kind: hashlib.blake2b(digest_size=32) for kind in self._blocks}

    def take(self, lines: SizeLines | UidlLines) -> None:
        kind = type(lines)
        self._blocks[kind].append(lines)
        octets = lines.entries.octets if isinstance(lines.entries, Unread) else repr(lines).encode()
        self._digests[kind].update(octets)

    @property
    def is_empty(self) -> bool:
        return not any(block.entries for blocks in self._blocks.values() for block in blocks)

    def seal(self, count: int | None, *, has_uidls: bool) -> bytes:
        """A digest that no other answers have."""
        parts = (repr((count, has_uidls)).encode(), *(one.digest() for one in self._digests.values()))
        return hashlib.blake2b(b"".join(parts), digest_size=32).digest()

    def read(self) -> "_Columns":
        """What they say; once."""
        columns = _Columns()
        for blocks in self._blocks.values():
            blocks.reverse()
            while blocks:
                columns.take(blocks.pop())
        return columns


class _Columns:
    """What LIST and UIDL said."""

    def __init__(self) -> None:
        self.sized = array("l")
        self.sizes = array("q")
        self.identified = array("l")
        self.ids = Ids()

    def take(self, lines: SizeLines | UidlLines) -> None:
        entries: Sequence[Any] = lines.entries.read() if isinstance(lines.entries, Unread) else lines.entries
        if isinstance(lines, SizeLines):
            self.sized.extend(number for number, _ in entries)
            self.sizes.extend(UNKNOWN if size is None else size for _, size in entries)
        else:
            self.identified.extend(number for number, _ in entries)
            self.ids.extend(uidl for _, uidl in entries)


@dataclass(frozen=True, slots=True)
class _Answers:
    """One round of STAT, UIDL and LIST; `count` is None where STAT says none."""

    count: int | None
    has_uidls: bool
    columns: _Columns

    def join(self) -> Listing:
        return _join(self.columns, self.count, has_uidls=self.has_uidls)

    def is_short(self, listing: Listing) -> bool:
        """Whether more were counted than were listed, or than UIDL went through."""
        if self.count is None:
            return False
        counted = bisect_right(listing.numbers, self.count)
        named = max(self.columns.identified, default=0)
        is_named_less = self.has_uidls and counted > 0 and listing.numbers[counted - 1] > named
        return len(listing) < self.count or is_named_less


@dataclass(frozen=True, slots=True)
class _Unread:
    """The same before anything of it was read."""

    count: int | None
    has_uidls: bool
    lines: _Lines

    @property
    def seal(self) -> bytes:
        return self.lines.seal(self.count, has_uidls=self.has_uidls)

    def read(self) -> _Answers:
        return _Answers(self.count, self.has_uidls, self.lines.read())


async def list_messages(session: Session, *, unless: bytes | None = None) -> Listing | None:
    """Every message, ascending by number; ids are None where the server has no UIDL, sizes where it has no LIST.

    None where the server said the very same as for the listing whose seal is `unless`.
    """
    lines = await _ask(session)
    if lines is None:
        return Listing()
    seal = lines.seal
    if seal == unless:
        return None
    first = lines.read()
    listing = first.join()
    if not first.is_short(listing):
        listing.seal = seal
        return listing
    lines = await _ask(session)
    again = lines.read() if lines is not None else None
    listed = again.join() if again is not None else Listing()
    if again is None or again.count != first.count:
        raise _changed(f"{first.count} messages were counted, {len(listing)} listed, and then others")
    is_short = again.is_short(listed)
    if (again.columns.sized, again.columns.sizes) != (first.columns.sized, first.columns.sizes) or (
        is_short and listed != listing
    ):
        raise _changed(f"{first.count} messages were counted and {len(listing)} listed")
    listed.is_disputed = is_short
    return listed


async def _ask(session: Session) -> _Unread | None:
    """What the server says, None where the maildrop is empty."""
    lines = _Lines()
    session.lines_listener = lines.take
    try:
        answer = session.start(commands.stat())
        if not session.connection.is_pipelining and _count(await session.finish(answer)) == 0:
            return None
        others = [session.start(command) for command in (commands.list_uidls(), commands.list_sizes())]
        stat = await session.finish(answer)
        uidl, size = [await session.finish(other) for other in others]
    finally:
        session.lines_listener = None
    for done in (stat, uidl, size):
        # ids and sizes it will have next time: taking all mail for new meanwhile would be a waste
        if not done.status.is_ok and refusals.is_busy(done.status):
            raise session.refusal(done)
    count = _count(stat)
    if count == 0 and lines.is_empty:
        return None
    if not size.status.is_ok and not uidl.status.is_ok:
        raise session.refusal(size)
    return _Unread(count, uidl.status.is_ok, lines)


def compare(before: Listing, now: Listing, deleted: Collection[int]) -> None:
    """Raise RemoteProtocolError if a number stands for another message than before, or lost its message to someone else."""
    if before == now:
        return
    places = {number: at for at, number in enumerate(now.numbers)}
    for at, number in enumerate(before.numbers):
        again = places.get(number)
        if again is None and number not in deleted:
            raise _changed(f"message {number} is gone within the session")
        if again is not None and before[at] != now[again]:
            raise _changed(f"message {number} has become another one within the session")


def _join(columns: _Columns, count: int | None, *, has_uidls: bool) -> Listing:
    if columns.sized == columns.identified and columns.sized == array("l", range(1, len(columns.sized) + 1)):
        return Listing(columns.sized, columns.sizes, columns.ids)
    places = _places(columns.identified, columns.ids)
    sizes = _by_number(columns.sized, columns.sizes)
    if has_uidls:  # those counted before UIDL was asked are no new mail
        last = max(max(places, default=0), count or 0)
        numbers = sorted(places.keys() | {number for number in sizes if number <= last})
    else:
        numbers = sorted(sizes)
    ids = Ids()
    ids.extend(columns.ids[places[number]] if number in places else None for number in numbers)
    return Listing(numbers, [sizes.get(number, UNKNOWN) for number in numbers], ids)


def _places(numbers: Iterable[int], ids: Ids) -> dict[int, int]:
    """Where the id of each number is."""
    found: dict[int, int] = {}
    for at, number in enumerate(numbers):
        if ids[found.setdefault(number, at)] != ids[at]:
            raise _twice(number)
    return found


def _by_number(numbers: Sequence[int], values: Sequence[_T]) -> dict[int, _T]:
    found: dict[int, _T] = {}
    for number, value in zip(numbers, values, strict=True):
        if found.setdefault(number, value) != value:
            raise _twice(number)
    return found


def _count(done: CommandDone) -> int | None:
    return done.result.count if isinstance(done.result, DropStat) else None


def _changed(detail: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"the maildrop cannot be relied on: {detail}", reason="maildrop_changed")


def _twice(number: int) -> RemoteProtocolError:
    return _changed(f"message {number} is listed twice, as different ones")
