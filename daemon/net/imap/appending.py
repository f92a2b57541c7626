"""APPEND: uploads, pipelined where the server takes literals unasked, one by one where it does not.

RFC 9051 §6.3.12; LITERAL+ and LITERAL-: RFC 7888; APPENDUID: RFC 4315; APPENDLIMIT: RFC 7889. The octets come from the
caller in pieces and are never held as a whole.
"""

from collections.abc import Sequence

from daemon.model.errors import LocalProtocolError, ServerRefused
from daemon.net.imap.session import Answer, Session
from daemon.net.imap.values import AppendItem, AppendOutcome
from daemon.net.stream import WRITE_PIECE_BYTES
from daemon.wire.imap import commands, refusals
from daemon.wire.imap.outbox import Sent
from daemon.wire.imap.responses import AppendUidCode, Tagged


async def append_many(
    session: Session, target: bytes, items: Sequence[AppendItem]
) -> tuple[AppendOutcome, ...]:
    """One outcome for each item, in order.

    A source that fails, or gives another number of octets than it said, costs the line: half a literal is out.
    """
    limit = session.caps.append_limit
    started: list[Answer | AppendOutcome] = []
    for item in items:
        if limit is not None and item.size > limit:
            started.append(_too_large(item.size, limit))
            continue
        sent, answer = session.start(
            commands.append(target, item.size, flags=item.flags, internal_date=item.internal_date)
        )
        started.append(answer)
        if not await _await_turn(session, sent, answer):
            continue  # refused before any octet
        try:
            await _send(session, item)
        except BaseException:
            session.abort()
            raise
    return tuple(
        [one if isinstance(one, AppendOutcome) else _outcome_of(await session.finish(one)) for one in started]
    )


async def _await_turn(session: Session, sent: Sent, answer: Answer) -> bool:
    """Whether the octets of this command are wanted now; False if it was answered without them."""
    while not answer.done():
        wanted = session.connection.wanted_literal
        if wanted is not None and wanted.sent is sent:
            return True
        await session.stir()
    session.check()
    return False


async def _send(session: Session, item: AppendItem) -> None:
    missing = item.size
    async for chunk in item.open_chunks():
        missing -= len(chunk)
        if missing < 0:
            break
        for start in range(0, len(chunk), WRITE_PIECE_BYTES):
            session.connection.send_literal(chunk[start : start + WRITE_PIECE_BYTES])
            session.flush()
            await session.stream.drain()
    if missing:
        raise LocalProtocolError(f"a message of {item.size} octets gave {item.size - missing}")
    session.flush()


def _outcome_of(tagged: Tagged) -> AppendOutcome:
    if not tagged.is_ok:
        return AppendOutcome(refusal=refusals.refusal(tagged, doing="APPEND"))
    # Believed on the answer to an APPEND only (isync CVE-2021-3578)
    if isinstance(tagged.code, AppendUidCode):
        return AppendOutcome(uid_validity=tagged.code.uid_validity, uid=tagged.code.uid)
    return AppendOutcome()


def _too_large(size: int, limit: int) -> AppendOutcome:
    detail = f"APPEND: the message has {size} octets, the server takes {limit}"
    return AppendOutcome(
        refusal=ServerRefused(detail, status="NO", code="TOOBIG", reason="message_too_large")
    )
