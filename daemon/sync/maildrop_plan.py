"""What a maildrop's listing means, held against what was seen in it before. Pure; no I/O, no clock.

A message is known by its unique id *and* its listed size together (sync.md 25), and only to the listing before: an id
that was gone meanwhile may have been given to another message (servers that number from 1 do so), so it is fetched again
and its octets tell. Where ids repeat, as many are known as were seen; one more, and all of that id are looked at again,
for nobody can tell which of them is new. Without a unique id nothing is known by the listing alone.
"""

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from daemon.model.maildrop import Sighting
from daemon.net.pop3.client import Listing, MaildropEntry
from daemon.net.pop3.columns import UNKNOWN
from daemon.store.maildrop import SightingKey
from daemon.sync.listed_ids import ListedIds

_NONE: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A listing held against the sightings.

    `known` are message numbers and the sightings' rows, side by side; `unknown` are to be fetched, unless they turn out
    to be one of the `nameless`. `vanished` are listed no more. Rows in neither `known` nor `nameless_rows` belong to no
    message of this listing: fetched octets may turn out to be theirs.
    """

    known: tuple[Sequence[int], Sequence[int]]
    unknown: tuple[MaildropEntry, ...]
    nameless_rows: tuple[int, ...]
    vanished: tuple[int, ...]
    doubtful: frozenset[str] = field(default_factory=frozenset)

    @property
    def known_rows(self) -> Sequence[int]:
        return self.known[1]


def compare(listed: Sequence[MaildropEntry], keys: Iterable[SightingKey]) -> Comparison:
    """What is known, what is not, and what is gone; in columns, for either side may have hundreds of thousands.

    `doubtful` are unique ids that do not say which message they mean: listed twice, or seen with two messages. None of
    them may be deleted on the server.
    """
    columns = Listing.of(listed)
    ids = ListedIds(columns)
    partners = array("q", [_NONE]) * len(columns)
    further: dict[int, list[int]] = defaultdict(list)
    seen = bytearray(len(columns))
    nameless, vanished = array("q"), array("q")
    for number, uidl, size in keys:
        if uidl is None:
            nameless.append(number)
            continue
        places = ids.places_of(uidl.encode())
        if places:
            first = next(iter(places.values()))[0]
            seen[first] = min(seen[first] + 1, 2)
        here = places.get(UNKNOWN if size is None else size)
        if here is None:
            vanished.append(number)
        elif partners[here[0]] == _NONE:
            partners[here[0]] = number
        else:
            further[here[0]].append(number)
    numbers, found, unknown = array("l"), array("q"), array("l", ids.nameless)
    for at, partner in enumerate(partners):
        if ids.repeated[at] or not columns.ids.octets_at(at):
            continue
        if partner == _NONE:
            unknown.append(at)
        else:
            numbers.append(columns.numbers[at])
            found.append(partner)
            vanished.extend(further.get(at, ()))
    doubtful = {columns.ids[at] for at, count in enumerate(seen) if count > 1} if 2 in seen else set()
    for group in ids.groups():
        for here in group.values():
            rows = [row for row in (partners[here[0]], *further.get(here[0], ())) if row != _NONE]
            if len(rows) < len(here):
                unknown.extend(here)
                continue
            numbers.extend(columns.numbers[at] for at in here)
            found.extend(rows[: len(here)])
            vanished.extend(rows[len(here) :])
        places_count = sum(map(len, group.values()))
        if places_count > 1:
            doubtful.add(columns.ids[next(iter(group.values()))[0]])
    return Comparison(
        known=(numbers, found),
        unknown=tuple(columns[at] for at in sorted(unknown)),
        nameless_rows=tuple(nameless),
        vanished=tuple(vanished),
        doubtful=frozenset(uidl for uidl in doubtful if uidl is not None),
    )


def match_nameless(
    headers: Iterable[tuple[MaildropEntry, bytes]], sightings: Iterable[Sighting]
) -> dict[int, Sighting]:
    """Which listed messages are sightings without a unique id, by listed size and digest of the header, k-th to k-th.

    Args:
        headers: Listed messages with the digests of their header blocks.
        sightings: Sightings without a unique id.

    Returns the sighting of each message number that has one.
    """
    waiting: dict[tuple[int | None, bytes], list[Sighting]] = defaultdict(list)
    for one in sightings:
        waiting[one.size, one.header_sha256].append(one)
    found: dict[int, Sighting] = {}
    for entry, digest in headers:
        partners = waiting.get((entry.size, digest))
        if partners:
            found[entry.number] = partners.pop(0)
    return found


def due_for_removal(
    listed: Iterable[MaildropEntry], comparison: Comparison, due: Collection[int] | None
) -> list[tuple[MaildropEntry, int]]:
    """Messages that may leave the server, with their rows: known in this listing, beyond doubt, and due (None: all).

    What is listed under another id or size than it was seen with, or has no unique id, or a doubtful one, stays (sync.md
    25).
    """
    rows = dict(zip(*comparison.known, strict=True)) if due is None or due else {}
    rows = {number: row for number, row in rows.items() if due is None or row in due}
    return [
        (entry, row)
        for entry in listed
        if (row := rows.get(entry.number)) is not None and entry.uidl not in comparison.doubtful
    ]
