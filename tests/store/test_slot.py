"""A connection that is believed until it is not."""

import pytest

from daemon.model.errors import StoreError
from daemon.store.database import begin, connect
from daemon.store.slot import Slot, is_undone


def test_distrusted_slot_opens_its_file_anew(tmp_path):
    path = tmp_path / "a.sqlite3"
    first = connect(path, is_writer=True)
    slot = Slot(path, first)
    assert slot.connection() is first
    slot.distrust()
    slot.distrust()
    second = slot.connection()
    assert second is not first
    slot.distrust()


def test_unsound_file_stays_refused(tmp_path):
    path = tmp_path / "a.sqlite3"
    slot = Slot(path, connect(path, is_writer=True))
    slot.distrust()
    path.write_bytes(b"no database at all" * 500)
    for _ in range(2):
        with pytest.raises(StoreError) as refused:
            slot.connection()
        assert refused.value.reason == "store_damaged"


def test_rollback_that_works_is_told(tmp_path):
    connection = connect(tmp_path / "a.sqlite3", is_writer=True)
    begin(connection)
    assert is_undone(connection)
    connection.close()
