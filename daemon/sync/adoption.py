"""Files without a partner meet messages with their octets: such a message is theirs and is not stored beside them.

What size, date and header did not match is compared by digest (sync.md 7): a server whose RFC822.SIZE is wrong, or one
that gets a message back later. Candidates share a size or a date with a file; equal octets are matched as multisets.
A message whose file lies where nothing is kept in step has its octets in the store only, and is met by these after the
mailbox was renumbered; a file that is here goes first.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from daemon.model.envelope import Content
from daemon.model.ids import AccountId, MessageId
from daemon.model.mailbox import MailboxRecord
from daemon.model.views import BaseEntry, BaseState, BaseView, LocalEntry, RemoteEntry
from daemon.net.imap.client import ImapClient
from daemon.store.base import Binding
from daemon.store.store import Store
from daemon.sync.bodies import wire_digests
from daemon.sync.local_scan import Listing
from daemon.sync.reset import shared_base


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A file that was once on the server and has no partner there now; `entry` is None while it is set aside."""

    message_id: MessageId
    entry: LocalEntry | None
    content: Content
    internal_date: int

    def bound_to(self, message: RemoteEntry) -> Binding:
        """The row of this file once it is that message; the true base is lost, so that both sides' flags count."""
        if self.entry is None:
            return self.message_id, message.uid, BaseState.ASIDE, None
        agreed = shared_base(self.entry.flags, message.flags)
        return self.message_id, message.uid, BaseState.SYNCED, agreed


Adoptable = Mapping[bytes, Sequence[Orphan]]
"""Files without a partner, by the digest of their wire form."""


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
        partners = {digest: list(equal) for digest, equal in _by_digest(orphans).items()}
        bindings = [
            partners[digests[uid]].pop(0).bound_to(suspects[uid])
            for uid in sorted(digests)
            if partners.get(digests[uid])
        ]
        if bindings:
            await self._store.base.bind(self._account, record.name, record.uid_validity, bindings)
        return len(bindings)

    async def adoptable(self, base: BaseView, listing: Listing) -> Adoptable:
        """The files that are left: for messages whose octets are seen only when they are fetched."""
        return _by_digest(one for one in await self._orphans(base, listing) if one.entry is not None)

    async def _orphans(self, base: BaseView, listing: Listing) -> list[Orphan]:
        found: list[Orphan] = []
        for row in base.entries:
            here = listing.entries.get(row.maildir_name) if row.maildir_name is not None else None
            if row.message_id is not None and _has_no_partner(row, here):
                message = await self._store.messages.get(row.message_id)
                found.append(
                    Orphan(
                        message_id=row.message_id,
                        entry=here,
                        content=message.content,
                        internal_date=message.internal_date,
                    )
                )
        return sorted(found, key=lambda one: one.entry is None)


def _has_no_partner(row: BaseEntry, here: LocalEntry | None) -> bool:
    if row.state is BaseState.ASIDE:
        return row.uid is None
    return row.state is BaseState.UNMATCHED and here is not None


def _by_digest(orphans: Iterable[Orphan]) -> dict[bytes, list[Orphan]]:
    found: dict[bytes, list[Orphan]] = defaultdict(list)
    for orphan in orphans:
        found[orphan.content.wire_sha256].append(orphan)
    return found
