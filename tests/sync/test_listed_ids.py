"""Where ids are listed, also where they repeat or their hashes do."""

import pytest

from daemon.net.pop3.client import Listing, MaildropEntry
from daemon.sync import listed_ids
from daemon.sync.listed_ids import ListedIds


def index(*pairs) -> ListedIds:
    return ListedIds(
        Listing.of(MaildropEntry(number, uidl, size) for number, (uidl, size) in enumerate(pairs, 1))
    )


def places(ids: ListedIds, uidl: bytes) -> dict[int, list[int]]:
    return {size: list(here) for size, here in ids.places_of(uidl).items()}


@pytest.mark.parametrize("collides", [False, True])
def test_each_id_is_found_by_size_where_it_is_listed(monkeypatch, collides):
    if collides:
        monkeypatch.setattr(listed_ids, "hash", len, raising=False)
    ids = index(("a", 1), ("b", 1), (None, 1), ("a", 2), ("c", 1), ("a", 1), ("b", None))
    assert places(ids, b"a") == {1: [0, 5], 2: [3]}
    assert places(ids, b"b") == {1: [1], -1: [6]}
    assert places(ids, b"c") == {1: [4]}
    assert places(ids, b"d") == {}
    assert ids.nameless == [2]
    known_by_hash = [at for at in range(7) if not ids.repeated[at] and at != 2]
    in_groups = [at for group in ids.groups() for here in group.values() for at in here]
    assert sorted([*known_by_hash, *in_groups]) == [0, 1, 3, 4, 5, 6]
