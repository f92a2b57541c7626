"""STATUS: the numbers of a mailbox that need not be selected. RFC 9051 §6.3.11; MAILBOXID: RFC 8474 §4.3."""

from daemon.net.imap.session import Session
from daemon.net.imap.values import StatusResult
from daemon.wire.imap import commands
from daemon.wire.imap.commands import StatusItem
from daemon.wire.imap.events import Event
from daemon.wire.imap.responses import StatusData


def items(session: Session) -> list[StatusItem]:
    """What may be asked: only what the server offers (IONOS answers BAD to the rest)."""
    found = [StatusItem.MESSAGES, StatusItem.UID_NEXT, StatusItem.UID_VALIDITY]
    if session.caps.has("CONDSTORE"):
        found.append(StatusItem.HIGHEST_MOD_SEQ)
    if session.caps.has("OBJECTID"):
        found.append(StatusItem.MAILBOX_ID)
    return found


def same_mailbox(one: bytes, other: bytes) -> bool:
    """Whether two wire names are one mailbox: INBOX comes in any case (RFC 9051 §5.1)."""
    return one == other or (len(one) == 5 and one.upper() == other.upper() == b"INBOX")


def result_of(data: StatusData) -> StatusResult:
    return StatusResult(
        uid_validity=data.uid_validity,
        uid_next=data.uid_next,
        highest_mod_seq=data.highest_mod_seq,
        message_count=data.message_count,
        mailbox_id=data.mailbox_id,
    )


async def status(session: Session, wire_name: bytes) -> StatusResult:
    """The numbers of one mailbox; raises ServerRefused."""
    found: list[StatusData] = []

    def take(event: Event) -> None:
        if isinstance(event, StatusData) and same_mailbox(event.wire_name, wire_name):
            found.append(event)

    session.other_listeners.append(take)
    try:
        await session.run(commands.status(wire_name, items(session)))
    finally:
        session.other_listeners.remove(take)
    return result_of(found[-1]) if found else StatusResult()
