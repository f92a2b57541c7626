"""Which messages that are gone from one mailbox on the server are those that came into another: moved, not deleted.

Pure. Evidence, in order (sync.md 10, design.md 3): the server's own name for the octets (EMAILID, X-GM-MSGID) with equal
size; else the same size, internal date and SHA-256 of the header block, which says all that a Message-ID says and more
(Message-ID alone is never identity). Where two messages that went share the second key and their octets differ, nothing
is paired: what came is fetched. Equal octets are matched as multisets, k-th to k-th in the order of mailboxes and UIDs.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from daemon.model.ids import MailboxName, MaildirName, MessageId, Uid
from daemon.model.views import BaseEntry, LocalEntry, RemoteEntry
from daemon.sync.actions import MailboxFacts, MoveLocal, message_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where a message's file lies now: usually in the mailbox of its row, elsewhere if it was moved here as well."""

    mailbox: MailboxName
    entry: LocalEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """A message that its mailbox on the server no longer has; its file is here. `sizes` are those of file and wire."""

    mailbox: MailboxName
    base: BaseEntry
    file: Whereabouts
    sizes: frozenset[int]
    internal_date: int
    header_sha256: bytes
    wire_sha256: bytes
    email_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """A message on the server that base does not know."""

    mailbox: MailboxName
    entry: RemoteEntry


Pair = tuple[Gone, Came]


def pair_by_email_id(gone: Iterable[Gone], came: Iterable[Came]) -> list[Pair]:
    """Those that carry the same name given by the server, and the same size."""
    by_name: dict[str, list[Came]] = defaultdict(list)
    for one in _in_order(came):
        if one.entry.email_id is not None:
            by_name[one.entry.email_id].append(one)
    pairs: list[Pair] = []
    for lost in sorted(gone, key=_place_of):
        for one in by_name.get(lost.email_id, ()) if lost.email_id is not None else ():
            if one.mailbox != lost.mailbox and one.entry.size in lost.sizes:
                by_name[lost.email_id or ""].remove(one)
                pairs.append((lost, one))
                break
    return pairs


def suspects(gone: Iterable[Gone], came: Iterable[Came]) -> Mapping[MailboxName, frozenset[Uid]]:
    """What came with the size and the date of one that went: its header must be seen before more can be said."""
    dates: dict[tuple[int, int], list[Gone]] = defaultdict(list)
    for lost in gone:
        for each in lost.sizes:
            dates[each, lost.internal_date].append(lost)
    found: dict[MailboxName, set[Uid]] = defaultdict(set)
    for one in came:
        size, date = one.entry.size, one.entry.internal_date
        if size is None or date is None:
            continue
        if any(_may_be(lost, one) for lost in dates.get((size, date), ())):
            found[one.mailbox].add(one.entry.uid)
    return {mailbox: frozenset(uids) for mailbox, uids in found.items()}


def pair_by_header(
    gone: Iterable[Gone], came: Iterable[Came], header_sha256: Mapping[tuple[MailboxName, Uid], bytes]
) -> list[Pair]:
    """Those of the same size, date and header, as far as that leaves no choice between different octets."""
    lost_by_key: dict[tuple[int, int, bytes], list[Gone]] = defaultdict(list)
    for lost in sorted(gone, key=_place_of):
        for each in lost.sizes:
            lost_by_key[each, lost.internal_date, lost.header_sha256].append(lost)
    pairs: list[Pair] = []
    paired = set[tuple[MailboxName, Uid]]()
    for one in _in_order(came):
        digest = header_sha256.get((one.mailbox, one.entry.uid))
        size, date = one.entry.size, one.entry.internal_date
        if digest is None or size is None or date is None:
            continue
        alike = lost_by_key.get((size, date, digest), [])
        if len({lost.wire_sha256 for lost in alike}) > 1:
            continue
        for lost in alike:
            if _place_of(lost) not in paired and _may_be(lost, one):
                paired.add(_place_of(lost))
                pairs.append((lost, one))
                break
    return pairs


def _may_be(lost: Gone, one: Came) -> bool:
    """Whether nothing speaks against it: another mailbox, and no two different names given by the server."""
    if lost.mailbox == one.mailbox:
        return False
    return lost.email_id is None or one.entry.email_id is None or lost.email_id == one.entry.email_id


def _place_of(lost: Gone) -> tuple[MailboxName, Uid]:
    return lost.mailbox, lost.base.uid or Uid(0)


def _in_order(came: Iterable[Came]) -> list[Came]:
    return sorted(came, key=lambda one: (one.mailbox, one.entry.uid))


def less_moved(facts: MailboxFacts, moves: Sequence[MoveLocal]) -> MailboxFacts:
    """The facts of one mailbox without what these moves account for: neither removed nor forgotten, fetched or sent."""
    name = facts.mailbox
    left = {message_of(move.base) for move in moves if move.source == name}
    came = {move.entry.uid for move in moves if move.target == name}
    strays = {move.file.maildir_name for move in moves if move.lies_in == name}
    return replace(
        _less(facts, left),
        gone_on_both=_others(facts.gone_on_both, left),
        remote_appeared=tuple(entry for entry in facts.remote_appeared if entry.uid not in came),
        local_appeared=tuple(entry for entry in facts.local_appeared if entry.maildir_name not in strays),
    )


def less_renamed(
    facts: MailboxFacts, strays: Mapping[MessageId, tuple[MailboxName, LocalEntry]]
) -> MailboxFacts:
    """The facts with messages that only seem to be gone on both sides counted as undecided.

    The server has removed the message, and its file has another unique name in the same mailbox: that is noted first, and
    the next pass removes the file. Taken for a new one it would bring the message back.
    """
    renamed = tuple(
        entry
        for entry in facts.gone_on_both
        if entry.message_id is not None
        and entry.message_id in strays
        and strays[entry.message_id][0] == facts.mailbox
    )
    if not renamed:
        return facts
    return replace(
        facts,
        gone_on_both=tuple(entry for entry in facts.gone_on_both if entry not in renamed),
        undecided=(*facts.undecided, *renamed),
    )


def less_unread(
    facts: MailboxFacts,
    unread: Collection[tuple[MailboxName, MaildirName]],
    doubtful: Collection[MessageId],
) -> MailboxFacts:
    """The facts without what cannot be told apart now: new files that nobody could read, and the missing messages that
    they may be. Neither is sent, moved or removed.
    """
    if not unread:
        return facts
    missing = (*facts.local_vanished, *facts.deleted_and_vanished, *facts.gone_on_both)
    return replace(
        facts,
        local_appeared=tuple(
            entry for entry in facts.local_appeared if (facts.mailbox, entry.maildir_name) not in unread
        ),
        unread=tuple(
            entry for entry in facts.local_appeared if (facts.mailbox, entry.maildir_name) in unread
        ),
        local_vanished=_others(facts.local_vanished, doubtful),
        deleted_and_vanished=_others(facts.deleted_and_vanished, doubtful),
        gone_on_both=_others(facts.gone_on_both, doubtful),
        undecided=(*facts.undecided, *(entry for entry in missing if entry.message_id in doubtful)),
    )


def less_waiting(facts: MailboxFacts, waiting: Collection[MessageId]) -> MailboxFacts:
    """The facts with removals that must wait counted as undecided: marks stay, so that the server tells of them again."""
    vanished = (*facts.remote_vanished_stated, *facts.remote_vanished_inferred)
    stuck = tuple(entry for entry in vanished if entry.message_id in waiting)
    return replace(_less(facts, waiting), undecided=(*facts.undecided, *stuck))


def _less(facts: MailboxFacts, ids: Collection[MessageId]) -> MailboxFacts:
    return replace(
        facts,
        remote_vanished_stated=_others(facts.remote_vanished_stated, ids),
        remote_vanished_inferred=_others(facts.remote_vanished_inferred, ids),
    )


def _others(entries: tuple[BaseEntry, ...], ids: Collection[MessageId]) -> tuple[BaseEntry, ...]:
    return tuple(entry for entry in entries if entry.message_id not in ids)
