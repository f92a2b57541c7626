"""Numbers that still name what was listed, and DELE of nothing else: UIDL n goes before each DELE n, in the same pipe.

Numbers are fixed within a session (RFC 1939 §3, §5), but a server may renumber when another session, or our own DELE,
takes something away. A number that names another message than it was listed with ends the session before QUIT, so
nothing is deleted (faults.md P12, RFC 1939 §6).
"""

import contextlib
from collections.abc import Sequence
from typing import Final

from daemon.model.errors import MailError, RemoteProtocolError, ServerRefused
from daemon.net.pop3.session import Session
from daemon.net.pop3.values import MaildropEntry
from daemon.wire.pop3 import commands
from daemon.wire.pop3.events import CommandDone
from daemon.wire.pop3.responses import UidlLines

_SLICE: Final = (
    250  # messages whose answers are awaited together; the window of commands in flight is smaller
)


async def remove(session: Session, entries: Sequence[MaildropEntry]) -> tuple[ServerRefused | None, ...]:
    """Mark the messages as deleted; one verdict each, None for accepted. Each entry has a unique id.

    A message whose UIDL is refused stays. With a pipe the ids are asked for twice, before the first DELE of a slice and
    between them: the questions of the second round are under way before the answers of the one before are read.

    Raises:
        RemoteProtocolError: reason maildrop_changed: a number names another message by now. The line is dropped.
    """
    verdicts: list[ServerRefused | None] = []
    size = _SLICE if session.connection.is_pipelining else 1
    for start in range(0, len(entries), size):
        verdicts.extend(await _mark(session, entries[start : start + size], is_sure=size == 1))
    return tuple(verdicts)


async def confirm(session: Session, entry: MaildropEntry) -> None:
    """Raise RemoteProtocolError (maildrop_changed) if the number names another message than it was listed with.

    A server that does not say proves nothing either way: what another session took away may answer so.
    """
    done = await session.ask(commands.list_uidls(entry.number))
    if done.status.is_ok:
        await _check(session, entry, done)


async def _mark(
    session: Session, entries: Sequence[MaildropEntry], *, is_sure: bool
) -> list[ServerRefused | None]:
    """`is_sure`: nothing can come between the answer of a UIDL and the next command."""
    asked = [session.start(commands.list_uidls(entry.number)) for entry in entries]
    named = [await session.finish(answer) for answer in asked]
    for entry, done in zip(entries, named, strict=True):
        if done.status.is_ok:
            await _check(session, entry, done)
    still = [entry for entry, done in zip(entries, named, strict=True) if done.status.is_ok]
    started = [
        (
            None if is_sure else session.start(commands.list_uidls(entry.number)),
            session.start(commands.dele(entry.number)),
        )
        for entry in still
    ]
    answers = [
        (await session.finish(uidl) if uidl is not None else None, await session.finish(dele))
        for uidl, dele in started
    ]
    verdicts = {
        entry.number: session.refusal(done)
        for entry, done in zip(entries, named, strict=True)
        if not done.status.is_ok
    }
    for entry, (uidl, dele) in zip(still, answers, strict=True):
        if uidl is not None:
            await _check(session, entry, uidl)
        if not dele.status.is_ok:
            verdicts[entry.number] = session.refusal(dele)
    return [verdicts.get(entry.number) for entry in entries]


async def _check(session: Session, entry: MaildropEntry, done: CommandDone) -> None:
    named = done.result.entries if done.status.is_ok and isinstance(done.result, UidlLines) else ()
    if list(named) == [(entry.number, entry.uidl)]:
        return
    with contextlib.suppress(MailError):
        # QUIRK servers that delete what is marked when the line is lost, against RFC 1939 §6
        await session.run(commands.rset())
    session.abort()
    raise RemoteProtocolError(
        f"the maildrop cannot be relied on: message {entry.number} has become another one within the session",
        reason="maildrop_changed",
    )
