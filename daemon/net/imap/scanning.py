"""Scans of the selected mailbox: flags, sizes and dates by UID, the list of UIDs, and headers.

UID commands only; every answer's UID is checked against the request. RFC 9051 §6.4.5; CHANGEDSINCE and VANISHED:
RFC 7162 §3.1.4.1, §3.2.6; ESEARCH: RFC 4731. Sets never hold `*`: `UID FETCH n:*` returns the last message even below
n, and Cyrus misses expunges above the highest live UID (cyrus#6071).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from daemon.model.errors import LocalProtocolError, RemoteProtocolError, ServerRefused
from daemon.model.ids import ModSeq, Uid
from daemon.model.uidset import MAX_UID, UidSet
from daemon.model.views import RemoteEntry
from daemon.net.imap.gathering import GatheredUids
from daemon.net.imap.heard import entry_of, new_entry
from daemon.net.imap.session import FetchListener, Session
from daemon.net.imap.values import ScanResult
from daemon.net.imap.view import ViewListener
from daemon.wire.imap import commands, refusals
from daemon.wire.imap.commands import Command, FetchItem
from daemon.wire.imap.events import Event
from daemon.wire.imap.responses import EsearchData, Exists, Expunge, FetchData, SearchData, Vanished

HEADERS_PER_COMMAND: Final = 250
LIST_WINDOW: Final = 50_000
_MOST_WINDOWS: Final = 50
_MORE_MESSAGES: Final = 10_000
MOST_MESSAGES: Final = 1_000_000
"""In one mailbox. Each costs a third of a kilobyte while it is compared with what is here; a server that claims more may be lying,
and if it is not, this mailbox is better left out than all accounts with it."""


@contextmanager
def listening(
    session: Session, fetch: FetchListener | None = None, view: ViewListener | None = None
) -> Iterator[None]:
    """Hand FETCH data and changes of the view to these listeners for the length of the block."""
    if fetch is not None:
        session.fetch_listeners.append(fetch)
    if view is not None:
        session.view_listeners.append(view)
    try:
        yield
    finally:
        if fetch is not None:
            session.fetch_listeners.remove(fetch)
        if view is not None:
            session.view_listeners.remove(view)


async def run_all(session: Session, wanted: Iterable[Command]) -> None:
    """Run commands pipelined; once all were answered, raise the first refusal."""
    answers = [session.start(command) for command in wanted]
    refused: ServerRefused | None = None
    for sent, answer in answers:
        tagged = await session.finish(answer)
        # OK [MESSAGELIMIT] means done in part (RFC 9738 §3): what is missing must not look gone
        is_partial = tagged.code is not None and tagged.code.name == "MESSAGELIMIT"
        if (is_partial or not tagged.is_ok) and refused is None:
            refused = refusals.refusal(tagged, doing=sent.command.kind.value)
    if refused is not None:
        raise refused


async def fetch_entries(
    session: Session,
    uids: UidSet | None,
    *,
    first: Uid | None,
    changed_since: ModSeq | None,
    with_size: bool,
    has_condstore: bool,
    has_qresync: bool,
) -> ScanResult:
    """Flags (and more) of the UIDs asked for."""
    if changed_since is not None and not has_condstore:
        raise LocalProtocolError("CHANGEDSINCE needs CONDSTORE")
    if uids is not None and not uids:
        return ScanResult()
    _require_reasonable_size(session)
    asked = uids if uids is not None else UidSet.from_ranges([(first or 1, MAX_UID)])
    items = [FetchItem.UID, FetchItem.FLAGS]
    if has_condstore:
        items.append(FetchItem.MODSEQ)
    if with_size:
        items += [FetchItem.SIZE, FetchItem.INTERNAL_DATE, *_identities(session)]
    wants_vanished = changed_since is not None and has_qresync

    entries: dict[Uid, RemoteEntry] = {}
    vanished = GatheredUids()
    most = _most_messages(session)
    lowest = asked.ranges[0][0] if len(asked.ranges) == 1 and asked.ranges[0][1] == MAX_UID else None

    def take(data: FetchData) -> bool:
        uid = data.uid
        if uid is None or (uid < lowest if lowest is not None else uid not in asked):
            return False
        before = entries.get(uid)
        flags = data.flags
        if before is not None:
            entries[uid] = entry_of(uid, data, before)
        elif flags is not None:  # QIP and others send FETCH without items: nothing to keep
            entries[uid] = new_entry(uid, flags, data)
            if len(entries) > most and len(entries) > _most_messages(session):
                raise RemoteProtocolError("more messages told than the mailbox has", reason="flood")
        return True

    def view(event: Exists | Expunge | Vanished) -> bool:
        if isinstance(event, Vanished) and event.is_earlier:
            vanished.add(event.uids)
            return True
        return False

    with listening(session, take, view):
        await run_all(
            session,
            (
                commands.uid_fetch(part, items, changed_since=changed_since, vanished=wants_vanished)
                for part in _parts(session, asked, is_all=uids is None and changed_since is None)
            ),
        )
    return ScanResult(entries=tuple(entries[uid] for uid in sorted(entries)), vanished=vanished.take())


def _parts(session: Session, asked: UidSet, *, is_all: bool) -> Iterable[UidSet]:
    """What one command asks for each: windows of UIDs for a whole mailbox (sync.md 23), else sets that fit a line."""
    return _windows(session, asked.ranges[0][0]) if is_all else asked.split(session.set_bytes)


def _require_reasonable_size(session: Session) -> None:
    count = session.selection.exists if session.selection else 0
    if count > MOST_MESSAGES:
        raise ServerRefused(
            f"the server claims {count} messages in this mailbox, at most {MOST_MESSAGES} are taken",
            status="OK",
            reason="mailbox_too_large",
            remedy="divide the mailbox, or exclude it",
        )


def _most_messages(session: Session) -> int:
    """How many messages a scan may find: those that EXISTS counts, and some that may have come since."""
    return (session.selection.exists if session.selection else MAX_UID) + _MORE_MESSAGES


def _identities(session: Session) -> list[FetchItem]:
    """What names a message in every mailbox: EMAILID (RFC 8474), else Gmail's own number. It never changes."""
    if session.caps.has("OBJECTID"):
        return [FetchItem.EMAIL_ID]
    return [FetchItem.GMAIL_MESSAGE_ID] if session.caps.has("X-GM-EXT-1") else []


async def list_uids(session: Session) -> UidSet:
    """All UIDs of the selected mailbox, by ESEARCH where it is offered and agrees with EXISTS, else by FETCH."""
    if session.selection is not None and session.selection.exists == 0:
        return UidSet()
    if session.caps.has("ESEARCH"):
        found = await _search_uids(session)
        # QUIRK iCloud, nextcloud/mail PR 9454: ESEARCH may be incomplete, so it must agree with EXISTS
        if session.selection is None or len(found) == session.selection.exists:
            return found
    return await _fetch_uids(session)


async def unseen_uids(session: Session) -> UidSet:
    r"""UIDs of messages without `\Seen`, as far as SEARCH tells; none where it is refused.

    Good for finding out whose flags to ask for, and no proof of anything: searches are the least tended part of servers.
    """
    return await _search_uids(session, b"UNSEEN")


async def _search_uids(session: Session, criterion: bytes = b"ALL") -> UidSet:
    found = GatheredUids()

    def take(event: Event) -> bool:
        if isinstance(event, EsearchData | SearchData) and event.uids is not None:
            found.add(event.uids)
        return False

    returning = ("ALL",) if session.caps.has("ESEARCH") else ()
    session.other_listeners.append(take)
    try:
        tagged = await session.ask(commands.uid_search((criterion,), returning=returning))
    finally:
        session.other_listeners.remove(take)
    return found.take() if tagged.is_ok else UidSet()


async def _fetch_uids(session: Session) -> UidSet:
    found = GatheredUids()

    def take(data: FetchData) -> bool:
        if data.uid is not None:
            found.add_one(data.uid)
        return data.uid is not None and data.flags is None  # flags told on the way are news of their own

    _require_reasonable_size(session)
    with listening(session, take):
        await run_all(
            session, (commands.uid_fetch(window, [FetchItem.UID]) for window in _windows(session, 1))
        )
    return found.take()


def _windows(session: Session, first: int) -> list[UidSet]:
    """All UIDs from `first` on, in windows where UIDNEXT says that there may be many; the last one has no end."""
    uid_next = session.selection.uid_next if session.selection else None
    starts = [first]
    if uid_next is not None and uid_next - first >= LIST_WINDOW:
        step = max(LIST_WINDOW, (uid_next - first) // _MOST_WINDOWS)
        starts = list(range(first, uid_next, step))
    ends = [start - 1 for start in starts[1:]]
    return [UidSet.from_ranges([pair]) for pair in zip(starts, [*ends, MAX_UID], strict=True)]


async def fetch_headers(session: Session, uids: UidSet) -> dict[Uid, bytes]:
    """Header blocks of the UIDs asked for; those the server did not send are left out."""
    found: dict[Uid, bytes] = {}

    def take(data: FetchData) -> bool:
        if data.uid is None or data.header is None or data.uid not in uids:
            return False
        found[data.uid] = data.header
        return data.flags is None

    with listening(session, take):
        await run_all(
            session,
            (
                commands.uid_fetch(part, [FetchItem.UID, FetchItem.HEADER])
                for chunk in uids.chunks(HEADERS_PER_COMMAND)
                for part in chunk.split(session.set_bytes)
            ),
        )
    return found
