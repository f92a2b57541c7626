"""Changes on the server: flags, copies, moves, expunges, and the tree of mailboxes.

Sets of at most 500 UIDs (sync.md 21). UID EXPUNGE only: a bare EXPUNGE or CLOSE would take what others marked.
RFC 9051 §6.4.6 to §6.4.9; UIDPLUS: RFC 4315; MOVE: RFC 6851.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from daemon.model.errors import LocalProtocolError, ServerRefused
from daemon.model.flags import DELETED, NO_FLAGS, FlagSet
from daemon.model.ids import Uid, UidValidity
from daemon.model.uidset import UidSet
from daemon.net.imap.scanning import run_all
from daemon.net.imap.session import Session
from daemon.net.imap.values import CopyResult
from daemon.wire.imap import commands, refusals
from daemon.wire.imap.commands import Command, FlagChange
from daemon.wire.imap.events import Event
from daemon.wire.imap.responses import CopyUidCode, StatusLine, Tagged

SET_COUNT: Final = 500

FlagWish = tuple[UidSet, FlagSet, FlagSet]
"""UIDs, flags to add, flags to remove."""


def _sets(session: Session, uids: UidSet) -> Iterator[UidSet]:
    for chunk in uids.chunks(SET_COUNT):
        yield from chunk.split(session.set_bytes)


def _store_commands(session: Session, wish: FlagWish) -> Iterator[Command]:
    uids, add, remove = wish
    for part in _sets(session, uids):
        if add:
            yield commands.uid_store(part, FlagChange.ADD, add)
        if remove:
            yield commands.uid_store(part, FlagChange.REMOVE, remove)


async def store_flags(session: Session, uids: UidSet, *, add: FlagSet, remove: FlagSet) -> None:
    """Add and remove flags; the first refusal is raised once all sets were answered."""
    await run_all(session, _store_commands(session, (uids, add, remove)))


async def store_many(session: Session, changes: Sequence[FlagWish]) -> tuple[ServerRefused | None, ...]:
    """One verdict for each change, all pipelined."""
    started = [[session.start(command)[1] for command in _store_commands(session, one)] for one in changes]
    verdicts: list[ServerRefused | None] = []
    for answers in started:
        verdict: ServerRefused | None = None
        for answer in answers:
            tagged = await session.finish(answer)
            if not tagged.is_ok and verdict is None:
                verdict = refusals.refusal(tagged, doing="UID STORE")
        verdicts.append(verdict)
    return tuple(verdicts)


async def copy(session: Session, uids: UidSet, target: bytes) -> CopyResult:
    """Copy messages; where the copies went is known with UIDPLUS only."""
    return await _place(session, [commands.uid_copy(part, target) for part in _sets(session, uids)])


async def move(session: Session, uids: UidSet, target: bytes) -> CopyResult:
    """Move messages: in one step where MOVE is offered, else copied, marked and expunged (RFC 6851 §3.3)."""
    if session.caps.has("MOVE"):
        return await _place(session, [commands.uid_move(part, target) for part in _sets(session, uids)])
    if not session.caps.has("UIDPLUS"):
        raise LocalProtocolError("without MOVE and UIDPLUS single messages cannot be moved")
    result = await copy(session, uids, target)
    await store_flags(session, uids, add=frozenset({DELETED}), remove=NO_FLAGS)
    await expunge(session, uids)
    return result


async def _place(session: Session, wanted: Sequence[Command]) -> CopyResult:
    pairs: dict[Uid, Uid] = {}
    uid_validity: UidValidity | None = None

    def note(line: StatusLine | Tagged) -> None:
        nonlocal uid_validity
        if isinstance(line.code, CopyUidCode) and line.code.uid_validity is not None:
            uid_validity = line.code.uid_validity
            pairs.update(line.code.pairs())

    def take(event: Event) -> bool:
        if isinstance(event, StatusLine):  # MOVE tells it before the tagged answer (RFC 6851 §4.3)
            note(event)
        return False

    session.other_listeners.append(take)
    try:
        # One set after the other: with a refusal the later ones must not have been sent.
        for command in wanted:
            note(await session.run(command))
    finally:
        session.other_listeners.remove(take)
    return CopyResult(uid_validity=uid_validity, pairs=pairs)


async def expunge(session: Session, uids: UidSet) -> None:
    r"""Remove these messages for good, as far as they have `\Deleted`; absent UIDs count as done."""
    if not session.caps.has("UIDPLUS"):
        raise LocalProtocolError("without UIDPLUS single messages cannot be expunged")
    await run_all(session, (commands.uid_expunge(part) for part in _sets(session, uids)))
