"""What a maildrop's listing means, held against what was seen in it before. Pure; no I/O, no clock.

A message is known by its unique id *and* its listed size together (sync.md 25), and only to the listing before: an id
that was gone meanwhile may have been given to another message (servers that number from 1 do so), so it is fetched again
and its octets tell. Where ids repeat, as many are known as were seen; one more, and all of that id are looked at again,
for nobody can tell which of them is new. Without a unique id nothing is known by the listing alone.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from daemon.model.maildrop import Sighting
from daemon.net.pop3.values import MaildropEntry
from daemon.store.maildrop import SightingKey


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
    """What is known, what is not, and what is gone.

    `doubtful` are unique ids that do not say which message they mean: listed twice, or seen with two messages. None of
    them may be deleted on the server.
    """
    places: dict[tuple[str, int | None], list[int]] = defaultdict(list)
    for at, entry in enumerate(listed):
        if entry.uidl is not None:
            places[entry.uidl, entry.size].append(at)
    rows: dict[tuple[str, int | None], list[SightingKey]] = defaultdict(list)
    nameless: list[SightingKey] = []
    vanished: list[int] = []
    seen_ids = Counter[str]()
    for key in keys:
        if key.uidl is None:
            nameless.append(key)
            continue
        seen_ids[key.uidl] += 1
        if (key.uidl, key.size) in places:
            rows[key.uidl, key.size].append(key)
        else:
            vanished.append(key.number)
    numbers, found = array("q"), array("q")
    unknown: list[int] = [at for at, entry in enumerate(listed) if entry.uidl is None]
    for name, here in places.items():
        partners = rows.get(name, [])
        if len(partners) < len(here):
            unknown.extend(here)
            continue
        for at, partner in zip(here, partners, strict=False):
            numbers.append(listed[at].number)
            found.append(partner.number)
        vanished.extend(key.number for key in partners[len(here) :])
    listed_ids = Counter(entry.uidl for entry in listed if entry.uidl is not None)
    doubtful = {uidl for uidl, count in listed_ids.items() if count > 1 or seen_ids[uidl] > 1}
    return Comparison(
        known=(numbers, found),
        unknown=tuple(listed[at] for at in sorted(unknown)),
        nameless_rows=tuple(key.number for key in nameless),
        vanished=tuple(vanished),
        doubtful=frozenset(doubtful),
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
    listed: Iterable[MaildropEntry],
    sightings: Iterable[tuple[int, Sighting]],
    doubtful: Collection[str],
    *,
    seen_before: float | None,
) -> list[tuple[MaildropEntry, Sighting]]:
    """Messages that may leave the server: stored here, first seen before that time (None: whenever), and beyond doubt.

    `sightings` are (message number, sighting). What is listed under another id or size than it was seen with, or has
    no unique id, or a doubtful one, stays (sync.md 25).
    """
    entries = {entry.number: entry for entry in listed}
    return [
        (entry, one)
        for number, one in sightings
        if (entry := entries.get(number)) is not None
        and one.uidl is not None
        and (entry.uidl, entry.size) == (one.uidl, one.size)
        and one.uidl not in doubtful
        and (seen_before is None or one.first_seen <= seen_before)
    ]
