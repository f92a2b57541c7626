"""Files without a partner meet messages with their octets: such a message is theirs and is not stored beside them.

What size, date and header did not match is compared by digest (sync.md 7): a server whose RFC822.SIZE is wrong, or one
that gets a message back later. Candidates share a size or a date with a file; equal octets are matched as multisets.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from daemon.model.envelope import Content
from daemon.model.ids import AccountId, MaildirName, MessageId
from daemon.model.mailbox import MailboxRecord
from daemon.model.views import BaseState, BaseView, LocalEntry, RemoteEntry
from daemon.net.imap.client import ImapClient
from daemon.store.base import Binding
from daemon.store.store import Store
from daemon.sync.bodies import wire_digests
from daemon.sync.local_scan import Listing
from daemon.sync.reset import shared_base

Adoptable = Mapping[bytes, tuple[MessageId, MaildirName]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Orphan:
    """A file that was once on the server and has no partner there now."""

    message_id: MessageId
    entry: LocalEntry
    content: Content
    internal_date: int


class Adoption:
    """Looks for partners of the unmatched files of one account."""

    def __init__(self, *, account: AccountId, store: Store) -> None:
        self._account = account
        self._store = store

    async def adopt(
        self,
        client: ImapClient,
        record: MailboxRecord,
        base: BaseView,
        listing: Listing,
        appeared: Sequence[RemoteEntry],
    ) -> int:
        """How many of the messages that appeared were bound to files that are here; the mailbox is selected."""
        orphans = await self._orphans(base, listing) if appeared else []
        sizes = {orphan.content.wire_size for orphan in orphans}
        dates = {orphan.internal_date for orphan in orphans}
        suspects = {
            entry.uid: entry for entry in appeared if entry.size in sizes or entry.internal_date in dates
        }
        if not suspects:
            return 0
        digests = await wire_digests(client, {uid: entry.size or 0 for uid, entry in suspects.items()})
        by_digest: dict[bytes, list[_Orphan]] = defaultdict(list)
        for orphan in orphans:
            by_digest[orphan.content.wire_sha256].append(orphan)
        bindings: list[Binding] = []
        for uid in sorted(digests):
            partners = by_digest.get(digests[uid])
            if partners:
                orphan = partners.pop(0)
                agreed = shared_base(orphan.entry.flags, suspects[uid].flags)
                bindings.append((orphan.message_id, uid, BaseState.SYNCED, agreed))
        if bindings:
            await self._store.base.bind(self._account, record.name, record.uid_validity, bindings)
        return len(bindings)

    async def adoptable(self, base: BaseView, listing: Listing) -> Adoptable:
        """The files that are left, by digest: for messages whose octets are seen only when they are fetched."""
        return {
            orphan.content.wire_sha256: (orphan.message_id, orphan.entry.maildir_name)
            for orphan in await self._orphans(base, listing)
        }

    async def _orphans(self, base: BaseView, listing: Listing) -> list[_Orphan]:
        found: list[_Orphan] = []
        for row in base.entries:
            here = listing.entries.get(row.maildir_name) if row.maildir_name is not None else None
            if row.state is BaseState.UNMATCHED and row.message_id is not None and here is not None:
                message = await self._store.messages.get(row.message_id)
                found.append(
                    _Orphan(
                        message_id=row.message_id,
                        entry=here,
                        content=message.content,
                        internal_date=message.internal_date,
                    )
                )
        return found
