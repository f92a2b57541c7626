"""What a comparison finds that the server should have told and did not: then its word is not believed for a while.

A change that came while we looked is no lie, and proves itself: its mod-sequence is above the mark, and asked again the
server tells of it. RFC 7162 §3.1, §3.2.6; faults.md S9.
"""

from dataclasses import dataclass, field

from daemon.model.flags import SYSTEM_FLAGS
from daemon.model.mailbox import MailboxRecord
from daemon.model.uidset import UidSet
from daemon.model.views import BaseEntry, BaseState, BaseView, RemoteEntry, RemoteView
from daemon.net.imap.client import ImapClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """UIDs of messages with other flags than the mark says, and of those that are gone and never were said to be."""

    flags: UidSet = field(default_factory=UidSet)
    gone: UidSet = field(default_factory=UidSet)

    @property
    def false_claims(self) -> tuple[str, ...]:
        """The capabilities that this disproves."""
        if self.flags:
            return ("CONDSTORE", "QRESYNC")
        return ("QRESYNC",) if self.gone else ()


async def find_untold(client: ImapClient, record: MailboxRecord, base: BaseView, view: RemoteView) -> Untold:
    """What the marks of `record` hide of this view of the selected mailbox, which has a listing or is whole."""
    gone = _gone(base, view)
    if gone and client.has_qresync:
        again = await client.fetch_entries(gone, changed_since=record.highest_mod_seq, with_size=False)
        told = again.vanished
        gone = UidSet(uid for uid in gone if uid not in told)
    else:  # CONDSTORE alone does not tell of expunges
        gone = UidSet()
    return Untold(flags=changed_below(record, base, view), gone=gone)


def changed_below(record: MailboxRecord, base: BaseView, view: RemoteView) -> UidSet:
    """Messages with other system flags than both sides agreed on, although they have not changed since the mark."""
    return UidSet(
        entry.uid
        for entry in base.entries
        if entry.uid is not None
        and entry.state is BaseState.SYNCED
        and (there := view.changed.get(entry.uid)) is not None
        and _is_other(entry, there)
        and (there.mod_seq or 0) <= (record.highest_mod_seq or 0)
    )


def _is_other(entry: BaseEntry, there: RemoteEntry) -> bool:
    """Keywords are left out: a server need not keep them."""
    return bool((entry.flags ^ there.flags) & SYSTEM_FLAGS)


def _gone(base: BaseView, view: RemoteView) -> UidSet:
    if view.present is None:
        return UidSet()
    return UidSet(
        entry.uid
        for entry in base.entries
        if entry.uid is not None and entry.state is BaseState.SYNCED and entry.uid not in view.present
    )
