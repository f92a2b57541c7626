import os

import pytest

from daemon.store.maildir import rename


@pytest.fixture(params=["one call", "two calls"])
def move(request, tmp_path):
    way = {"one call": rename.rename_exclusive, "two calls": rename.link_and_unlink}[request.param]
    fd = os.open(tmp_path, os.O_RDONLY)
    yield lambda source, target: way(fd, source, fd, target)
    os.close(fd)


def test_file_is_renamed(move, tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    move("a", "bü")
    assert (tmp_path / "bü").read_bytes() == b"1"
    assert not (tmp_path / "a").exists()


def test_existing_target_is_never_overwritten(move, tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    with pytest.raises(FileExistsError):
        move("a", "b")
    assert (tmp_path / "a").read_bytes() == b"1"
    assert (tmp_path / "b").read_bytes() == b"2"


def test_missing_source_says_so(move):
    with pytest.raises(FileNotFoundError):
        move("a", "b")


def test_symbolic_link_is_moved_not_followed(move, tmp_path):
    (tmp_path / "real").write_bytes(b"1")
    (tmp_path / "a").symlink_to("real")
    move("a", "b")
    assert (tmp_path / "b").is_symlink()
