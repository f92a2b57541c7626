"""Which server the base belongs to: another host or login sends every mailbox through the gate (sync.md 11).

Numbers of one server mean nothing on another, even where UIDVALIDITY happens to be the same, as after a migration that
copied it. Nothing is deleted by that: files and messages are matched anew.
"""

from collections.abc import Iterable
from typing import Final

from daemon.model.mailbox import MailboxRecord
from daemon.model.settings import ImapSettings
from daemon.store.store import Store
from daemon.sync.reset import Rematch

_FINGERPRINT: Final = "fingerprint"


async def void_if_server_changed(
    settings: ImapSettings, store: Store, rematch: Rematch, records: Iterable[MailboxRecord]
) -> None:
    """Forget every UID if the account is on another server, or another login, than when it was last in step.

    Repeated after a crash: voiding twice is voiding once. The first start of an account only notes where it is.
    """
    now = f"{settings.protocol} {settings.username}@{settings.host.lower()}"
    before = await store.facts.get(settings.id, _FINGERPRINT)
    if before == now:
        return
    if before is not None:
        for record in records:
            if record.uid_validity is not None:
                await rematch.void(record, record.uid_validity, reason="server_changed")
    await store.facts.set(settings.id, _FINGERPRINT, now)
