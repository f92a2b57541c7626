from dataclasses import FrozenInstanceError

import pytest

from daemon.model.ids import Uid, UidValidity
from daemon.wire.imap.responses import CopyUidCode, Exists, FetchData, Status, Tagged


def test_values_are_frozen():
    with pytest.raises(FrozenInstanceError):
        Exists(count=1).count = 2


def test_fetch_data_says_nothing_of_what_was_not_sent():
    assert set(FetchData(seq=1)[1:]) == {None}


def test_tagged_knows_success():
    assert Tagged(tag=b"A1", status=Status.OK, code=None, text="").is_ok
    assert not Tagged(tag=b"A1", status=Status.NO, code=None, text="").is_ok


def test_copyuid_pairs_old_with_new():
    code = CopyUidCode(name="COPYUID", uid_validity=UidValidity(1), source=(Uid(3),), target=(Uid(9),))
    assert list(code.pairs()) == [(3, 9)]
