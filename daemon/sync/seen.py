"""What a pass has seen of one mailbox: its three views, whole or in part, and the facts that follow from them."""

from collections.abc import Collection
from dataclasses import dataclass

from daemon.model.flags import in_spelling_of
from daemon.model.ids import ModSeq, Uid
from daemon.model.mailbox import MailboxRecord
from daemon.model.views import BaseState, BaseView, RemoteEntry, RemoteView
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

    def mark_after(self, deleted: Collection[Uid | None]) -> ModSeq | None:
        """The mod-sequence to go on from, when of what was to go these messages are `deleted`.

        It stays below changed flags of those that were to go and are still there, since nobody has compared them: the server
        must tell of them again when their files are back. Flags of files that lie aside are asked for on their return.
        """
        mark = self.remote.highest_mod_seq
        open_seqs = [entry.mod_seq for entry in self._uncompared() if entry.uid not in deleted]
        if mark is None or not open_seqs:
            return mark
        told_again = min((mod_seq or 0) - 1 for mod_seq in open_seqs)
        return min(mark, ModSeq(told_again)) if told_again > 0 else None

    def _uncompared(self) -> list[RemoteEntry]:
        """Messages that were to go from the server, with other flags there than base says."""
        facts = self.facts
        return [
            there
            for entry in (*facts.local_vanished, *facts.deleted_by_name, *facts.deleted_and_vanished)
            if entry.state is not BaseState.ASIDE
            and entry.uid is not None
            and (there := self.remote.changed.get(entry.uid)) is not None
            and in_spelling_of(there.flags, entry.flags) != entry.flags
        ]

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
