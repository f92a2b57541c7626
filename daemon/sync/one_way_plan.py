"""What has changed in a tree whose mail came by a one-way street: facts for the index, and nothing for any server.

Pure. There is no other side to agree with: what the files say is what is so, and what was asked over the API is done to
the files. A file that is proved missing in one mailbox and lies under the same unique name in another was moved.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from daemon.model.flags import FlagSet
from daemon.model.ids import MailboxName, MaildirName
from daemon.model.views import BaseEntry, BaseView, LocalEntry, LocalView
from daemon.sync.plan import shown_flags


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWayFacts:
    """One mailbox. `gone` were removed by another program, `buried` are to be removed because somebody asked over the API;
    `flags` are entries whose file says something else than is stored, with what it says.
    """

    mailbox: MailboxName
    arrived: tuple[LocalEntry, ...] = ()
    gone: tuple[BaseEntry, ...] = ()
    buried: tuple[BaseEntry, ...] = ()
    flags: tuple[tuple[BaseEntry, FlagSet], ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.arrived or self.gone or self.buried or self.flags)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalMove:
    """A file that now lies in another mailbox."""

    source: MailboxName
    target: MailboxName
    base: BaseEntry
    entry: LocalEntry


def look_at_mailbox(base: BaseView, local: LocalView) -> OneWayFacts:
    """What differs between index and tree in one mailbox. What is neither listed nor proved missing is left alone."""
    known = {entry.maildir_name for entry in base.entries if entry.maildir_name is not None}
    gone: list[BaseEntry] = []
    buried: list[BaseEntry] = []
    flags: list[tuple[BaseEntry, FlagSet]] = []
    for entry in base.entries:
        if entry.maildir_name is None:
            continue
        here = local.entries.get(entry.maildir_name)
        if entry.maildir_name in local.missing:
            gone.append(entry)
        elif entry.message_id in local.deleted_by_name:
            buried.append(entry)
        elif here is not None:
            said = shown_flags(here, entry.flags, local)
            if said != entry.flags:
                flags.append((entry, said))
    return OneWayFacts(
        mailbox=base.mailbox,
        arrived=tuple(
            entry for name, entry in local.entries.items() if name not in known and name not in local.ignored
        ),
        gone=tuple(gone),
        buried=tuple(buried),
        flags=tuple(flags),
    )


def without_moves(all_facts: Iterable[OneWayFacts]) -> tuple[tuple[LocalMove, ...], tuple[OneWayFacts, ...]]:
    """Moves over mailbox borders, and the facts that are left without them."""
    facts = tuple(all_facts)
    arrived: dict[MaildirName, list[tuple[MailboxName, LocalEntry]]] = {}
    for fact in facts:
        for entry in fact.arrived:
            arrived.setdefault(entry.maildir_name, []).append((fact.mailbox, entry))
    moves: list[LocalMove] = []
    for fact in facts:
        for base in fact.gone:
            places = arrived.get(base.maildir_name) if base.maildir_name is not None else None
            if places:
                target, entry = places.pop(0)
                moves.append(LocalMove(source=fact.mailbox, target=target, base=base, entry=entry))
    left = {(move.source, move.base.maildir_name) for move in moves}
    come = {(move.target, move.entry.maildir_name) for move in moves}
    rest = tuple(
        OneWayFacts(
            mailbox=fact.mailbox,
            arrived=tuple(one for one in fact.arrived if (fact.mailbox, one.maildir_name) not in come),
            gone=tuple(one for one in fact.gone if (fact.mailbox, one.maildir_name) not in left),
            buried=fact.buried,
            flags=fact.flags,
        )
        for fact in facts
    )
    return tuple(moves), rest
