import os
from pathlib import Path

import pytest

from daemon.model.errors import StoreError, StoreForeign
from daemon.store.maildir.open_maildir import (
    Access,
    OpenMaildir,
    list_maildirs,
    make_directories,
    open_directory,
)


def test_missing_directory_is_store_missing(tmp_path):
    with pytest.raises(StoreForeign) as raised:
        OpenMaildir(tmp_path, ".nowhere")
    assert raised.value.reason == "store_missing"
    assert raised.value.remedy
    assert str(tmp_path / ".nowhere") in str(raised.value)


def test_missing_part_is_store_missing(tmp_path):
    with OpenMaildir(tmp_path, ".") as maildir, pytest.raises(StoreForeign):
        maildir.part("cur")


@pytest.mark.parametrize("place", ["step", "part"])
def test_symbolic_link_below_the_root_is_not_followed(tmp_path, place):
    outside = tmp_path / "outside"
    root = tmp_path / "root"
    for directory in (root, outside):
        os.close(make_directories(_made(directory), ".", access=Access(), has_parts=True))
    if place == "step":
        (root / ".link").symlink_to(outside)
        with pytest.raises(StoreForeign):
            OpenMaildir(root, ".link")
    else:
        (root / "cur").rmdir()
        (root / "cur").symlink_to(outside / "cur")
        with OpenMaildir(root, ".") as maildir, pytest.raises(StoreForeign):
            maildir.part("cur")


def test_root_itself_may_be_a_link(tmp_path):
    real = _made(tmp_path / "real")
    (tmp_path / "link").symlink_to(real)
    os.close(open_directory(tmp_path / "link", "."))


def test_names_outside_are_refused(tmp_path):
    with pytest.raises(StoreError):
        OpenMaildir(tmp_path, "../x")


def test_modes_are_private_whatever_the_umask(tmp_path):
    old = os.umask(0)
    try:
        os.close(make_directories(tmp_path, "a/b", access=Access(), has_parts=True))
    finally:
        os.umask(old)
    assert {(tmp_path / name).stat().st_mode & 0o7777 for name in ("a", "a/b", "a/b/cur", "a/b/tmp")} == {
        0o700
    }


def test_group_may_read_where_one_is_configured(tmp_path):
    access = Access(group_id=os.getgid())
    old = os.umask(0o077)
    try:
        os.close(make_directories(tmp_path, ".a", access=access, has_parts=True))
    finally:
        os.umask(old)
    assert (tmp_path / ".a" / "cur").stat().st_mode & 0o7777 == 0o2750
    assert access.file_mode == 0o640


def test_existing_directories_keep_their_modes(tmp_path):
    (tmp_path / "a").mkdir(mode=0o755)
    os.close(make_directories(tmp_path, "a", access=Access(), has_parts=True))
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o755


def test_maildirs_are_found_by_layout_and_links_left_alone(tmp_path):
    for directory in (".", ".A", "plain", "plain/deep"):
        os.close(make_directories(tmp_path, directory, access=Access(), has_parts=True))
    (tmp_path / ".nothing").mkdir()
    (tmp_path / ".loop").symlink_to(tmp_path)
    assert list_maildirs(tmp_path, is_nested=False) == (".", ".A")
    assert list_maildirs(tmp_path, is_nested=True) == (".", ".A", "plain", "plain/deep")


def test_descriptors_are_given_back(tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    os.close(make_directories(tmp_path, "a/b/c", access=Access(), has_parts=True))
    with OpenMaildir(tmp_path, "a/b/c") as maildir:
        for part in ("tmp", "new", "cur"):
            maildir.part(part)
        assert sorted(maildir.names()) == ["cur", "new", "tmp"]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def _made(path):
    path.mkdir()
    return path
