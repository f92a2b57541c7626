"""What a pass has seen of one mailbox: its three views, whole or in part, and the facts that follow from them."""

from dataclasses import dataclass

from daemon.model.mailbox import MailboxRecord
from daemon.model.views import BaseState, BaseView, RemoteView
from daemon.sync.actions import MailboxFacts
from daemon.sync.adoption import Adoptable
from daemon.sync.guard import MailboxSituation, Side, are_statements_doubtful
from daemon.sync.holds import Holds
from daemon.sync.local_scan import Listing


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One mailbox as this pass found it.

    `base` and `listing` may be parts of it (`sync.partial_look`); then `size` is the number of messages that both sides
    have, where it matters, and `has_more_files` says whether there are others than those listed.
    """

    record: MailboxRecord
    base: BaseView
    listing: Listing
    remote: RemoteView
    facts: MailboxFacts
    adoptable: Adoptable
    is_under_review: bool = False
    size: int | None = None
    has_more_files: bool = False

    def situation(self, holds: Holds) -> MailboxSituation:
        """What the breaker wants to know."""
        return MailboxSituation(
            record=self.record,
            size=sum(entry.state is BaseState.SYNCED for entry in self.base.entries)
            if self.size is None
            else self.size,
            are_statements_doubtful=are_statements_doubtful(self.base, self.remote),
            held=holds.current.get(self.record.name),
            approved=holds.approved(self.record.name),
            infers_nothing=self.is_under_review,
            inhabited=frozenset(
                side
                for side, count in (
                    (Side.HERE, len(self.listing.entries) or self.has_more_files),
                    (Side.THERE, self.remote.message_count),
                )
                if count
            ),
        )
