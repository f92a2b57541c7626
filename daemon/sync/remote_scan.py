"""The remote view of one mailbox, by the cheapest way the server offers.

QRESYNC tells changes and expunges since the mark; CONDSTORE alone tells changes, expunges come from a listing of UIDs
when the count does not add up; a server with neither is asked for all flags. Marks in the view are the values at the
*start* of the scan, never the largest MODSEQ heard (sync.md 5). A changed UIDVALIDITY ends the scan here: nothing
downstream runs with UIDs of another validity (RFC 9051 §2.3.1.1).
"""

from collections.abc import Iterable

from daemon.model.errors import UidValidityChanged
from daemon.model.ids import Uid
from daemon.model.mailbox import MailboxRecord
from daemon.model.uidset import UidSet
from daemon.model.views import BaseState, BaseView, RemoteEntry, RemoteView
from daemon.net.imap.client import ImapClient, QresyncSince, Selection


async def scan_mailbox(client: ImapClient, record: MailboxRecord, base: BaseView) -> RemoteView:
    """What the server has in this mailbox, as far as base needs to know; leaves the mailbox selected.

    Raises:
        UidValidityChanged: The UIDs of base are void; `sync.reset` takes over.
        ServerRefused: The mailbox cannot be selected; code NONEXISTENT where it is gone.
    """
    selection, is_fresh = await _selected(client, record)
    if record.uid_validity is not None and selection.uid_validity != record.uid_validity:
        raise UidValidityChanged(
            f"UIDVALIDITY of {record.name} changed from {record.uid_validity} to {selection.uid_validity}"
        )
    if _has_marks(record) and client.has_condstore and selection.highest_mod_seq:
        return await _scan_changes(client, record, base, selection, is_fresh=is_fresh)
    return await _scan_all(client, record, base, selection)


def stays_selected(client: ImapClient, record: MailboxRecord) -> bool:
    """Whether this mailbox is scanned as it was selected some time ago, by what was heard since.

    Without UNSELECT it is selected again: a full pass could not leave it, and what came meanwhile was never told.
    """
    current = client.selection
    return current is not None and current.wire_name == record.wire_name and client.caps.has("UNSELECT")


async def _selected(client: ImapClient, record: MailboxRecord) -> tuple[Selection, bool]:
    """The selection of this mailbox, and whether it was made just now with what QRESYNC has to say."""
    current = client.selection
    if current is not None and stays_selected(client, record):
        return current, False
    since = None
    if client.has_qresync and _has_marks(record):
        assert record.uid_validity is not None  # noqa: S101 - for the type checker; _has_marks has looked
        assert record.highest_mod_seq is not None  # noqa: S101
        since = QresyncSince(
            uid_validity=record.uid_validity, mod_seq=record.highest_mod_seq, known_uids=None
        )
    client.drain_heard()
    return await client.select(record.wire_name, since=since), since is not None


def _has_marks(record: MailboxRecord) -> bool:
    return (
        record.is_first_pass_done
        and record.uid_validity is not None
        and record.uid_next is not None
        and bool(record.highest_mod_seq)
    )


async def _scan_changes(
    client: ImapClient, record: MailboxRecord, base: BaseView, selection: Selection, *, is_fresh: bool
) -> RemoteView:
    vanished = UidSet()
    present: UidSet | None = None
    if is_fresh:
        entries: Iterable[RemoteEntry] = selection.changed
        vanished = selection.vanished
        marks = (selection.uid_next, selection.highest_mod_seq)
    else:
        heard = client.drain_heard()
        scan = await client.fetch_entries(changed_since=record.highest_mod_seq, with_size=False)
        entries = scan.entries
        vanished = scan.vanished | heard.vanished
        # No SELECT, so no HIGHESTMODSEQ of this moment: the mark stays, the next scan looks at the same again.
        newest = max((entry.uid for entry in scan.entries), default=None)
        marks = (_later(record.uid_next, newest), record.highest_mod_seq)
    changed = {entry.uid: entry for entry in entries}
    if not client.has_qresync:
        present = await _listing_if_needed(client, base, changed)
    return RemoteView(
        mailbox=record.name,
        uid_validity=selection.uid_validity,
        uid_next=marks[0],
        highest_mod_seq=marks[1],
        message_count=_exists(client, selection),
        changed=await _with_sizes(client, base, changed),
        vanished=vanished,
        present=present,
        permanent_flags=selection.permanent_flags,
        accepts_new_keywords=selection.accepts_new_keywords,
        is_read_only=selection.is_read_only,
    )


def _later(mark: Uid | None, newest: Uid | None) -> Uid | None:
    if newest is None:
        return mark
    return Uid(max(mark or 0, newest + 1))


def _exists(client: ImapClient, selection: Selection) -> int:
    current = client.selection
    return current.exists if current is not None else selection.exists


async def _listing_if_needed(
    client: ImapClient, base: BaseView, changed: dict[Uid, RemoteEntry]
) -> UidSet | None:
    """A complete listing, unless the count proves that nothing base knows is gone.

    CONDSTORE does not tell expunges (RFC 7162 §3.1): base and the new ones together must be all that exists.
    """
    known = {entry.uid for entry in base.entries if entry.uid is not None}
    expected = len(known) + sum(uid not in known for uid in changed)
    if client.selection is not None and client.selection.exists == expected:
        return None
    return _if_complete(await client.list_uids(), client)


async def _scan_all(
    client: ImapClient, record: MailboxRecord, base: BaseView, selection: Selection
) -> RemoteView:
    client.drain_heard()
    scan = await client.fetch_entries(with_size=not base.entries)
    changed = {entry.uid: entry for entry in scan.entries}
    return RemoteView(
        mailbox=record.name,
        uid_validity=selection.uid_validity,
        uid_next=selection.uid_next or _later(None, max(changed, default=None)),
        highest_mod_seq=selection.highest_mod_seq,
        message_count=_exists(client, selection),
        changed=await _with_sizes(client, base, changed),
        present=_if_complete(UidSet(changed), client),
        permanent_flags=selection.permanent_flags,
        accepts_new_keywords=selection.accepts_new_keywords,
        is_read_only=selection.is_read_only,
    )


def _if_complete(listed: UidSet, client: ImapClient) -> UidSet | None:
    """The listing, or None when it has fewer messages than the server says exist: then its gaps prove nothing."""
    exists = client.selection.exists if client.selection is not None else 0
    return listed if len(listed) >= exists else None


async def _with_sizes(
    client: ImapClient, base: BaseView, changed: dict[Uid, RemoteEntry]
) -> dict[Uid, RemoteEntry]:
    """`changed`, with size and internal date for the messages that are to be fetched."""
    stored = {entry.uid for entry in base.entries if entry.state is not BaseState.FAILED}
    bare = UidSet(uid for uid, entry in changed.items() if uid not in stored and entry.size is None)
    if bare:
        scan = await client.fetch_entries(bare, with_size=True)
        changed.update((entry.uid, entry) for entry in scan.entries)
    return changed
