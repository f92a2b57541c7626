"""IDLE: wait for the server, for `wake`, or for the time to renew. RFC 2177.

Under NOTIFY the server tells of all mailboxes whether or not an IDLE is in flight; IDLE is what lets it tell of expunges in
the selected one (RFC 5465 §6.2). Where there is NOTIFY and no IDLE, the wait is made without a command, and NOOP ends it: a
server that is gone is found out. No wake-up is lost: a wish made before the wait, or data heard before it, ends it at once. IDLE is written by itself,
because some servers drop what shares a packet with it, and left within 15 s or the line is dropped.
"""

import asyncio
from typing import Final

from daemon.model.errors import ConnectionLost
from daemon.net.imap.session import Answer, Session
from daemon.net.imap.values import IdleEnd
from daemon.wire.imap import commands, refusals

LONGEST_SECONDS: Final = 25 * 60.0  # RFC 2177 §3 allows 29 minutes; sync.md 22
LEAVE_WHEN_CANCELLED_SECONDS: Final = 2.0


async def idle(session: Session, renew_after: float) -> IdleEnd:
    """Why the wait ended."""
    session.check()
    known = _known_end(session)
    if known is not None:
        return known
    if session.is_notifying and not session.caps.has("IDLE"):
        return await _listen(session, min(renew_after, LONGEST_SECONDS))
    _, answer = session.start(commands.idle())
    try:
        with session.unpaused():
            await _wait(session, answer, min(renew_after, LONGEST_SECONDS))
            await _leave(session, answer, session.timers.leave_idle_seconds)
    except asyncio.CancelledError:
        await _leave_quickly(session, answer)
        raise
    tagged = answer.result()
    if not tagged.is_ok:
        raise refusals.refusal(tagged, doing="IDLE")
    return _known_end(session) or IdleEnd.RENEW


def _known_end(session: Session) -> IdleEnd | None:
    """Why a wait need not begin or go on; a wish to wake is used up only by answering it."""
    if session.heard.has_news:
        session.heard.pushes.announce()
        return IdleEnd.CHANGED
    if session.is_woken:
        session.is_woken = False
        return IdleEnd.WOKEN
    return None


async def _listen(session: Session, seconds: float) -> IdleEnd:
    """Wait for pushes with no command in flight; `selected` lets them tell everything at once."""
    with session.unpaused():
        await _wait(session, None, seconds)
    known = _known_end(session)
    if known is None:
        await session.run(commands.noop())
    return known or _known_end(session) or IdleEnd.RENEW


async def _wait(session: Session, answer: Answer | None, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not (session.is_woken or session.heard.has_news or (answer is not None and answer.done())):
                await session.stir()
    except TimeoutError:
        return


async def _leave(session: Session, answer: Answer, seconds: float) -> None:
    session.check()
    session.connection.finish_idle()
    session.has_idle_started = False
    session.flush()
    try:
        async with asyncio.timeout(seconds):
            while not answer.done():
                await session.stir()
    except TimeoutError:
        session.abort(ConnectionLost("the server does not end IDLE", reason="timeout"))
    session.check()


async def _leave_quickly(session: Session, answer: Answer) -> None:
    if session.error is not None:
        return
    try:
        await _leave(session, answer, LEAVE_WHEN_CANCELLED_SECONDS)
    except ConnectionLost:
        return
    except BaseException:
        session.abort()
        raise
