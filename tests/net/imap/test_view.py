"""The selected mailbox as the server tells of it."""

import pytest

from daemon.model.errors import RemoteProtocolError
from daemon.model.uidset import UidSet
from daemon.net.imap import heard as heard_module
from daemon.net.imap.values import Selection
from daemon.net.imap.view import SelectedView
from daemon.wire.imap.responses import Exists, Expunge, FetchData, Vanished


def view(exists: int = 3) -> SelectedView:
    made = SelectedView()
    made.selection = Selection(
        wire_name=b"Box", uid_validity=7, uid_next=10, highest_mod_seq=50, exists=exists
    )
    return made


def test_count_follows_what_is_told():
    seen = view()
    seen.take_view(Exists(count=5))
    seen.take_view(Expunge(seq=5))
    seen.take_view(Vanished(uids=UidSet([1, 2]), is_earlier=False))
    seen.take_view(Vanished(uids=UidSet([3]), is_earlier=True))
    assert seen.selection.exists == 2


@pytest.mark.parametrize("event", [Exists(count=2), Expunge(seq=4)])
def test_count_that_cannot_be_is_the_end(event):
    """S12."""
    with pytest.raises(RemoteProtocolError):
        view().take_view(event)


def test_largest_mod_seq_is_kept():
    seen = view()
    seen.note_fetch(FetchData(seq=1, uid=1, flags=frozenset(), mod_seq=60))
    seen.note_fetch(FetchData(seq=1, uid=1, flags=frozenset(), mod_seq=55))
    assert seen.selection.highest_mod_seq == 60


def test_only_another_count_is_a_coming_or_a_going():
    """Some servers say EXISTS to every NOOP."""
    seen = view()
    seen.take_view(Exists(count=3))
    seen.note_fetch(FetchData(seq=1, uid=1, flags=frozenset()))
    assert (seen.heard.has_own_news, seen.heard.has_comings_or_goings) == (True, False)
    seen.take_view(Exists(count=4))
    assert seen.heard.has_comings_or_goings
    seen.heard.drain()
    assert not seen.heard.has_comings_or_goings
    seen.take_view(Expunge(seq=1))
    assert seen.heard.has_comings_or_goings


def test_flood_of_vanished_messages_costs_no_memory(monkeypatch):
    monkeypatch.setattr(heard_module, "MOST_PIECES", 10)
    seen = view(exists=100)
    for uid in range(1, 100, 2):
        seen.take_view(Vanished(uids=UidSet([uid]), is_earlier=False))
    assert seen.heard.has_comings_or_goings
    assert len(seen.heard.drain().vanished) <= 10


def test_what_select_told_stays_as_it_was_until_the_mailbox_is_left():
    seen = view()
    said = seen.as_selected
    seen.take_view(Exists(count=5))
    seen.note_fetch(FetchData(seq=1, uid=1, flags=frozenset(), mod_seq=60))
    assert seen.as_selected is said
    assert (said.exists, said.highest_mod_seq) == (3, 50)
    seen.note_leaving()
    seen.selection = None
    assert seen.as_selected is None
