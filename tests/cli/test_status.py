"""`mailsyncd status`: a table for a person, the service's own words for a program, and the contract's exit codes."""

import json

import pytest
from click.testing import CliRunner

from daemon.cli.status import shown, status

WORK = {
    "state": "idle",
    "unread": 3,
    "total": 10600,
    "last_sync_age_seconds": 12.3,
    "reason": None,
    "detail": None,
    "remedy": None,
    "retry_at": None,
}
HOME = {
    "state": "auth_failed",
    "unread": 0,
    "total": 0,
    "last_sync_age_seconds": None,
    "reason": "auth_failed",
    "detail": "the server said: no\x1b[2J",
    "remedy": "correct the password",
    "retry_at": "2026-11-25T04:00:00Z",
}
ANSWER = {
    "state": "degraded",
    "version": "0.1.0",
    "uptime_seconds": 187_200.5,
    "accounts": {"work": WORK, "home": HOME},
}


def test_table_has_state_counts_age_and_what_to_do():
    assert shown(ANSWER) == [
        "mailsyncd 0.1.0, degraded, up 2 d 4 h",
        "ACCOUNT  STATE        UNREAD   TOTAL  LAST SYNC",
        "work     idle              3  10,600  12 s ago",
        "home     auth_failed       0       0  never",
        "",
        "home: the server said: no\ufffd[2J; correct the password (next try at 2026-11-25T04:00:00Z)",
    ]


def test_service_without_accounts_says_so():
    assert shown({**ANSWER, "state": "ok", "accounts": {}})[1:] == ["No accounts in the configuration."]


@pytest.fixture
def ask(tmp_path):
    """Run the command over the store `tmp_path`."""
    config = tmp_path / "config.toml"
    config.write_text(f'[store]\npath = "{tmp_path}"\n', encoding="utf-8")

    def ask(*arguments: str):
        return CliRunner().invoke(status, ["--config", str(config), *arguments])

    return ask


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("degraded", 1)])
def test_exit_code_tells_whether_all_is_well(service, ask, state, code):
    service.answers = {"/v1/status": (200, json.dumps({**ANSWER, "state": state}).encode())}
    done = ask()
    assert done.exit_code == code
    assert "10,600" in done.stdout


def test_json_is_the_services_answer(service, ask):
    service.answers = {"/v1/status": (200, json.dumps(ANSWER).encode())}
    assert json.loads(ask("--json").stdout) == ANSWER


def test_no_service_is_3(ask):
    done = ask()
    assert (done.exit_code, done.stdout) == (3, "")
    assert "no service runs" in done.stderr


def test_no_config_is_2(tmp_path):
    done = CliRunner().invoke(status, ["--config", str(tmp_path / "absent.toml")])
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
