"""Which server the base belongs to: another host or login sends every mailbox through the gate (sync.md 11).

Numbers of one server mean nothing on another, even where UIDVALIDITY happens to be the same, as after a migration that
copied it. Nothing is deleted by that: files and messages are matched anew.
"""

from collections.abc import Iterable
from typing import Final

from daemon.model.errors import MailError
from daemon.model.mailbox import MailboxRecord
from daemon.model.settings import ImapSettings, Pop3Settings
from daemon.store.store import Store
from daemon.sync.reset import Rematch

_FINGERPRINT: Final = "fingerprint"


async def void_if_server_changed(
    settings: ImapSettings, store: Store, rematch: Rematch, records: Iterable[MailboxRecord]
) -> None:
    """Forget every UID if the account is on another server, or another login, than when it was last in step.

    Repeated after a crash: voiding twice is voiding once. The first start of an account only notes where it is.
    Raises MailError (protocol_changed) for an account that was kept over the other protocol.
    """
    if await is_server_other(settings, store):
        for record in records:
            if record.uid_validity is not None:
                await rematch.void(record, record.uid_validity, reason="server_changed")
    await note_server(settings, store)


async def is_server_other(settings: ImapSettings | Pop3Settings, store: Store) -> bool:
    """Whether the account was last in step with another server or login; raises MailError for another protocol."""
    before = await store.facts.get(settings.id, _FINGERPRINT)
    if before is None:
        return False
    if before.split(" ", 1)[0] != settings.protocol:
        raise MailError(
            f"this account was kept over {before.split(' ', 1)[0].upper()} until now: "
            f"its mail cannot be taken over to {settings.protocol.upper()}",
            reason="protocol_changed",
            remedy="give the new protocol an account id of its own, or set the protocol back",
        )
    return before != _fingerprint_of(settings)


async def note_server(settings: ImapSettings | Pop3Settings, store: Store) -> None:
    """From now on the account's base belongs to this server and login."""
    await store.facts.set(settings.id, _FINGERPRINT, _fingerprint_of(settings))


def _fingerprint_of(settings: ImapSettings | Pop3Settings) -> str:
    return f"{settings.protocol} {settings.username}@{settings.host.lower()}"
