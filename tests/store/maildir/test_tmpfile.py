import errno
import os
from pathlib import Path

import pytest

from daemon.model.errors import LocalProtocolError, StoreError
from daemon.store.maildir import tmpfile
from daemon.store.maildir.tmpfile import LATEST_MTIME, TmpFile


@pytest.fixture
def directory(tmp_path):
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def finished(
    directory: int, name: str = "a", octets: bytes = b"x", internal_date: int | None = None
) -> TmpFile:
    file = TmpFile(directory, name, 0o600)
    file.write(octets)
    file.finish(internal_date)
    return file


def test_steps_in_order_give_a_published_file(directory, tmp_path):
    file = finished(directory, octets=b"octets", internal_date=1_234_567_890)
    file.sync()
    file.publish(directory, "b")
    assert (tmp_path / "b").read_bytes() == b"octets"
    assert (tmp_path / "b").stat().st_mtime == 1_234_567_890
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
    file.discard()
    assert (tmp_path / "b").exists()


@pytest.mark.parametrize(("asked", "kept"), [(-5, 0), (1 << 60, LATEST_MTIME)])
def test_absurd_date_is_clamped(directory, tmp_path, asked, kept):
    finished(directory, internal_date=asked).sync()
    assert int((tmp_path / "a").stat().st_mtime) == kept


def test_unsynced_file_is_never_published(directory, tmp_path):
    file = finished(directory)
    with pytest.raises(LocalProtocolError):
        file.publish(directory, "b")
    assert not (tmp_path / "b").exists()
    file.discard()


def test_discard_leaves_nothing_and_ends_every_step(directory, tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    file = finished(directory)
    file.discard()
    file.discard()
    assert list(tmp_path.iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    for step in (file.sync, lambda: file.publish(directory, "b"), lambda: file.write(b"x")):
        with pytest.raises(StoreError):
            step()


def test_existing_name_or_link_is_not_written_to(directory, tmp_path):
    (tmp_path / "victim").write_bytes(b"kept")
    (tmp_path / "a").symlink_to("victim")
    with pytest.raises(FileExistsError):
        TmpFile(directory, "a", 0o600)
    assert (tmp_path / "victim").read_bytes() == b"kept"


def test_failed_fsync_loses_the_file_and_is_not_tried_again(directory, tmp_path, monkeypatch):
    """faults.md L7: after EIO the kernel may call the same pages clean."""
    file = finished(directory)
    calls = []

    def failing(fd: int) -> None:
        calls.append(fd)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="Input/output"):
        file.sync()
    monkeypatch.undo()
    with pytest.raises(StoreError):
        file.sync()
    assert len(calls) == 1
    assert list(tmp_path.iterdir()) == []


def test_files_beyond_the_descriptors_are_synced_at_once(directory, tmp_path):
    limit = tmpfile._descriptors._initial_value
    held = [finished(directory, f"held{number}") for number in range(limit)]
    synced = []
    real = os.fsync
    try:
        os.fsync = lambda fd: (synced.append(fd), real(fd))
        beyond = finished(directory, "beyond")
        assert len(synced) == 1
        beyond.sync()
        assert len(synced) == 1
    finally:
        os.fsync = real
    beyond.publish(directory, "there")
    for file in held:
        file.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_descriptor_permits_come_back_after_errors(directory):
    for _ in range(400):
        with pytest.raises(OSError):
            TmpFile(directory, "missing/a", 0o600)
    assert tmpfile._descriptors._value == tmpfile._descriptors._initial_value
