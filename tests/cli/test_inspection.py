"""daemon.cli.inspection: what `mailsyncd check` finds on the disk."""

import os
import sqlite3
from pathlib import Path

import pytest

from daemon.cli.inspection import inspect
from daemon.model.ids import AccountId
from daemon.model.settings import ApiSettings, ImapSettings, PasswordSource, Settings, StoreSettings


@pytest.fixture
def settings(tmp_path):
    """Settings with one account over a store in `tmp_path`."""

    def settings(*, store: Path = tmp_path / "store", api: ApiSettings | None = None, source=None, **more):
        account = ImapSettings(
            id=AccountId("work"),
            host="h.example",
            port=993,
            username="u",
            password=PasswordSource(**(source or {"env": "X"})),
            **more,
        )
        return Settings(store=StoreSettings(path=store), api=api or ApiSettings(), accounts=(account,))

    return settings


def snapshot(top: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.lstat().st_mtime_ns) for path in top.rglob("*"))


def test_fresh_store_is_fit_and_nothing_is_made(settings, tmp_path):
    before = snapshot(tmp_path)
    findings = inspect(settings(), {})
    assert (findings.problems, findings.warnings) == ([], [])
    assert snapshot(tmp_path) == before


def test_file_in_the_place_of_the_store_is_a_problem(settings, tmp_path):
    (tmp_path / "store").touch()
    [first, *_] = inspect(settings(), {}).problems
    assert first.startswith("store.path: ")
    assert "no directory" in first


def test_store_below_a_file_is_a_problem(settings, tmp_path):
    (tmp_path / "file").touch()
    problems = inspect(settings(store=tmp_path / "file" / "store"), {}).problems
    assert any(problem.startswith("store.path") for problem in problems)


def test_damaged_database_is_a_problem(settings, tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    (store / "index.sqlite3").write_bytes(b"x" * 8192)
    with sqlite3.connect(store / "state.sqlite3") as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    [problem] = inspect(settings(), {}).problems
    assert problem.startswith(f"{store}/index.sqlite3: damaged")


def test_database_in_use_is_read_without_a_trace(settings, tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    connection = sqlite3.connect(store / "state.sqlite3")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (x)")
    connection.commit()
    before = snapshot(tmp_path)
    assert inspect(settings(), {}).problems == []
    assert snapshot(tmp_path) == before
    connection.close()
    before = snapshot(tmp_path)
    assert inspect(settings(), {}).problems == []
    assert snapshot(tmp_path) == before


def test_missing_files_are_problems_with_their_keys(settings, tmp_path):
    absent = tmp_path / "absent"
    api = ApiSettings(token_file=absent, tls_cert=absent, tls_key=absent)
    found = inspect(settings(api=api, ca_file=absent, source={"file": absent}), {}).problems
    assert [problem.split(":")[0] for problem in found] == [
        "api.token_file",
        "api.tls_cert",
        "api.tls_key",
        "accounts.work.ca_file",
        "accounts.work.password_file",
    ]


def test_password_file_open_to_others_is_a_problem(settings, tmp_path):
    file = tmp_path / "pw"
    file.touch()
    file.chmod(0o644)
    [problem] = inspect(settings(source={"file": file}), {}).problems
    assert f"chmod 600 {file}" in problem


@pytest.mark.parametrize(("program", "count"), [("sh", 0), ("no-such-program", 1), ("/bin/sh", 0)])
def test_password_program_must_exist(settings, program, count):
    found = inspect(settings(source={"command": (program, "x")}), {"PATH": os.environ["PATH"]}).problems
    assert len(found) == count


def test_credential_is_looked_for_where_credentials_are(settings, tmp_path):
    source = {"credential": "work"}
    assert inspect(settings(source=source), {}).problems == []
    assert len(inspect(settings(source=source), {"CREDENTIALS_DIRECTORY": str(tmp_path)}).problems) == 1


@pytest.mark.parametrize(
    ("store", "maildir", "count"),
    [
        ("/var/lib/mailsyncd", "/tmp/Mail", 1),
        ("/var/lib/mailsyncd", None, 0),
        ("/tmp/store", "/tmp/Mail", 0),
    ],
)
def test_tree_that_the_system_unit_may_not_write_draws_a_warning(settings, store, maildir, count):
    found = inspect(settings(store=Path(store), maildir=Path(maildir) if maildir else None), {}).warnings
    assert len(found) == count
    assert all("ReadWritePaths=" in warning for warning in found)
