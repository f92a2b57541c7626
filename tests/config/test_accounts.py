"""daemon.config.accounts: the keys of one account, and the rules between them."""

from pathlib import Path

import pytest

from daemon.config.accounts import password_key_of, read_account
from daemon.config.places import Surroundings
from daemon.config.tables import Findings

HERE = Surroundings(directory=Path("/etc"), home=Path("/home/me"), env={})
GOOD = {"protocol": "imap", "host": "imap.example.com", "username": "me", "password": "x"}


def read(table, account="work"):
    findings = Findings(Path("f"), {"accounts": {account: table}})
    return read_account(account, table, HERE, findings), findings.in_order()


@pytest.mark.parametrize("account", ["work", "a", "a-b_9", "x" * 32])
def test_account_ids_are_taken(account):
    one, problems = read(GOOD, account)
    assert problems == ()
    assert one.settings is not None
    assert one.settings.id == account


@pytest.mark.parametrize("account", ["Work", "", "a.b", "a b", "x" * 33, "é", "a\n"])
def test_other_account_ids_are_refused(account):
    _, problems = read(GOOD, account)
    assert len(problems) == 1


@pytest.mark.parametrize("name", ["protocol", "host", "username"])
def test_missing_key_is_named_with_its_form(name):
    one, [problem] = read({key: value for key, value in GOOD.items() if key != name})
    assert one.settings is None
    assert (problem.key, problem.problem) == (f"accounts.work.{name}", "is missing")


def test_no_password_source_is_refused():
    _, [problem] = read({key: value for key, value in GOOD.items() if key != "password"})
    assert "password_command" in problem.remedy


def test_two_password_sources_are_refused():
    _, [problem] = read({**GOOD, "password_file": "/pw"})
    assert problem.key == "accounts.work.password_file"


def test_clear_text_is_refused_except_to_loopback():
    _, [problem] = read({**GOOD, "tls": "none"})
    assert problem.key == "accounts.work.tls"
    one, problems = read({**GOOD, "tls": "none", "host": "127.0.0.1"})
    assert problems == ()
    assert one.settings is not None


def test_wrong_protocol_takes_the_keys_of_both():
    """The other keys are not blamed for one wrong word."""
    _, [problem] = read({**GOOD, "protocol": "imaps", "poll_interval": "5m", "deletion_limit": 0.5})
    assert problem.key == "accounts.work.protocol"
    assert problem.remedy == 'did you mean "imap"?'


def test_tree_of_an_account_with_problems_is_still_known():
    one, problems = read({**GOOD, "port": 0, "maildir": "~/Mail"})
    assert len(problems) == 1
    assert one.settings is None
    assert (one.is_placed, one.maildir) == (True, Path("/home/me/Mail"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("password", "x"),
        ("password_command", ["x"]),
        ("password_file", "/x"),
        ("password_credential", "x"),
        ("password_env", "X"),
    ],
)
def test_password_key_is_known_again(key, value):
    table = {name: kept for name, kept in GOOD.items() if name != "password"}
    one, problems = read({**table, key: value})
    assert problems == ()
    assert one.settings is not None
    assert password_key_of(one.settings) == key
