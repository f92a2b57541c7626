"""The remote view of one mailbox, by the cheapest way the server offers.

QRESYNC tells changes and expunges since the mark; CONDSTORE alone tells changes, expunges come from a listing of UIDs
when the count does not add up. Where there are no mod-sequences, what is new is asked for, expunges are found by the count
as well, and all flags are read only when a whole comparison is wanted (`sync.comparisons` says when). Marks in the view
are the values at the *start* of the scan, never the largest MODSEQ heard (sync.md 5). A changed UIDVALIDITY ends the scan here: nothing
downstream runs with UIDs of another validity (RFC 9051 §2.3.1.1).
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from daemon.model.errors import UidValidityChanged
from daemon.model.flags import SEEN
from daemon.model.ids import ModSeq, Uid
from daemon.model.mailbox import MailboxRecord
from daemon.model.uidset import UidSet
from daemon.model.views import BaseState, BaseView, RemoteEntry, RemoteView
from daemon.net.imap.client import Heard, ImapClient, QresyncSince, Selection

MOST_REPEATED: Final = 100
"""Changes that the server tells again in each scan of a mailbox that stays selected, before it is selected anew for the
sake of its marks.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteNews:
    """What the server said of a mailbox since the marks. `uid_next` and `highest_mod_seq` are the marks to store after it."""

    selection: Selection
    changed: dict[Uid, RemoteEntry]
    vanished: UidSet
    uid_next: Uid | None
    highest_mod_seq: ModSeq | None

    def view(self, client: ImapClient, record: MailboxRecord, *, present: UidSet | None = None) -> RemoteView:
        """The view that follows from it, `changed` as it is now."""
        return RemoteView(
            mailbox=record.name,
            uid_validity=self.selection.uid_validity,
            uid_next=self.uid_next,
            highest_mod_seq=self.highest_mod_seq,
            message_count=_exists(client, self.selection),
            changed=self.changed,
            vanished=self.vanished,
            present=present,
            permanent_flags=self.selection.permanent_flags,
            accepts_new_keywords=self.selection.accepts_new_keywords,
            is_read_only=self.selection.is_read_only,
        )


class _Age(Enum):
    """When the mailbox was selected: before, just now, or just now with what QRESYNC has to say."""

    EARLIER = "earlier"
    NOW = "now"
    NOW_WITH_NEWS = "now_with_news"


async def scan_mailbox(
    client: ImapClient,
    record: MailboxRecord,
    base: BaseView,
    *,
    is_whole: bool = False,
    is_unseen_other: bool = False,
) -> RemoteView:
    r"""What the server has in this mailbox, as far as base needs to know; leaves the mailbox selected.

    `is_whole`: compare every message, whatever marks and counts say. `is_unseen_other`: the server has another number of
    messages without `\Seen` than base, so find out which.

    Raises:
        UidValidityChanged: The UIDs of base are void; `sync.reset` takes over.
        ServerRefused: The mailbox cannot be selected; code NONEXISTENT where it is gone.
    """
    heard = _heard_of(client, record)
    selection, age = await _selected(client, record)
    if record.uid_validity is not None and selection.uid_validity != record.uid_validity:
        raise UidValidityChanged(
            f"UIDVALIDITY of {record.name} changed from {record.uid_validity} to {selection.uid_validity}"
        )
    has_mod_seqs = client.has_condstore and bool(selection.highest_mod_seq)
    if (
        is_whole
        or heard.has_unnamed_change
        or has_mod_seqs != bool(record.highest_mod_seq)
        or not has_counts(record)
    ):
        return await _scan_all(client, record, base, selection)
    if not has_mod_seqs:
        return await _scan_news_alone(client, record, base, selection, heard, is_unseen_other=is_unseen_other)
    news = await _news(client, record, selection, age)
    present = await _listing_if_needed(client, base, news.changed, news.vanished)
    stored = {entry.uid for entry in base.entries if entry.state is not BaseState.FAILED}
    await add_sizes(client, stored, news.changed)
    return news.view(client, record, present=present)


def stays_selected(client: ImapClient, record: MailboxRecord) -> bool:
    """Whether this mailbox is scanned as it was selected some time ago, by what was heard since.

    Without UNSELECT it is selected again: a full pass could not leave it, and what came meanwhile was never told.
    """
    current = client.selection
    return current is not None and current.wire_name == record.wire_name and client.caps.has("UNSELECT")


async def scan_news(client: ImapClient, record: MailboxRecord) -> RemoteNews | None:
    """What the server says since the marks, whatever base may be; leaves the mailbox selected.

    None where it cannot say, or where the marks are doubtful: the whole mailbox has to be compared.

    Raises:
        ServerRefused: The mailbox cannot be selected; code NONEXISTENT where it is gone.
    """
    if not (has_marks(record) and client.has_condstore):
        return None
    selection, age = await _selected(client, record)
    if selection.uid_validity != record.uid_validity or not selection.highest_mod_seq:
        return None
    news = await _news(client, record, selection, age)
    if age is _Age.EARLIER and len(news.changed) + len(news.vanished.ranges) > MOST_REPEATED:
        await client.unselect()
        selection, age = await _selected(client, record)
        if selection.uid_validity != record.uid_validity:
            return None
        news = await _news(client, record, selection, age)
    return None if _went_back(record, news) else news


async def add_sizes(
    client: ImapClient, stored: Collection[Uid | None], changed: dict[Uid, RemoteEntry]
) -> None:
    """Complete `changed` by size and internal date of the messages that are to be fetched: not those `stored`."""
    bare = UidSet(uid for uid, entry in changed.items() if uid not in stored and entry.size is None)
    if bare:
        scan = await client.fetch_entries(bare, with_size=True)
        changed.update((entry.uid, entry) for entry in scan.entries)


async def with_flags_of(client: ImapClient, view: RemoteView, uids: UidSet) -> RemoteView:
    """The view with the flags that these messages of the selected mailbox have now, whether or not they changed."""
    scan = await client.fetch_entries(uids, with_size=False)
    return replace(view, changed={**view.changed, **{entry.uid: entry for entry in scan.entries}})


def has_marks(record: MailboxRecord) -> bool:
    """Whether a completed scan has left marks from which the server can say what changed."""
    return has_counts(record) and bool(record.highest_mod_seq)


def has_counts(record: MailboxRecord) -> bool:
    """Whether a completed scan has left marks from which it shows what is new."""
    return record.is_first_pass_done and record.uid_validity is not None and record.uid_next is not None


def _went_back(record: MailboxRecord, news: RemoteNews) -> bool:
    return (news.uid_next or 0) < (record.uid_next or 0) or (news.highest_mod_seq or 0) < (
        record.highest_mod_seq or 0
    )


def _heard_of(client: ImapClient, record: MailboxRecord) -> Heard:
    """What was said of this mailbox while it was selected, where nothing will say it again; SELECT forgets it."""
    current = client.selection
    if current is None or current.wire_name != record.wire_name:
        return Heard()
    return Heard() if client.has_condstore and has_marks(record) else client.drain_heard()


async def _selected(client: ImapClient, record: MailboxRecord) -> tuple[Selection, _Age]:
    current = client.selection
    if current is not None and stays_selected(client, record):
        return current, _Age.EARLIER
    since = None
    if client.has_qresync and has_marks(record):
        assert record.uid_validity is not None  # noqa: S101 - for the type checker; has_marks has looked
        assert record.highest_mod_seq is not None  # noqa: S101
        since = QresyncSince(
            uid_validity=record.uid_validity, mod_seq=record.highest_mod_seq, known_uids=None
        )
    selection = await client.select(record.wire_name, since=since)
    return selection, _Age.NOW if since is None else _Age.NOW_WITH_NEWS


async def _news(client: ImapClient, record: MailboxRecord, selection: Selection, age: _Age) -> RemoteNews:
    uid_next, mark = selection.uid_next, selection.highest_mod_seq
    entries, vanished = selection.changed, selection.vanished
    if age is not _Age.NOW_WITH_NEWS:
        heard = client.drain_heard()
        scan = await client.fetch_entries(changed_since=record.highest_mod_seq, with_size=False)
        entries, vanished = scan.entries, scan.vanished | heard.vanished
    if age is _Age.EARLIER:
        # No SELECT, so no HIGHESTMODSEQ of this moment: the mark stays, the next scan looks at the same again.
        mark = record.highest_mod_seq
    if age is _Age.EARLIER or uid_next is None:
        uid_next = _uid_next_after(record.uid_next, max((entry.uid for entry in entries), default=None))
    return RemoteNews(
        selection=selection,
        changed={entry.uid: entry for entry in entries},
        vanished=vanished,
        uid_next=uid_next,
        highest_mod_seq=mark,
    )


def _uid_next_after(mark: Uid | None, newest: Uid | None) -> Uid | None:
    if newest is None:
        return mark
    return Uid(max(mark or 0, newest + 1))


def _exists(client: ImapClient, selection: Selection) -> int:
    current = client.selection
    return current.exists if current is not None else selection.exists


async def _listing_if_needed(
    client: ImapClient, base: BaseView, changed: dict[Uid, RemoteEntry], vanished: UidSet
) -> UidSet | None:
    """A complete listing, unless the count proves that nothing base knows is gone but what was said to be.

    CONDSTORE does not tell expunges (RFC 7162 §3.1), and QRESYNC may keep one back (faults.md S9): what is left of base and
    the new ones together must be all that exists.
    """
    known = {entry.uid for entry in base.entries if entry.uid is not None}
    expected = sum(uid not in vanished for uid in known.union(changed))
    if client.selection is not None and client.selection.exists == expected:
        return None
    return _if_complete(await client.list_uids(), client)


async def _scan_news_alone(
    client: ImapClient,
    record: MailboxRecord,
    base: BaseView,
    selection: Selection,
    heard: Heard,
    *,
    is_unseen_other: bool,
) -> RemoteView:
    """New messages, expunges by the count, and flags that were heard or that the number of unseen messages is about."""
    scan = await client.fetch_entries(first=record.uid_next)
    doubtful = heard.flagged  # asked again: we may have changed them ourselves since
    if is_unseen_other:
        doubtful |= _other_than(base, await client.unseen_uids())
    again = await client.fetch_entries(doubtful, with_size=False)
    changed = {entry.uid: entry for entry in (*again.entries, *scan.entries)}
    present = await _listing_if_needed(client, base, changed, heard.vanished)
    stored = {entry.uid for entry in base.entries if entry.state is not BaseState.FAILED}
    await add_sizes(client, stored, changed)
    newest = max((entry.uid for entry in scan.entries), default=None)
    news = RemoteNews(
        selection=selection,
        changed=changed,
        vanished=heard.vanished,
        uid_next=_uid_next_after(max(record.uid_next or Uid(1), selection.uid_next or Uid(1)), newest),
        highest_mod_seq=None,
    )
    return news.view(client, record, present=present)


def _other_than(base: BaseView, unseen: UidSet) -> UidSet:
    r"""Messages of base whose `\Seen` is not as the server's list of those without it has it."""
    return UidSet(
        entry.uid
        for entry in base.entries
        if entry.uid is not None and (entry.uid in unseen) == (SEEN in entry.flags)
    )


async def _scan_all(
    client: ImapClient, record: MailboxRecord, base: BaseView, selection: Selection
) -> RemoteView:
    client.drain_heard()
    scan = await client.fetch_entries(with_size=not base.entries)
    changed = {entry.uid: entry for entry in scan.entries}
    present = _if_complete(UidSet(changed), client)
    await add_sizes(
        client, {entry.uid for entry in base.entries if entry.state is not BaseState.FAILED}, changed
    )
    return RemoteView(
        mailbox=record.name,
        uid_validity=selection.uid_validity,
        uid_next=selection.uid_next or _uid_next_after(None, max(changed, default=None)),
        highest_mod_seq=selection.highest_mod_seq if client.has_condstore else None,
        message_count=_exists(client, selection),
        changed=changed,
        present=present,
        permanent_flags=selection.permanent_flags,
        accepts_new_keywords=selection.accepts_new_keywords,
        is_read_only=selection.is_read_only,
    )


def _if_complete(listed: UidSet, client: ImapClient) -> UidSet | None:
    """The listing, or None when it has fewer messages than the server says exist: then its gaps prove nothing."""
    exists = client.selection.exists if client.selection is not None else 0
    return listed if len(listed) >= exists else None
