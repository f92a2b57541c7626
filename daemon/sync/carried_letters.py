"""Keyword letters that a program left in the name of a file when it moved it: they mean what they meant in the mailbox it
came from, until the file is renamed here to the letters of the one where it lies.

Each mailbox has a map of its own (`dovecot-keywords`), and programs that know nothing of it keep the letters: taken by the
new map, a keyword that nobody removed would be removed on the server, and one that nobody set would be set. Only a file
whose letters still say what they said in its old place is renamed. Decides nothing about moves: it reads the names of new
files that `sync.strays` or their own names connect with missing ones, before anything is planned.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from structlog.typing import FilteringBoundLogger

from daemon.model.ids import MailboxName, MessageId
from daemon.model.views import BaseEntry, LocalEntry
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.actions import file_of, message_of
from daemon.sync.isolation import isolated
from daemon.sync.seen import Seen
from daemon.sync.strays import Place, Strays
from daemon.sync.tally import Tally


async def with_carried_letters(
    store: Store,
    tree: MaildirTree,
    seen: Mapping[MailboxName, Seen],
    strays: Strays,
    missing: Iterable[tuple[MailboxName, BaseEntry]],
    *,
    tally: Tally,
    log: FilteringBoundLogger,
) -> tuple[Mapping[MailboxName, Seen], Strays]:
    """What was seen and the strays, with those files renamed; `missing` are messages whose files are gone from there.

    Where a mailbox's map cannot be written now, they are undecided like those that cannot be read.
    """
    routes: dict[tuple[MailboxName, MailboxName], list[tuple[MessageId, LocalEntry]]] = defaultdict(list)
    for source, base, (target, entry) in _moved_with_letters(seen, strays.places, missing):
        routes[source, target].append((message_of(base), entry))
    if not routes:
        return seen, strays
    known = await store.messages.get_many(
        [message_id for group in routes.values() for message_id, _ in group]
    )
    renamed: dict[Place, LocalEntry] = {}
    for (source, target), group in routes.items():
        moved = [(entry, known[message_id].flags) for message_id, entry in group if message_id in known]
        results: list[LocalEntry] = []
        with isolated(seen[target].record, tally, log):
            results = await tree.carry_letters(
                seen[source].record.directory, seen[target].record.directory, moved
            )
        if len(results) < len(moved):
            strays = _undecided(strays, target, group)
            continue
        renamed |= {
            (target, entry): result
            for (entry, _), result in zip(moved, results, strict=True)
            if result != entry
        }
    places = {
        message_id: (place[0], renamed.get(place, place[1])) for message_id, place in strays.places.items()
    }
    return {name: _renamed(one, renamed) for name, one in seen.items()}, replace(strays, places=places)


def _undecided(strays: Strays, target: MailboxName, group: Sequence[tuple[MessageId, LocalEntry]]) -> Strays:
    ids = {message_id for message_id, _ in group}
    return Strays(
        places={message_id: place for message_id, place in strays.places.items() if message_id not in ids},
        unread=strays.unread | {(target, entry.maildir_name) for _, entry in group},
        doubtful=strays.doubtful | ids,
    )


def _moved_with_letters(
    seen: Mapping[MailboxName, Seen],
    strays: Mapping[MessageId, Place],
    missing: Iterable[tuple[MailboxName, BaseEntry]],
) -> Iterator[tuple[MailboxName, BaseEntry, Place]]:
    """Missing messages with the places in other mailboxes where their files are now, as far as keywords show there."""
    appeared: dict[str, list[Place]] = defaultdict(list)
    for mailbox, one in seen.items():
        for entry in one.facts.local_appeared:
            if _has_keyword_letter(entry):
                appeared[entry.maildir_name].append((mailbox, entry))
    if not appeared:
        return
    for source, base in missing:
        places = list(appeared.get(file_of(base), ()))
        stray = strays.get(message_of(base))
        if stray is not None and stray not in places and _has_keyword_letter(stray[1]):
            places.append(stray)
        for place in places:
            if place[0] != source:
                yield source, base, place


def _has_keyword_letter(entry: LocalEntry) -> bool:
    _, found, letters = entry.path.rpartition(":2,")
    return bool(found) and any(letter.islower() for letter in letters)


def _renamed(one: Seen, renamed: Mapping[Place, LocalEntry]) -> Seen:
    name = one.record.name
    new = {entry: renamed[name, entry] for entry in one.facts.local_appeared if (name, entry) in renamed}
    if not new:
        return one
    return replace(
        one,
        facts=replace(
            one.facts, local_appeared=tuple(new.get(entry, entry) for entry in one.facts.local_appeared)
        ),
        listing=replace(
            one.listing,
            entries={**one.listing.entries, **{entry.maildir_name: entry for entry in new.values()}},
        ),
    )
