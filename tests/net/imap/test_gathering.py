"""What several answers tell is gathered, up to a limit."""

import pytest

from daemon.model.errors import RemoteProtocolError
from daemon.model.ids import Uid
from daemon.model.uidset import UidSet
from daemon.net.imap import gathering
from daemon.net.imap.gathering import GatheredUids


def test_sets_and_single_uids_are_joined_and_taken_once():
    gathered = GatheredUids()
    assert not gathered
    gathered.add(UidSet([5, 6, 9]))
    gathered.add_one(Uid(7))
    assert gathered
    assert gathered.take() == UidSet([5, 6, 7, 9])
    assert not gathered
    assert gathered.take() == UidSet()


def test_too_many_pieces_are_a_flood(monkeypatch):
    monkeypatch.setattr(gathering, "MOST_RANGES", 3)
    gathered = GatheredUids()
    gathered.add(UidSet([1, 3]))
    with pytest.raises(RemoteProtocolError) as caught:
        gathered.add(UidSet([5, 7]))
    assert caught.value.reason == "flood"
    gathered.add_one(Uid(5))
    with pytest.raises(RemoteProtocolError):
        gathered.add_one(Uid(9))
