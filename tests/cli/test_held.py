"""`mailsyncd held` and `mailsyncd approve`: what is held is shown, and exactly what is named is approved."""

import json

import pytest
from click.testing import CliRunner

from daemon.cli import mailsyncd

ITEM = {
    "mailbox": "Lists/a b\x1b",
    "side": "there",
    "count": 3,
    "total": 4,
    "reason": "much is missing",
    "since": "2026-11-25T04:00:00Z",
}
APPROVE = "/v1/accounts/work/held/approve?wait=25"
DONE = {"state": "done", "result": {"expunged_there": 3}}


@pytest.fixture
def ask(tmp_path):
    """Run a command over the store `tmp_path`."""
    config = tmp_path / "config.toml"
    config.write_text(f'[store]\npath = "{tmp_path}"\n', encoding="utf-8")

    def ask(command: str, *arguments: str):
        return CliRunner().invoke(mailsyncd, [command, "--config", str(config), *arguments])

    return ask


def as_json(value: object, status: int = 200) -> tuple[int, bytes]:
    return status, json.dumps(value).encode()


def test_what_is_held_is_shown_with_side_count_and_reason(service, ask):
    service.answers = {
        "/v1/status": as_json({"accounts": {"work": {}, "home": {}}}),
        "/v1/accounts/work/held": as_json({"items": [ITEM]}),
        "/v1/accounts/home/held": as_json({"items": []}),
    }
    done = ask("held")
    assert done.exit_code == 1
    assert done.stdout == (
        "work: Lists/a b\ufffd: 3 of 4 would go on the server: much is missing; since 2026-11-25T04:00:00Z\n"
    )


def test_nothing_held_is_0(service, ask):
    service.answers = {"/v1/status": as_json({"accounts": {}})}
    done = ask("held")
    assert (done.exit_code, done.stdout) == (0, "Nothing is held.\n")


def test_approval_names_its_mailbox_and_tells_what_became_of_it(service, ask):
    service.answers = {APPROVE: [as_json(DONE), as_json({"state": "running"}, 202)]}
    done = ask("approve", "work", "Lists/a b", "Old")
    assert done.exit_code == 0
    assert "3" in done.stdout.splitlines()[0]
    assert done.stdout.splitlines()[1] == "work: approved in Old; it goes on, see mailsyncd status"
    assert [json.loads(body) for body in service.bodies] == [{"mailbox": "Lists/a b"}, {"mailbox": "Old"}]


def test_approval_of_what_is_not_held_is_1_and_says_so(service, ask):
    problem = {
        "code": "hold_unknown",
        "detail": "No deletions are held in this mailbox; see what is in /held.",
    }
    service.answers = {APPROVE: as_json(problem, 404)}
    done = ask("approve", "work", "INBOX")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "No deletions are held" in done.stderr


@pytest.mark.parametrize("command", [("held",), ("approve", "work", "INBOX")])
def test_no_service_is_3_and_says_how_to_have_one(ask, command):
    done = ask(*command)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "mailsyncd run" in done.stderr
