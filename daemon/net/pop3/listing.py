"""The maildrop as listed: UIDL and LIST side by side, checked against STAT and against what was listed before.

Numbers are the only thread between the two, so a maildrop that shrinks or renumbers within a session ends it (faults.md
P12). Mail that came between UIDL and LIST waits for the next session. RFC 1939 §5, §7.
"""

from array import array
from collections.abc import Collection, Sequence
from typing import Final, TypeVar

from daemon.model.errors import RemoteProtocolError
from daemon.net.pop3.session import Session
from daemon.net.pop3.values import MaildropEntry, Uidl
from daemon.wire.pop3 import commands, refusals
from daemon.wire.pop3.events import CommandDone
from daemon.wire.pop3.responses import DropStat, SizeLines, UidlLines

_UNKNOWN: Final = -1
_T = TypeVar("_T")


class _Columns:
    """What was listed, in columns: a maildrop may hold hundreds of thousands."""

    def __init__(self) -> None:
        self.sized = array("l")
        self.sizes = array("q")
        self.identified = array("l")
        self.uidls: list[Uidl | None] = []

    def take(self, lines: SizeLines | UidlLines) -> None:
        if isinstance(lines, SizeLines):
            self.sized.extend(number for number, _ in lines.entries)
            self.sizes.extend(_UNKNOWN if size is None else size for _, size in lines.entries)
        else:
            self.identified.extend(number for number, _ in lines.entries)
            self.uidls.extend(uidl for _, uidl in lines.entries)


async def list_messages(session: Session) -> tuple[MaildropEntry, ...]:
    """Every message, ascending by number; ids are None where the server has no UIDL, sizes where it has no LIST."""
    columns = _Columns()
    session.lines_listener = columns.take
    try:
        stat = session.start(commands.stat())
        if not session.connection.is_pipelining and _count(await session.finish(stat)) == 0:
            return ()
        answers = [session.start(command) for command in (commands.list_uidls(), commands.list_sizes())]
        count = _count(await session.finish(stat))
        uidl, size = [await session.finish(answer) for answer in answers]
    finally:
        session.lines_listener = None
    if count == 0 and not columns.identified and not columns.sized:
        return ()
    if not size.status.is_ok and not uidl.status.is_ok:
        raise session.refusal(size)
    if not uidl.status.is_ok and refusals.is_busy(uidl.status):
        raise session.refusal(uidl)  # ids it will have next time: taking all mail for new would be a waste
    entries = _join(columns, has_uidls=uidl.status.is_ok)
    if count is not None and len(entries) < count:
        raise _changed(f"{count} messages were counted and {len(entries)} listed")
    return entries


def compare(before: Sequence[MaildropEntry], now: Sequence[MaildropEntry], deleted: Collection[int]) -> None:
    """Raise RemoteProtocolError if a number stands for another message than before, or lost its message to someone else."""
    listed = {entry.number: entry for entry in now}
    for entry in before:
        again = listed.get(entry.number)
        if again is None and entry.number not in deleted:
            raise _changed(f"message {entry.number} is gone within the session")
        if again is not None and again != entry:
            raise _changed(f"message {entry.number} has become another one within the session")


def _join(columns: _Columns, *, has_uidls: bool) -> tuple[MaildropEntry, ...]:
    if columns.sized == columns.identified and columns.sized == array("l", range(1, len(columns.sized) + 1)):
        return tuple(
            MaildropEntry(number, uidl, None if size == _UNKNOWN else size)
            for number, uidl, size in zip(columns.sized, columns.uidls, columns.sizes, strict=True)
        )
    uidls = _by_number(columns.identified, columns.uidls)
    sizes = _by_number(columns.sized, columns.sizes)
    if has_uidls:
        last = max(uidls, default=0)
        numbers = set(uidls) | {number for number in sizes if number <= last}
    else:
        numbers = set(sizes)
    entries = []
    for number in sorted(numbers):
        size = sizes.get(number, _UNKNOWN)
        entries.append(MaildropEntry(number, uidls.get(number), None if size == _UNKNOWN else size))
    return tuple(entries)


def _by_number(numbers: Sequence[int], values: Sequence[_T]) -> dict[int, _T]:
    found: dict[int, _T] = {}
    for number, value in zip(numbers, values, strict=True):
        if found.setdefault(number, value) != value:
            raise _changed(f"message {number} is listed twice, as different ones")
    return found


def _count(done: CommandDone) -> int | None:
    return done.result.count if isinstance(done.result, DropStat) else None


def _changed(detail: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"the maildrop cannot be relied on: {detail}", reason="maildrop_changed")
