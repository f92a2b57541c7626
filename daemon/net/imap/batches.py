"""MULTIAPPEND: many small uploads by one command. RFC 3502.

Measured against Dovecot 2.3.19, 500 messages of 4 kB: 0.17 s against 0.6 s by pipelined APPEND on loopback, 0.4 s against 1.5 s at
50 ms. One command stores all of its messages or none, so what its refusal means is decided here:

- a refusal that is about the mailbox or the account is the refusal of each message;
- any other may be about one of them. If UIDNEXT shows that nothing was stored, they are left to be sent one by one;
- if it does not, part of a batch may be there in spite of the NO. Then the line is dropped and MULTIAPPEND distrusted: the
  outcome is unknown, as after any lost line, and resolved by intent.
"""

from collections.abc import Mapping
from typing import Final

from daemon.model.errors import ConnectionLost, ServerRefused
from daemon.model.ids import Uid
from daemon.net.imap import literals, status
from daemon.net.imap.session import Answer, Session
from daemon.net.imap.values import AppendItem, AppendOutcome
from daemon.wire.imap import commands, refusals
from daemon.wire.imap.responses import AppendUidCode, Tagged

CAPABILITY: Final = "MULTIAPPEND"
LEAST_COUNT: Final = 8
"""Fewer are as quick by pipelined APPEND, which needs no look at UIDNEXT."""

BATCH_COUNT: Final = 50
BATCH_BYTES: Final = 2 * 1024 * 1024
"""What a refusal may make us send again; larger messages go by themselves."""

_ABOUT_ALL: Final = frozenset({"TRYCREATE", "NONEXISTENT", "NOPERM", "OVERQUOTA", "LIMIT", "THROTTLED"})

Items = Mapping[int, AppendItem]


def is_worthwhile(session: Session, count: int) -> bool:
    """Whether batches are offered and pay. Messages in UTF8 form go by themselves, and so does all that waits for `+`."""
    caps = session.caps
    return (
        count >= LEAST_COUNT
        and caps.has(CAPABILITY)
        and caps.has("LITERAL+")
        and "UTF8=ACCEPT" not in session.connection.enabled
    )


async def append_batches(session: Session, target: bytes, items: Items) -> dict[int, AppendOutcome]:
    """Outcomes by the items' numbers; those that must be sent by themselves are left out.

    Raises:
        ConnectionLost: Part of a refused batch may have been stored.
    """
    try:
        before = (await status.status(session, target)).uid_next
    except ServerRefused:
        return {}  # APPEND itself will say why
    if before is None:
        return {}
    started = [(batch, await _start(session, target, batch)) for batch in _batches(items)]
    outcomes: dict[int, AppendOutcome] = {}
    refused = False
    for batch, answer in started:
        tagged = await session.finish(answer)
        found = _outcomes_of(batch, tagged)
        refused = refused or not found
        outcomes |= found
    if refused:
        stored = sum(one.refusal is None for one in outcomes.values())
        await _require_nothing_more(session, target, before, stored)
    return outcomes


def _batches(items: Items) -> list[dict[int, AppendItem]]:
    batches: list[dict[int, AppendItem]] = [{}]
    size = 0
    for index, item in items.items():
        if item.size > BATCH_BYTES:
            continue
        if len(batches[-1]) >= BATCH_COUNT or size + item.size > BATCH_BYTES:
            batches.append({})
            size = 0
        batches[-1][index] = item
        size += item.size
    return [batch for batch in batches if len(batch) > 1]


async def _start(session: Session, target: bytes, batch: Items) -> Answer:
    messages = [
        commands.Appended(size=item.size, flags=item.flags, internal_date=item.internal_date)
        for item in batch.values()
    ]
    sent, answer = session.start(commands.append_together(target, messages))
    for item in batch.values():
        if item.size and not await literals.await_turn(session, sent, answer):
            break
        await literals.send(session, item.size, item.open_chunks())
    return answer


def _outcomes_of(batch: Items, tagged: Tagged) -> dict[int, AppendOutcome]:
    """One for each message; none where the refusal may be about one of them."""
    code = tagged.code
    if not tagged.is_ok:
        if code is None or code.name not in _ABOUT_ALL:
            return {}
        outcome = AppendOutcome(refusal=refusals.refusal(tagged, doing="APPEND"))
        return dict.fromkeys(batch, outcome)
    if not isinstance(code, AppendUidCode) or len(code.uids) != len(batch):
        return dict.fromkeys(batch, AppendOutcome())
    return {
        index: AppendOutcome(uid_validity=code.uid_validity, uid=uid)
        for index, uid in zip(batch, code.uids, strict=True)
    }


async def _require_nothing_more(session: Session, target: bytes, before: Uid, stored: int) -> None:
    after = (await status.status(session, target)).uid_next
    if after == before + stored:
        return
    session.distrust([CAPABILITY])
    session.abort(
        ConnectionLost("the server refused messages that it may have stored in part", reason="closed")
    )
    session.check()
