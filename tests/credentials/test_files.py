"""daemon.credentials.files: secrets in files that nobody else can read."""

import os

import pytest

from daemon.credentials import files
from daemon.model.errors import CredentialUnavailable


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "pw"
    path.write_bytes(b"pw\nmore\n")
    path.chmod(0o600)
    return path


async def test_octets_are_returned_whole(secret):
    assert await files.read_private(secret) == b"pw\nmore\n"


async def test_link_is_followed(secret, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(secret)
    assert await files.read_private(link) == b"pw\nmore\n"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644])
async def test_file_open_to_others_is_refused_with_the_remedy(secret, mode):
    secret.chmod(mode)
    with pytest.raises(CredentialUnavailable, match=f"{mode:04o}") as caught:
        await files.read_private(secret)
    assert caught.value.remedy == f"chmod 600 {secret}"


async def test_guarded_file_is_not_judged_by_its_mode(secret):
    secret.chmod(0o440)
    assert await files.read_private(secret, is_guarded=True) == b"pw\nmore\n"


async def test_absent_file_says_why(tmp_path):
    with pytest.raises(CredentialUnavailable, match="No such file"):
        await files.read_private(tmp_path / "absent")


async def test_fifo_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(CredentialUnavailable, match="no regular file"):
        await files.read_private(tmp_path / "fifo")


async def test_directory_is_refused(tmp_path):
    tmp_path.chmod(0o700)
    with pytest.raises(CredentialUnavailable, match="no regular file"):
        await files.read_private(tmp_path)


async def test_large_file_is_refused(secret):
    secret.write_bytes(b"x" * (files.MOST_BYTES + 1))
    with pytest.raises(CredentialUnavailable, match="larger"):
        await files.read_private(secret)
