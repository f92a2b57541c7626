"""QUOTA: how much room an account has. RFC 9208; numbers have 63 bits, because Gmail's do (MailKit#1602)."""

from daemon.net.imap.session import Session
from daemon.net.imap.values import Quota
from daemon.wire.imap import commands
from daemon.wire.imap.events import Event
from daemon.wire.imap.responses import QuotaData, QuotaRootData


async def quota(session: Session, wire_name: bytes) -> tuple[Quota, ...]:
    """Every resource of every root of the mailbox; raises ServerRefused (NONEXISTENT and the like)."""
    if not session.caps.has("QUOTA"):
        return ()
    found: list[QuotaData] = []

    def take(event: Event) -> bool:
        if isinstance(event, QuotaData):
            found.append(event)
        return isinstance(event, QuotaData | QuotaRootData)

    session.other_listeners.append(take)
    try:
        await session.run(commands.get_quota_root(wire_name))
    finally:
        session.other_listeners.remove(take)
    return tuple(
        Quota(root=data.root, resource=one.name, used=one.used, limit=one.limit)
        for data in found
        for one in data.resources
    )
