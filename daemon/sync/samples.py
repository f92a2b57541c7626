"""Whether a listed mailbox is one that we know under another name: samples of its messages tell.

Equal UIDVALIDITY alone proves nothing: a server may give it to all mailboxes made within a second, or to all it has.
"""

from typing import Final

from daemon.model.errors import Blast, NotFound, ServerRefused
from daemon.model.mailbox import MailboxRecord, RemoteMailbox
from daemon.model.uidset import UidSet
from daemon.model.views import BaseEntry, BaseState
from daemon.net.imap.client import ImapClient
from daemon.store.store import Store

SAMPLES: Final = 12


async def is_same_mailbox(
    client: ImapClient, store: Store, record: MailboxRecord, remote: RemoteMailbox
) -> bool:
    """Whether messages of `record` are in `remote` under their UIDs, with their sizes and dates.

    Messages may have been expunged meanwhile: half of the samples must be there, and none may be another message.
    """
    base = await store.base.load(record.account, record.name)
    known = [entry for entry in base.entries if entry.state is BaseState.SYNCED and entry.uid is not None]
    sample = {entry.uid: entry for entry in _spread(known) if entry.uid is not None}
    if not sample:
        return False
    try:
        selection = await client.select(remote.wire_name, read_only=True)
        if selection.uid_validity != record.uid_validity:
            return False
        scan = await client.fetch_entries(UidSet(sample), with_size=True)
    except ServerRefused as exc:
        if exc.blast is Blast.ACCOUNT:
            raise
        return False
    finally:
        await client.unselect()
    found = {entry.uid: (entry.size, entry.internal_date) for entry in scan.entries if entry.uid in sample}
    for uid, facts in found.items():
        if facts != await _facts(store, sample[uid]):
            return False
    return 2 * len(found) >= len(sample)


def _spread(entries: list[BaseEntry]) -> list[BaseEntry]:
    """Some of them, from all over."""
    step = max(1, len(entries) // SAMPLES)
    return entries[::step][:SAMPLES]


async def _facts(store: Store, entry: BaseEntry) -> tuple[int, int] | None:
    if entry.message_id is None:
        return None
    try:
        message = await store.messages.get(entry.message_id)
    except NotFound:
        return None
    return entry.wire_size, message.internal_date
