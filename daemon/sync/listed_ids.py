"""Where each unique id of a listing is, in little memory: by its hash, and by itself only where hash or id repeat. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from daemon.net.pop3.client import Listing

_NOWHERE: Final[Mapping[int, Sequence[int]]] = {}


class ListedIds:
    """Places are positions in the listing; `sizes` are its column."""

    def __init__(self, listed: Listing) -> None:
        self._listed: Final = listed
        self._first: dict[int, int] = {}
        self._more: dict[bytes, dict[int, list[int]]] = {}
        self.nameless: list[int] = []
        """Places of messages without an id."""

        self.repeated = bytearray(len(listed))
        """1 for each place that `groups` speaks of, and `places_of` does not know by its hash alone."""

        ids, sizes = listed.ids, listed.sizes
        for at in range(len(listed)):
            octets = ids.octets_at(at)
            if not octets:
                self.nameless.append(at)
                continue
            other = self._first.setdefault(hash(octets), at)
            if other == at:
                continue
            if octets not in self._more:
                self._more[octets] = defaultdict(list)
                if ids.octets_at(other) == octets:
                    self._more[octets][sizes[other]].append(other)
                    self.repeated[other] = 1
            self._more[octets][sizes[at]].append(at)
            self.repeated[at] = 1

    def places_of(self, octets: bytes) -> Mapping[int, Sequence[int]]:
        """The places of an id by listed size; none where it is not listed."""
        more = self._more.get(octets) if self._more else None
        if more is not None:
            return more
        at = self._first.get(hash(octets))
        if at is None or self._listed.ids.octets_at(at) != octets:
            return _NOWHERE
        return {self._listed.sizes[at]: (at,)}

    def groups(self) -> Iterator[Mapping[int, Sequence[int]]]:
        """The places, by size, of each id that is listed more than once."""
        yield from self._more.values()
