"""APPEND: uploads, in batches or pipelined where the server takes literals unasked, one by one where it does not.

RFC 9051 §6.3.12; LITERAL+ and LITERAL-: RFC 7888; APPENDUID: RFC 4315; APPENDLIMIT: RFC 7889; UTF8: RFC 6855 §4. The octets come from the
caller in pieces and are never held as a whole.
"""

from collections.abc import AsyncIterator, Mapping, Sequence

from daemon.model.errors import ServerRefused
from daemon.net.imap import batches, literals, status
from daemon.net.imap.session import Answer, Session
from daemon.net.imap.values import AppendItem, AppendOutcome
from daemon.wire.imap import commands, refusals
from daemon.wire.imap.responses import AppendUidCode, Tagged


async def append_many(
    session: Session, target: bytes, items: Sequence[AppendItem]
) -> tuple[AppendOutcome, ...]:
    """One outcome for each item, in order.

    A source that fails, or gives another number of octets than it said, costs the line: half a literal is out.
    """
    limit = await status.append_limit(session, target)
    outcomes: dict[int, AppendOutcome] = {
        index: _too_large(item.size, limit)
        for index, item in enumerate(items)
        if limit is not None and item.size > limit
    }
    left = {index: item for index, item in enumerate(items) if index not in outcomes}
    if batches.is_worthwhile(session, len(left)):
        outcomes |= await batches.append_batches(session, target, left)
        left = {index: item for index, item in left.items() if index not in outcomes}
    outcomes |= await _append_each(session, target, left)
    return tuple(outcomes[index] for index in range(len(items)))


async def _append_each(
    session: Session, target: bytes, items: Mapping[int, AppendItem]
) -> dict[int, AppendOutcome]:
    started: dict[int, Answer] = {}
    for index, item in items.items():
        octets = item.open_chunks()
        first = await _first_chunk(session, octets)
        command = commands.append(
            target,
            item.size,
            flags=item.flags,
            internal_date=item.internal_date,
            utf8=first is not None and _has_utf8_header(first),
        )
        sent, started[index] = session.start(command)
        if await literals.await_turn(session, sent, started[index]):  # else refused before any octet
            await literals.send(session, item.size, octets, first)
    return {index: _outcome_of(await session.finish(answer)) for index, answer in started.items()}


async def _first_chunk(session: Session, octets: AsyncIterator[bytes]) -> bytes | None:
    """The beginning of a message, read ahead only where its header decides the form of the command."""
    if "UTF8=ACCEPT" not in session.connection.enabled:
        return None
    return await anext(octets, b"")


def _has_utf8_header(first: bytes) -> bool:
    """Whether the header has 8-bit text, which is UTF8's alone to carry (RFC 6855 §4)."""
    return not first.partition(b"\r\n\r\n")[0].isascii()


def _outcome_of(tagged: Tagged) -> AppendOutcome:
    if not tagged.is_ok:
        return AppendOutcome(refusal=refusals.refusal(tagged, doing="APPEND"))
    # Believed on the answer to an APPEND only (isync CVE-2021-3578)
    if isinstance(tagged.code, AppendUidCode) and len(tagged.code.uids) == 1:
        return AppendOutcome(uid_validity=tagged.code.uid_validity, uid=tagged.code.uid)
    return AppendOutcome()


def _too_large(size: int, limit: int) -> AppendOutcome:
    detail = f"APPEND: the message has {size} octets, the server takes {limit}"
    return AppendOutcome(
        refusal=ServerRefused(detail, status="NO", code="TOOBIG", reason="message_too_large")
    )
