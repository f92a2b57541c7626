"""The server's side of a look at one mailbox: its view, with record and base under the UIDVALIDITY of the moment.

Marks that cannot be trusted lead to a whole comparison, numbers that went back to new ones (faults.md S8, S9).
"""

from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from daemon.model.errors import UidValidityChanged
from daemon.model.ids import AccountId
from daemon.model.mailbox import MailboxRecord
from daemon.model.views import BaseView, RemoteView
from daemon.net.imap.client import ImapClient
from daemon.store.store import Store
from daemon.sync.comparisons import Comparisons
from daemon.sync.marks import unmarked, went_back
from daemon.sync.remote_scan import has_marks, scan_mailbox, stays_selected
from daemon.sync.reset import Rematch
from daemon.sync.untold import find_untold


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteLook:
    """Looks at mailboxes of one account on the server."""

    account: AccountId
    store: Store
    rematch: Rematch
    comparisons: Comparisons
    log: FilteringBoundLogger

    async def see(
        self, client: ImapClient, record: MailboxRecord, base: BaseView, *, is_under_review: bool
    ) -> tuple[MailboxRecord, BaseView, RemoteView]:
        """The view, and record and base as they are with it."""
        is_fresh = not stays_selected(client, record)
        is_whole = is_under_review or self.comparisons.is_whole(record.name)
        try:
            remote = await scan_mailbox(
                client,
                record,
                base,
                is_whole=is_whole,
                is_unseen_other=self.comparisons.is_unseen_other(record.name),
            )
        except UidValidityChanged:
            if client.selection is None:
                raise
            record = await self.rematch.void(
                record, client.selection.uid_validity, reason="uidvalidity_changed"
            )
            base = await self.store.base.load(self.account, record.name)
            return record, base, await scan_mailbox(client, record, base)
        selection = client.selection
        if not is_fresh or selection is None:
            return record, base, remote
        if went_back(record.uid_next, selection.uid_next):
            # A UID may now belong to another message (faults.md S8): none of those known is believed any more.
            record = await self.rematch.void(record, remote.uid_validity, reason="uid_next_went_back")
            base = await self.store.base.load(self.account, record.name)
            remote = await scan_mailbox(client, record, base)
        elif went_back(record.highest_mod_seq, selection.highest_mod_seq):
            remote = remote if is_whole else await scan_mailbox(client, unmarked(record), base)
        elif (
            remote.present is not None
            and remote.highest_mod_seq
            and client.has_condstore
            and has_marks(record)
            and not is_under_review
        ):
            await self._judge_word(client, record, base, remote)
        return record, base, remote

    async def _judge_word(
        self, client: ImapClient, record: MailboxRecord, base: BaseView, remote: RemoteView
    ) -> None:
        """Believe the server no longer, for a while, where it kept something back."""
        untold = await find_untold(client, record, base, remote)
        if untold.false_claims:
            self.log.warning(
                "mailbox.changes_untold",
                mailbox=record.name,
                flags=len(untold.flags),
                gone=len(untold.gone),
                distrusted=untold.false_claims,
            )
            client.doubt(*untold.false_claims)
