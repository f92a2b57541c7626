"""A listing in columns is the same as the entries it was made of."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.net.pop3.columns import Ids, Listing
from daemon.net.pop3.values import MaildropEntry

IDS = st.none() | st.text(alphabet="abc", min_size=1, max_size=3)
ENTRIES = st.lists(st.tuples(IDS, st.none() | st.integers(0, 2**63 - 1)), max_size=8)


@given(ENTRIES)
def test_listing_gives_back_its_entries(pairs):
    entries = tuple(MaildropEntry(number, uidl, size) for number, (uidl, size) in enumerate(pairs, 3))
    listing = Listing.of(entries)
    assert tuple(listing) == entries
    assert [listing[at] for at in range(len(listing))] == list(entries)
    assert listing[1:] == entries[1:]
    assert listing == entries
    assert listing == Listing.of(entries)
    assert Listing.of(listing) is listing
    if entries:
        assert listing[-1] == entries[-1]
        assert listing != Listing.of(entries[1:])


@given(st.lists(st.lists(IDS, max_size=3), max_size=4))
def test_ids_grow_portion_by_portion(portions):
    ids = Ids()
    for portion in portions:
        ids.extend(portion)
    assert [ids[at] for at in range(len(ids))] == [uidl for portion in portions for uidl in portion]
