"""The admin token: made once, durable, private; only its digest stays."""

import os
import stat
from pathlib import Path

import pytest

from daemon.model.errors import ConfigError, StoreError
from daemon.service.control.access import Access, digest_of, open_access


def test_first_start_writes_a_private_token_that_opens(tmp_path: Path) -> None:
    access = open_access(tmp_path, None)
    path = tmp_path / "api-token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    token = path.read_text().strip()
    assert len(token) >= 43  # 256 bits
    assert access.authenticate(token)
    assert [entry.name for entry in tmp_path.iterdir()] == ["api-token"]


def test_second_start_keeps_the_token(tmp_path: Path) -> None:
    open_access(tmp_path, None)
    before = (tmp_path / "api-token").read_bytes()
    assert open_access(tmp_path, None).authenticate(before.decode().strip())
    assert (tmp_path / "api-token").read_bytes() == before


def test_umask_does_not_open_the_token(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        open_access(tmp_path, None)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "api-token").stat().st_mode) == 0o600


@pytest.mark.parametrize("token", ["", "x", "right-token-of-good-length ", "\ud800", "t" * 100_000])
def test_wrong_token_does_not_open(token: str) -> None:
    assert not Access(digest_of("right-token-of-good-length")).authenticate(token)


def test_configured_file_is_used_and_no_other_is_written(tmp_path: Path) -> None:
    file = tmp_path / "mine"
    file.write_text("  0123456789abcdef0123456789abcdef\n")
    access = open_access(tmp_path, file)
    assert access.authenticate("0123456789abcdef0123456789abcdef")
    assert not (tmp_path / "api-token").exists()


@pytest.mark.parametrize("text", [None, "", "short\n"])
def test_unusable_configured_file_is_a_config_error(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "mine"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        open_access(tmp_path, file)
    [problem] = caught.value.problems
    assert problem.key == "api.token_file"
    assert "short" not in str(problem)


def test_configured_directory_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        open_access(tmp_path, tmp_path)


def test_damaged_token_of_ours_is_a_store_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "api-token").write_text("")
    with pytest.raises(StoreError) as caught:
        open_access(tmp_path, None)
    assert caught.value.reason == "store_damaged"
    assert caught.value.remedy is not None


def test_store_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        open_access(tmp_path / "absent", None)
    assert caught.value.reason == "store_io"
