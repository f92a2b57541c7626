"""What is found on the disk, and what is made of it."""

import shutil

import pytest

from daemon.model.errors import StoreError
from daemon.store import schema
from daemon.store.database import begin, checkpoint, connect, disconnect
from daemon.store.opening import OpenedFiles, mark_clean, open_files, settle_generation
from daemon.store.transactions import read_meta, write_meta


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


def shut(opened: OpenedFiles, *, is_clean: bool = True, is_settled: bool = True) -> None:
    if is_settled:
        begin(opened.state)
        settle_generation(opened.state)
        opened.state.commit()
    if is_clean:
        mark_clean(opened.state)
    disconnect(opened.index)
    disconnect(opened.state)


def test_new_store_has_a_copy_of_its_state_from_the_first_start(directory, clock):
    """So that the store's id outlives its state database."""
    opened = open_files(directory, clock)
    store_id = opened.store_id
    shut(opened)
    (directory / "state.sqlite3").write_bytes(b"rubbish" * 1000)
    opened = open_files(directory, clock)
    assert opened.store_id == store_id
    assert not (directory / "state.backup.sqlite3-wal").exists()
    shut(opened)


def test_copy_is_taken_before_anything_changes(directory, clock):
    shut(open_files(directory, clock))
    shut(open_files(directory, clock))
    copy = connect(directory / "state.backup.sqlite3", is_writer=False)
    assert read_meta(copy, is_state=True)["generation"] == "1"
    disconnect(copy)


def test_clean_end_needs_no_review_and_an_unclean_one_does(directory, clock):
    first = open_files(directory, clock)
    assert first.needs_review
    shut(first)
    second = open_files(directory, clock)
    assert not second.needs_review
    shut(second, is_clean=False)
    third = open_files(directory, clock)
    assert third.needs_review
    assert not third.generation_gap
    shut(third)


def test_start_killed_between_the_two_raises_is_no_gap(directory, clock):
    shut(open_files(directory, clock))
    index = (directory / "index.sqlite3").read_bytes()
    opened = open_files(directory, clock)
    epoch = opened.epoch
    shut(opened, is_clean=False, is_settled=False)
    (directory / "index.sqlite3").write_bytes(index)  # its raise never was
    opened = open_files(directory, clock)
    assert (opened.generation_gap, opened.epoch, opened.generation) == (False, epoch, 3)
    shut(opened)


def test_index_made_but_not_yet_begun_is_still_a_rebuild(directory, clock):
    opened = open_files(directory, clock)
    epoch = opened.epoch
    shut(opened)
    (directory / "index.sqlite3").unlink()
    index = connect(directory / "index.sqlite3", is_writer=True)
    first = {"store_id": opened.store_id, "generation": "1", "epoch": ""}
    schema.create(index, schema.INDEX, first)
    disconnect(index)
    opened = open_files(directory, clock)
    assert (opened.was_index_rebuilt, opened.generation_gap) == (True, False)
    assert opened.epoch != epoch
    shut(opened)


def test_event_numbers_of_a_restored_state_are_not_given_again(directory, clock):
    opened = open_files(directory, clock)
    shut(opened)
    old = (directory / "state.sqlite3").read_bytes()
    opened = open_files(directory, clock)
    begin(opened.state)
    opened.state.exec_driver_sql("UPDATE counter SET value = 5000 WHERE name = 'event'")
    opened.state.commit()
    begin(opened.index)
    opened.index.exec_driver_sql(
        "INSERT INTO event VALUES (4000, 'sync.started', 'work', NULL, NULL, 0, '{}')"
    )
    opened.index.commit()
    shut(opened)
    (directory / "state.sqlite3").write_bytes(old)
    opened = open_files(directory, clock)
    assert opened.generation_gap
    assert opened.last_event_number >= 4000
    assert read_meta(opened.index)["pruned_through"] == str(opened.last_event_number)
    shut(opened)


def test_files_set_aside_in_one_second_do_not_overwrite_each_other(directory, clock):
    for _ in range(3):
        opened = open_files(directory, clock)
        shut(opened)
        (directory / "index.sqlite3").write_bytes(b"rubbish" * 1000)
    shut(open_files(directory, clock))
    assert len(list(directory.glob("index.damaged-*.sqlite3"))) == 3


def test_log_of_a_damaged_file_goes_with_it(directory, clock):
    opened = open_files(directory, clock)
    shut(opened)
    (directory / "index.sqlite3").write_bytes(b"rubbish" * 1000)
    (directory / "index.sqlite3-wal").write_bytes(b"log")
    opened = open_files(directory, clock)
    assert opened.was_index_rebuilt
    assert [finding.split(":")[0] for finding in opened.findings] == ["index_damaged"]
    shut(opened)


def test_unsound_copy_is_not_used(directory, clock):
    opened = open_files(directory, clock)
    store_id = opened.store_id
    shut(opened)
    for name in ("state.sqlite3", "state.backup.sqlite3"):
        (directory / name).write_bytes(b"rubbish" * 1000)
    opened = open_files(directory, clock)
    assert opened.store_id != store_id
    shut(opened)


def test_state_of_another_program_is_set_aside(directory, clock):
    other = connect(directory / "state.sqlite3", is_writer=True)
    other.exec_driver_sql("CREATE TABLE theirs (x)")
    other.commit()
    disconnect(other)
    opened = open_files(directory, clock)
    assert opened.findings[0].startswith("state_damaged")
    assert len(list(directory.glob("state.damaged-*.sqlite3"))) == 1
    shut(opened)


def test_damage_below_the_surface_is_found_after_an_unclean_end(directory, clock):
    opened = open_files(directory, clock)
    begin(opened.index)
    for number in range(3000):
        opened.index.exec_driver_sql(
            "INSERT INTO event VALUES (?, 'x', 'y', NULL, NULL, 0, '{}')", (number + 1,)
        )
    opened.index.commit()
    checkpoint(opened.index)
    shut(opened, is_clean=False)
    index = directory / "index.sqlite3"
    octets = bytearray(index.read_bytes())
    octets[-3 * 4096 :] = b"\xff" * (3 * 4096)
    index.write_bytes(octets)
    opened = open_files(directory, clock)
    assert opened.was_index_rebuilt
    shut(opened)


def test_moved_store_is_the_same_store(directory, clock):
    opened = open_files(directory, clock)
    identity = (opened.store_id, opened.epoch)
    shut(opened)
    moved = directory.with_name("elsewhere")
    shutil.move(directory, moved)
    opened = open_files(moved, clock)
    assert (opened.store_id, opened.epoch) == identity
    shut(opened)


def test_newer_state_is_refused_before_its_copy_is_replaced(directory, clock):
    opened = open_files(directory, clock)
    begin(opened.state)
    opened.state.exec_driver_sql("UPDATE alembic_version SET version_num = 'state_9999'")
    write_meta(opened.state, "is_clean", "1", is_state=True)
    opened.state.commit()
    shut(opened)
    copy = (directory / "state.backup.sqlite3").read_bytes()
    with pytest.raises(StoreError) as refused:
        open_files(directory, clock)
    assert refused.value.reason == "store_newer"
    assert (directory / "state.backup.sqlite3").read_bytes() == copy
