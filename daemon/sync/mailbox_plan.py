"""What must happen for both sides to have the same mailboxes: records, the listing and the directories in, changes out.

Pure: no I/O, no clock, no log. Rules: a rename is recognised by MAILBOXID, by OLDNAME, by a parent that was renamed, or
by equal UIDVALIDITY where samples prove it; a directory that vanished and another with its files are one that was
renamed here; without proof it is a new mailbox and one that is missing. What is missing is only named here, never
judged (sync.md 11, 14, 15, 26). INBOX is neither created, renamed nor removed (RFC 9051 §6.3.6).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain, islice
from typing import Final, TypeVar

from daemon.model.ids import INBOX, MailboxName, MaildirName, Uid, UidValidity
from daemon.model.mailbox import MailboxRecord, Owner, RemoteMailbox, Stranger

ASIDE: Final = "\\_aside"
"""Ends the name of a mailbox that has made room for another: `\\_` is no escape of `wire.imap.names`."""

T = TypeVar("T")
K = TypeVar("K")

MOST_DOUBTFUL: Final = 50
"""Pairs that are looked at more closely: a server that gives all mailboxes one UIDVALIDITY makes a pair of any two."""

GONE: Final = "gone_on_server"
"""`frozen_reason` of a mailbox that the server no longer has, kept for files that only this side has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
    """The mailboxes as both sides have them.

    `lost` are records whose directory is not there, with the names of the files that base says were in it. `proved`
    are pairs of a record and a listed mailbox that samples have shown to be the same. `kept` says whether config keeps
    a name. `waiting` are names and directories that were refused a short while ago. `under_review` are those not
    looked at since a backup was restored: that they are missing, or elsewhere, says nothing.
    """

    records: Mapping[MailboxName, MailboxRecord]
    listed: Sequence[RemoteMailbox]
    kept: Callable[[MailboxName], bool]
    strangers: Sequence[Stranger] = ()
    lost: Mapping[MailboxName, frozenset[MaildirName]] = field(default_factory=dict)
    proved: Collection[tuple[MailboxName, MailboxName]] = ()
    waiting: Collection[str] = ()
    under_review: Collection[MailboxName] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameHere:
    """The server renamed it. `directory` is where it lies now, if somebody renamed that as well."""

    record: MailboxRecord
    remote: RemoteMailbox
    directory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameThere:
    """Its directory was renamed here."""

    record: MailboxRecord
    name: MailboxName
    directory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBack:
    """Its directory lies under the name of an older tree, out of a backup: nobody renamed anything."""

    record: MailboxRecord
    directory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateThere:
    """A directory was made here."""

    name: MailboxName
    directory: str


class Obstacle(StrEnum):
    """Why a directory gets no mailbox."""

    FOREIGN = "directory_foreign"
    UNNAMED = "directory_unnamed"
    RESERVED = "name_reserved"
    TAKEN = "name_taken"
    EXCLUDED = "name_excluded"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftAlone:
    """A directory that is in nobody's way and gets no mailbox."""

    directory: str
    why: Obstacle


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxPlan:
    """Changes of one round, parents before children, and what to do when none is left.

    `missing` are mailboxes that the server does not list; whether they are gone is for the server to say.
    """

    put_back: tuple[PutBack, ...] = ()
    renames_here: tuple[RenameHere, ...] = ()
    renames_there: tuple[RenameThere, ...] = ()
    creations: tuple[CreateThere, ...] = ()
    left_alone: tuple[LeftAlone, ...] = ()
    missing: tuple[MailboxRecord, ...] = ()


def plan_boxes(boxes: Boxes) -> BoxPlan:
    """The changes that can be made now; plan again when they are made, until there are none."""
    found_here = _renamed_here(boxes)
    renamed = _renamed_there(boxes)
    selectable = _selectable(boxes)
    paired = {one.directory for one in found_here.values()}
    here = [
        RenameHere(
            record=boxes.records[old],
            remote=remote,
            directory=found_here[old].directory if old in found_here else None,
        )
        for old, remote in renamed.items()
    ]
    there, obstacles = _renames_there(boxes, found_here, renamed)
    creations, more = _creations(boxes, paired, {remote.name for remote in renamed.values()})
    return BoxPlan(
        put_back=tuple(
            PutBack(record=boxes.records[name], directory=one.directory)
            for name, one in found_here.items()
            if name not in renamed and name in boxes.under_review
        ),
        renames_here=tuple(
            sorted(
                _tops(here, lambda one: one.record.name),
                key=lambda one: _depth(one.remote.name),
            )
        ),
        renames_there=tuple(sorted(_tops(there, lambda one: one.record.name), key=lambda one: one.name)),
        creations=creations,
        left_alone=(*obstacles, *more),
        missing=tuple(
            record
            for record in _movable(boxes)
            if record.name not in renamed
            and record.name not in selectable
            and record.name not in boxes.under_review
        ),
    )


def doubtful_renames(boxes: Boxes) -> tuple[tuple[MailboxRecord, RemoteMailbox], ...]:
    """Pairs that may be one mailbox under its old and its new name: only its messages can tell."""
    certain = _renamed_there(boxes)
    taken = {remote.name for remote in certain.values()}
    movers = [record for record in _movers(boxes) if record.name not in certain]
    fresh = [remote for remote in _fresh(boxes) if remote.name not in taken]
    alike: dict[tuple[UidValidity | None, Uid | None], list[RemoteMailbox]] = {}
    for remote in fresh:
        alike.setdefault((remote.uid_validity, remote.uid_next), []).append(remote)
    same_validity: dict[UidValidity | None, list[RemoteMailbox]] = {}
    for remote in fresh:
        same_validity.setdefault(remote.uid_validity, []).append(remote)
    # The same numbers make a better pair than the same UIDVALIDITY alone.
    better = ((one, remote) for one in movers for remote in alike.get((one.uid_validity, one.uid_next), ()))
    others = (
        (one, remote)
        for one in movers
        for remote in same_validity.get(one.uid_validity, ())
        if remote.uid_next != one.uid_next
    )
    pairs = ((one, remote) for one, remote in chain(better, others) if _may_be(one, remote))
    return tuple(islice(pairs, MOST_DOUBTFUL))


# -- what the server did


def _renamed_there(boxes: Boxes) -> dict[MailboxName, RemoteMailbox]:
    """By the old name: mailboxes that the server lists under another name now."""
    fresh = {mailbox.name: mailbox for mailbox in _fresh(boxes)}
    movers = sorted(_movers(boxes), key=lambda record: _depth(record.name))
    found: dict[MailboxName, RemoteMailbox] = {}

    def settle(record: MailboxRecord, remote: RemoteMailbox | None) -> None:
        if remote is None or record.name in found or _ids_differ(record, remote):
            return
        if fresh.get(remote.name) is remote:
            found[record.name] = fresh.pop(remote.name)

    by_id = _unique((mailbox.mailbox_id, mailbox) for mailbox in fresh.values())
    by_old_name = _unique((mailbox.old_wire_name, mailbox) for mailbox in fresh.values())
    for record in movers:
        settle(record, by_id.get(record.mailbox_id) if record.mailbox_id else None)
        settle(record, by_old_name.get(record.wire_name))
    for old, new in boxes.proved:
        if old in boxes.records:
            settle(boxes.records[old], fresh.get(new))
    for record in movers:
        for parent in _parents(record.name):
            if parent in found:
                moved = MailboxName(found[parent].name + record.name[len(parent) :])
                settle(record, fresh.get(moved))
                break
    return found or _way_out(boxes, movers)


def _way_out(boxes: Boxes, movers: Sequence[MailboxRecord]) -> dict[MailboxName, RemoteMailbox]:
    """Names that were exchanged wait for each other: one mailbox steps aside, under a name that no listing can show."""
    by_id = _unique((mailbox.mailbox_id, mailbox) for mailbox in boxes.listed if mailbox.is_selectable)
    waiting = {
        record.name: remote
        for record in movers
        if record.mailbox_id and (remote := by_id.get(record.mailbox_id)) is not None
    }
    listed = _selectable(boxes) if waiting else {}
    for name, remote in waiting.items():
        if remote.name in waiting and name in listed:
            return {name: replace(remote, name=MailboxName(name + ASIDE))}
    return {}


def _movers(boxes: Boxes) -> list[MailboxRecord]:
    """Kept mailboxes that are not listed any more, or whose name is another mailbox's now: INBOX, too, may be that."""
    listed = _selectable(boxes)
    return [
        record
        for record in boxes.records.values()
        if boxes.kept(record.name)
        and (
            record.name != INBOX
            if (remote := listed.get(record.name)) is None
            else _is_another(record, remote)
        )
    ]


def _is_another(record: MailboxRecord, remote: RemoteMailbox) -> bool:
    """Whether the name is another mailbox's now; the numbers tell where there are no ids."""
    if record.mailbox_id and remote.mailbox_id:
        return record.mailbox_id != remote.mailbox_id
    known = record.uid_validity is not None and remote.uid_validity is not None
    return known and record.uid_validity != remote.uid_validity


def _movable(boxes: Boxes) -> list[MailboxRecord]:
    return [record for record in boxes.records.values() if record.name != INBOX and boxes.kept(record.name)]


def _fresh(boxes: Boxes) -> list[RemoteMailbox]:
    """Listed mailboxes without a record; those that config leaves out as well, for one may be renamed to such a name."""
    return [mailbox for name, mailbox in _selectable(boxes).items() if name not in boxes.records]


def _selectable(boxes: Boxes) -> dict[MailboxName, RemoteMailbox]:
    return {mailbox.name: mailbox for mailbox in boxes.listed if mailbox.is_selectable}


def _may_be(record: MailboxRecord, remote: RemoteMailbox) -> bool:
    return (
        record.uid_validity is not None
        and record.uid_validity == remote.uid_validity
        and not (
            record.uid_next is not None and remote.uid_next is not None and remote.uid_next < record.uid_next
        )
        and not _ids_differ(record, remote)
    )


def _ids_differ(record: MailboxRecord, remote: RemoteMailbox) -> bool:
    return bool(record.mailbox_id and remote.mailbox_id and record.mailbox_id != remote.mailbox_id)


# -- what was done here


def _renamed_here(boxes: Boxes) -> dict[MailboxName, Stranger]:
    """By the old name: directories with our id file that have the files of a mailbox whose own directory is not there.

    Where nothing lay in it there is nothing to prove it by: the only empty one that is new is the only one that is lost.
    """
    free = [one for one in boxes.strangers if one.owner is Owner.OURS]
    found: dict[MailboxName, Stranger] = {}
    for name, files in boxes.lost.items():
        best = max(free, key=lambda one: len(files & one.files), default=None)
        if best is not None and files and 2 * len(files & best.files) >= len(files):
            found[name] = best
            free.remove(best)
    empty = [name for name, files in boxes.lost.items() if not files]
    bare = [one for one in free if not one.files]
    if len(empty) == 1 and len(bare) == 1:
        found[empty[0]] = bare[0]
    return found


def _renames_there(
    boxes: Boxes, found_here: Mapping[MailboxName, Stranger], renamed: Mapping[MailboxName, RemoteMailbox]
) -> tuple[list[RenameThere], list[LeftAlone]]:
    listed = {mailbox.name for mailbox in boxes.listed}
    selectable = _selectable(boxes)
    there: list[RenameThere] = []
    obstacles: list[LeftAlone] = []
    for old, local in found_here.items():
        directory = local.directory
        if old in renamed or old in boxes.under_review or old not in selectable:
            continue
        if {directory, old} & set(boxes.waiting):
            continue
        obstacle = _obstacle(boxes, local)
        if obstacle is None and local.name in listed:
            obstacle = Obstacle.TAKEN
        if obstacle is not None or local.name is None:
            obstacles.append(LeftAlone(directory=directory, why=obstacle or Obstacle.UNNAMED))
        else:
            there.append(RenameThere(record=boxes.records[old], name=local.name, directory=directory))
    return there, obstacles


def _creations(
    boxes: Boxes, paired: Collection[str], expected: Collection[MailboxName]
) -> tuple[tuple[CreateThere, ...], list[LeftAlone]]:
    selectable = _selectable(boxes)
    creations: list[CreateThere] = []
    obstacles: list[LeftAlone] = []
    for local in boxes.strangers:
        directory = local.directory
        if directory in paired or directory in boxes.waiting or local.name in expected:
            continue
        if local.name in selectable:
            continue  # both sides have it: it gets its record, or its fault is told, where records are made
        if local.owner is not Owner.OTHER and not local.is_complete:
            continue  # somebody is making it at this moment
        if local.owner is Owner.OURS and boxes.under_review:
            continue  # a mailbox may have been there when the backup was made, and not any more
        obstacle = _obstacle(boxes, local)
        if obstacle is not None or local.name is None:
            obstacles.append(LeftAlone(directory=directory, why=obstacle or Obstacle.UNNAMED))
        else:
            creations.append(CreateThere(name=local.name, directory=directory))
    creations.sort(key=lambda one: (_depth(one.name), one.name))
    return tuple(creations), obstacles


def _obstacle(boxes: Boxes, local: Stranger) -> Obstacle | None:
    if local.owner is Owner.OTHER:
        return Obstacle.FOREIGN
    if local.name is None:
        return Obstacle.UNNAMED
    if local.name.upper() == INBOX:
        return Obstacle.RESERVED
    if not boxes.kept(local.name):
        return Obstacle.EXCLUDED
    return Obstacle.TAKEN if local.name in boxes.records else None


# -- names


def _depth(name: MailboxName) -> int:
    return name.count("/")


def _parents(name: MailboxName) -> Iterable[MailboxName]:
    """The nearest first."""
    while "/" in name:
        name = MailboxName(name.rpartition("/")[0])
        yield name


def _tops(changes: Sequence[T], name_of: Callable[[T], MailboxName]) -> list[T]:
    """Those that no other change is above: their children are looked at again when they are done."""
    names = {name_of(change) for change in changes}
    return [change for change in changes if names.isdisjoint(_parents(name_of(change)))]


def _unique(pairs: Iterable[tuple[K | None, RemoteMailbox]]) -> dict[K | None, RemoteMailbox]:
    """By a key that only one has."""
    found: dict[K | None, RemoteMailbox] = {}
    twice = set[K | None]()
    for key, mailbox in pairs:
        if key is None:
            continue
        if key in found:
            twice.add(key)
        found[key] = mailbox
    return {key: mailbox for key, mailbox in found.items() if key not in twice}
