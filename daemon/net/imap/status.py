"""STATUS: the numbers of a mailbox that need not be selected.

RFC 9051 §6.3.11; MAILBOXID: RFC 8474 §4.3; SIZE: RFC 8438; APPENDLIMIT: RFC 7889.
"""

from collections.abc import Collection, Mapping, Sequence

from daemon.model.errors import ServerRefused
from daemon.net.imap import pushes
from daemon.net.imap.session import Session
from daemon.net.imap.values import StatusResult
from daemon.wire.imap import commands
from daemon.wire.imap.commands import StatusItem
from daemon.wire.imap.events import Event
from daemon.wire.imap.responses import StatusData


def items(session: Session, *, with_size: bool = False) -> list[StatusItem]:
    r"""What may be asked: only what the server offers (IONOS answers BAD to the rest) and can tell (Cyrus, MAILBOXID).

    Where mod-sequences are not offered, or missing from a mailbox, UNSEEN tells at least of `\Seen`.
    `with_size` costs the server a look at every message, so it is for one mailbox at a time (STATUS=SIZE, RFC 8438).
    """
    caps = session.caps
    found = [StatusItem.MESSAGES, StatusItem.UID_NEXT, StatusItem.UID_VALIDITY]
    if caps.has("CONDSTORE"):
        found.append(StatusItem.HIGHEST_MOD_SEQ)
    if caps.has("OBJECTID") and not session.profile.garbles_mailbox_id:
        found.append(StatusItem.MAILBOX_ID)
    if with_size or session.lacks_mod_seqs:
        found.append(StatusItem.UNSEEN)
    if with_size:
        found += [StatusItem.SIZE] if caps.has("STATUS=SIZE") else []
        found += [StatusItem.DELETED] if session.has_rev2 else []
    return found


def same_mailbox(one: bytes, other: bytes) -> bool:
    """Whether two wire names are one mailbox: INBOX comes in any case (RFC 9051 §5.1)."""
    return pushes.key_of(one) == pushes.key_of(other)


async def status(session: Session, wire_name: bytes, *, with_size: bool = False) -> StatusResult:
    """The numbers of one mailbox; raises ServerRefused."""
    return await _ask(session, wire_name, items(session, with_size=with_size))


async def statuses(session: Session, wire_names: Collection[bytes]) -> Mapping[bytes, StatusResult]:
    """The numbers of several mailboxes, asked in one go; one that is refused is left out."""
    wanted = {pushes.key_of(name): name for name in wire_names}
    found: dict[bytes, list[StatusData]] = {}

    def take(event: Event) -> bool:
        if not isinstance(event, StatusData):
            return False
        name = wanted.get(pushes.key_of(event.wire_name))
        if name is None:
            return False
        found.setdefault(name, []).append(event)
        return True

    session.other_listeners.append(take)
    try:
        answers = [session.start(commands.status(name, items(session)))[1] for name in wanted.values()]
        for answer in answers:
            await session.finish(answer)
    finally:
        session.other_listeners.remove(take)
    said = {name: pushes.joined(parts) for name, parts in found.items()}
    return {name: pushes.result_of(data) for name, data in said.items() if data is not None}


async def append_limit(session: Session, wire_name: bytes) -> int | None:
    """Octets that APPEND takes into this mailbox; None where the server sets no limit or does not tell (RFC 7889)."""
    if session.caps.append_limit is not None or not session.caps.has("APPENDLIMIT"):
        return session.caps.append_limit
    try:
        return (await _ask(session, wire_name, [StatusItem.APPEND_LIMIT])).append_limit
    except ServerRefused:
        return None  # APPEND itself will say why


async def _ask(session: Session, wire_name: bytes, wanted: Sequence[StatusItem]) -> StatusResult:
    said: StatusData | None = None

    def take(event: Event) -> bool:
        nonlocal said
        if not isinstance(event, StatusData) or not same_mailbox(event.wire_name, wire_name):
            return False
        said = event if said is None else event.joined(said)
        return True

    session.other_listeners.append(take)
    try:
        await session.run(commands.status(wire_name, wanted))
    finally:
        session.other_listeners.remove(take)
    return pushes.result_of(said) if said else StatusResult()
