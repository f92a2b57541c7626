"""`mailsyncd sync`: here or by a running service, with one line an account and the contract's exit codes."""

import asyncio

import pytest
from click.testing import CliRunner

from daemon.cli.sync import sync
from daemon.demo.mailbox import User
from daemon.demo.pop3.server import Pop3Server

ACCOUNT = """
[accounts.{id}]
protocol = "imap"
host = "localhost"
port = {port}
ca_file = "{ca_file}"
username = "{username}"
password_file = "pw"
"""

DROP = """
[accounts.old]
protocol = "pop3"
host = "127.0.0.1"
port = {port}
tls = "none"
username = "ada"
password_env = "MAIL_PASSWORD"
leave_on_server = false
"""


@pytest.fixture
def work(mailsyncd, mailbag):
    """The command with the account `work` on a real server that has two messages."""
    mailbag.fill("INBOX", [b"Subject: one\r\n\r\nbody\r\n", b"Subject: two\r\n\r\nbody\r\n"])
    add(mailsyncd, "work", mailbag)
    secret = mailsyncd.config.with_name("pw")
    secret.write_text(mailbag.password, encoding="utf-8")
    secret.chmod(0o600)
    return mailsyncd


def add(mailsyncd, account: str, mailbag, port: int | None = None) -> None:
    server = mailbag.server
    with mailsyncd.config.open("a", encoding="utf-8") as config:
        config.write(
            ACCOUNT.format(
                id=account, port=port or server.imaps_port, ca_file=server.ca_file, username=mailbag.user
            )
        )


def test_accounts_are_brought_in_step_and_a_second_run_has_nothing_to_do(work):
    done = work.call("sync")
    assert (done.returncode, done.stdout, done.stderr) == (0, "work: 2 downloaded\n", "")
    done = work.call("sync", "work")
    assert (done.returncode, done.stdout) == (0, "work: nothing to do\n")


async def test_removal_announced_by_one_run_stands_in_its_line_and_is_done_by_the_next(mailsyncd):
    """decisions.md 4, as a timer that calls `sync` has it."""
    user = User("ada", "lovelace")
    for number in range(101):
        user.inbox.deliver(b"Subject: %d\r\n\r\nhello\r\n" % number, internal_date=1)
    async with Pop3Server([user]) as server:
        with mailsyncd.config.open("a", encoding="utf-8") as config:
            config.write(DROP.format(port=server.port))
        first = await asyncio.to_thread(mailsyncd.call, "sync", MAIL_PASSWORD="lovelace")
        assert first.returncode == 0, first.stderr
        assert first.stdout.startswith(
            "old: 101 downloaded; the next poll removes 101 messages on the server"
        )
        second = await asyncio.to_thread(mailsyncd.call, "sync", MAIL_PASSWORD="lovelace")
        assert (second.returncode, second.stdout) == (0, "old: 101 removed there\n")
    assert not user.inbox.messages


def test_one_that_fails_leaves_the_others_finished(work, mailbag):
    add(work, "gone", mailbag, port=1)
    done = work.call("sync")
    assert done.returncode == 1
    first, second = sorted(done.stdout.splitlines())
    assert first.startswith("gone: failed (")
    assert second == "work: 2 downloaded"


def test_running_service_is_asked_to_do_it(work, mailbag):
    work.serve()
    mailbag.fill("INBOX", [b"Subject: three\r\n\r\nbody\r\n"])
    done = work.call("sync", "work")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("work: ")
    assert "failed" not in done.stdout


def test_store_held_by_another_process_is_75(work):
    """It is no service, so it cannot be asked."""
    import asyncio

    from daemon.model.clock import SystemClock
    from daemon.store.store import Store

    async def hold() -> int:
        held = await Store.open(work.store, clock=SystemClock())
        try:
            return (await asyncio.to_thread(work.call, "sync")).returncode
        finally:
            await held.close()

    assert asyncio.run(hold()) == 75


@pytest.mark.parametrize("name", ["wrok", "Work", "../work"])
def test_unknown_account_is_2_and_names_the_nearest(mailsyncd, name):
    text = ACCOUNT.format(id="work", port=993, ca_file="ca.pem", username="me")
    with mailsyncd.config.open("a", encoding="utf-8") as config:
        config.write(text)
    done = CliRunner().invoke(sync, ["--config", str(mailsyncd.config), name])
    assert done.exit_code == 2
    assert "work" in done.stderr


def test_no_accounts_is_nothing_to_do(mailsyncd):
    done = CliRunner().invoke(sync, ["--config", str(mailsyncd.config)])
    assert done.exit_code == 0
    assert "nothing to do" in done.stderr
