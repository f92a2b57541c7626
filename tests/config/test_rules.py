"""daemon.config.rules: rules between tables, and what draws a warning."""

import grp
from pathlib import Path

import pytest

from daemon.config import load_settings
from daemon.model.errors import ConfigError

ACCOUNT = 'protocol = "imap"\nhost = "h.example"\nusername = "u"\n'


@pytest.fixture
def keys(tmp_path):
    """Keys of the problems in a text; empty for none."""
    (tmp_path / "store").mkdir()

    def keys(text: str) -> list[str]:
        file = tmp_path / "config.toml"
        file.write_text('[store]\npath = "store"\n' + text, encoding="utf-8")
        try:
            load_settings(file, {}, home=tmp_path)
        except ConfigError as error:
            return [problem.key for problem in error.problems]
        return []

    return keys


def accounts(**maildirs: str | None) -> str:
    return "".join(
        f'[accounts.{name}]\n{ACCOUNT}password_env = "X"\n' + (f'maildir = "{path}"\n' if path else "")
        for name, path in maildirs.items()
    )


@pytest.mark.parametrize(
    "maildirs",
    [
        {"a": None, "b": None},
        {"a": "Mail/a", "b": "Mail/b"},
        {"a": "store/mail/a", "b": None},
        {"a": "store/own", "b": "Mail"},
        {"a": "Mail", "b": "Mail2"},
    ],
)
def test_separate_trees_are_fine(keys, maildirs):
    assert keys(accounts(**maildirs)) == []


@pytest.mark.parametrize(
    ("maildirs", "blamed"),
    [
        ({"a": "Mail", "b": "Mail"}, ["accounts.b.maildir"]),
        ({"a": "Mail", "b": "Mail/x/y"}, ["accounts.b.maildir"]),
        ({"a": "Mail/x", "b": "Mail"}, ["accounts.b.maildir"]),
        ({"a": "link", "b": "Mail"}, ["accounts.b.maildir"]),
        ({"a": "store"}, ["accounts.a.maildir"]),
        ({"a": "."}, ["accounts.a.maildir"]),
        ({"a": "store/mail"}, ["accounts.a.maildir"]),
        ({"a": "store/mail/later"}, ["accounts.a.maildir"]),
    ],
)
def test_trees_that_meet_are_refused(keys, tmp_path, maildirs, blamed):
    (tmp_path / "Mail").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "Mail")
    assert keys(accounts(**maildirs)) == blamed


def test_tree_of_a_faulty_account_still_counts(keys):
    text = accounts(a="Mail") + "port = 0\n" + accounts(b="Mail")
    assert keys(text) == ["accounts.a.port", "accounts.b.maildir"]


@pytest.mark.parametrize(
    ("lines", "blamed"),
    [
        ('listen = ["127.0.0.1:1", "[::1]:1", "localhost:2", "unix:/s"]', []),
        ('listen = ["0.0.0.0:1"]', ["api.listen"]),
        ('listen = ["[::]:1", "10.0.0.1:1"]', ["api.listen", "api.listen"]),
        ('listen = ["0.0.0.0:1"]\ntls_cert = "c"\ntls_key = "k"', []),
        ('tls_cert = "c"', ["api.tls_cert"]),
        ('tls_key = "k"', ["api.tls_key"]),
        ("behind_proxy = true", ["api.behind_proxy"]),
        ('trusted_proxies = ["::1"]', ["api.trusted_proxies"]),
        ('behind_proxy = true\ntrusted_proxies = ["::1"]', []),
        ('listen = ["0.0.0.0:1"]\ntls_cert = 3\ntls_key = "k"', ["api.tls_cert"]),
    ],
)
def test_api_is_open_to_others_only_under_tls(keys, lines, blamed):
    assert keys(f"[api]\n{lines}\n") == blamed


def test_group_must_exist(keys, tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(f'[store]\npath = "s"\ngroup = "{grp.getgrall()[0].gr_name}"\n', encoding="utf-8")
    load_settings(file, {}, home=tmp_path)
    file.write_text('[store]\npath = "s"\ngroup = "no-such-group"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"store\.group"):
        load_settings(file, {}, home=tmp_path)


@pytest.mark.parametrize(
    ("line", "mode", "count"),
    [
        ('password = "x"', 0o600, 1),
        ('password = "x"', 0o640, 2),
        ('password = "x"', 0o604, 2),
        ('password_env = "X"', 0o644, 1),
        ('password_file = "/x"', 0o644, 0),
    ],
)
def test_passwords_in_the_open_draw_warnings(tmp_path, line, mode, count):
    file: Path = tmp_path / "config.toml"
    file.write_text(f'[store]\npath = "s"\n[accounts.a]\n{ACCOUNT}{line}\n', encoding="utf-8")
    file.chmod(mode)
    warnings = load_settings(file, {}, home=tmp_path).warnings
    assert len(warnings) == count
    assert all(str(file) in warning for warning in warnings)
