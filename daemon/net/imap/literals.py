"""Octets of a literal from the caller's source onto the line, in pieces, when the connection wants them. RFC 9051 §4.3."""

from collections.abc import AsyncIterator

from daemon.model.errors import LocalProtocolError
from daemon.net.imap.session import Answer, Session
from daemon.net.stream import WRITE_PIECE_BYTES
from daemon.wire.imap.outbox import Sent


async def await_turn(session: Session, sent: Sent, answer: Answer) -> bool:
    """Whether octets of this command are wanted now; False if it was answered without them.

    Octets announced without asking (LITERAL+) are owed even to a server that has refused the command meanwhile.
    """
    while True:
        wanted = session.connection.wanted_literal
        if wanted is not None and wanted.sent is sent:
            return True
        if answer.done():
            session.check()
            return False
        await session.stir()


async def send(session: Session, size: int, octets: AsyncIterator[bytes], first: bytes | None = None) -> None:
    """Give a literal its octets, `first` being the chunk that was read ahead; whatever fails costs the line."""
    try:
        await _send(session, size, octets, first)
    except BaseException:
        session.abort()
        raise


async def _send(session: Session, size: int, octets: AsyncIterator[bytes], first: bytes | None) -> None:
    missing = size
    chunk = await anext(octets, None) if first is None else first
    while chunk is not None:
        missing -= len(chunk)
        if missing < 0:
            break
        for start in range(0, len(chunk), WRITE_PIECE_BYTES):
            session.connection.send_literal(chunk[start : start + WRITE_PIECE_BYTES])
            session.flush()
            await session.stream.drain()
        chunk = await anext(octets, None)
    if missing:
        raise LocalProtocolError(f"a message of {size} octets gave {size - missing}")
    session.flush()
