"""`mailsyncd advise`, as a person or a script runs it."""

import asyncio
import json
import re
import sys
import threading
import tomllib
from contextlib import contextmanager
from pathlib import Path

from daemon.demo.imap.server import ImapServer
from daemon.demo.mailbox import User
from daemon.demo.pop3.server import Pop3Server
from tests.support.terminal import run_in_terminal


@contextmanager
def serving(kind):
    """A server in a thread of its own; gives its port."""
    user = User("ada", "lovelace")
    user.inbox.deliver(b"Subject: a\r\n\r\nhello\r\n", internal_date=1)
    ready: list[int] = []
    is_up, stop = threading.Event(), threading.Event()

    async def serve():
        async with kind([user]) as server:
            ready.append(server.port)
            is_up.set()
            while not stop.is_set():
                await asyncio.sleep(0.02)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    is_up.wait(5)
    try:
        yield ready[0]
    finally:
        stop.set()
        thread.join()


def call(mailsyncd, *arguments, **env):
    process = mailsyncd.start("advise", *arguments, **env)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def block_of(out):
    """What stands below "Save this as …:" or "Add this to …:", to the end."""
    return re.split(r"^(?:Save this as|Add this to) .*:\n", out, flags=re.MULTILINE)[1]


def test_server_with_one_protocol_gives_a_file_that_check_takes_as_it_is(mailsyncd):
    with serving(ImapServer) as port:
        code, out, err = call(
            mailsyncd, "127.0.0.1", "--port", str(port), "--empty-server", "--local-deletions",
            "--login", "ada", "--password-command", "printf lovelace",
        )  # fmt: skip
    assert code == 0, err
    assert "POP3  does not answer" in out
    assert "Use IMAP" in out
    assert "You want the server kept empty. That is what POP3 is for" in " ".join(out.split())
    account = tomllib.loads(block_of(out))["accounts"]["mail"]
    assert (account["protocol"], account["host"], account["port"]) == ("imap", "127.0.0.1", port)
    assert account["delete"] == "trash"
    mailsyncd.config.write_text(block_of(out), encoding="utf-8")
    checked = mailsyncd.call("check")
    assert checked.returncode == 0, checked.stderr


def test_block_is_for_the_file_that_is_there(mailsyncd):
    with serving(Pop3Server) as port:
        code, out, err = call(
            mailsyncd, "--config", str(mailsyncd.config), "127.0.0.1", "--port", str(port),
            "--deletions-everywhere", "--login", "ada", "--password-command", "printf lovelace",
        )  # fmt: skip
    assert code == 0, err
    assert f"Add this to {mailsyncd.config}:" in out
    assert "You want what you delete here to be deleted on the server too. POP3 cannot" in " ".join(
        out.split()
    )
    with mailsyncd.config.open("a", encoding="utf-8") as file:
        file.write(block_of(out))
    checked = mailsyncd.call("check")
    assert checked.returncode == 0, checked.stderr


def test_both_protocols_of_a_real_server_are_shown_and_the_account_works(mailsyncd, mailbag):
    mailbag.fill("INBOX", [b"Subject: a\r\n\r\nhello\r\n"])
    server = mailbag.server
    trust = {"SSL_CERT_FILE": str(server.ca_file)}
    login = ("--login", mailbag.user, "--password-command", f"printf {mailbag.password}")
    ports = ("--port", str(server.imaps_port), "--port", str(server.pop3s_port))
    for wants, protocol in (
        (("--several-devices",), "imap"),
        (("--one-device", "--empty-server", "--local-deletions", "--slow-line"), "pop3"),
    ):
        code, out, err = call(mailsyncd, "localhost", *ports, *login, *wants, **trust)
        assert code == 0, err
        assert f"IMAP  localhost:{server.imaps_port} (encrypted)" in out
        assert "in all mailboxes (NOTIFY)" in out
        assert f"POP3  localhost:{server.pop3s_port} (encrypted)" in out
        assert "gives each message a lasting name" in out
        assert out.count("holds 1 message") == 2
        assert f"Use {protocol.upper()}" in out
        mailsyncd.config.write_text(block_of(out), encoding="utf-8")
        verified = mailsyncd.call("verify", "mail", **trust)
        assert verified.returncode == 0, verified.stdout


def test_how_long_mail_may_stay_and_how_often_it_may_be_asked_are_shown(mailsyncd):
    def with_policy(line):
        if line.upper() != b"CAPA":
            return None
        return b"+OK\r\nUIDL\r\nUSER\r\nEXPIRE 30\r\nLOGIN-DELAY 900\r\n.\r\n"

    with serving(lambda users: Pop3Server(users, intervene=with_policy)) as port:
        code, out, _ = call(mailsyncd, "127.0.0.1", "--port", str(port), "--keep-on-server")
    assert code == 0
    assert "removes mail by itself, after 30 days (EXPIRE 30)" in out
    assert "wants at least 15 minutes between two visits (LOGIN-DELAY 900)" in out
    assert "You want mail to stay on the server, but" in out
    assert 'poll_interval = "15m"' in out


def test_empty_maildrop_is_not_taken_for_one_without_lasting_names(mailsyncd):
    with serving(lambda users: Pop3Server([User("eve", "x")], without=["UIDL"])) as port:
        code, out, _ = call(
            mailsyncd, "127.0.0.1", "--port", str(port), "--empty-server",
            "--login", "eve", "--password-command", "printf x",
        )  # fmt: skip
    assert code == 0
    assert "does not say whether messages have lasting names" in out
    assert "no lasting names" not in out
    assert "holds 0 messages" in out
    assert "leave_on_server = false" in out


def test_on_a_terminal_it_asks_what_is_wanted(tmp_path, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    with serving(ImapServer) as imap, serving(Pop3Server) as pop3:
        ask = [
            sys.executable,
            "-m",
            "daemon",
            "advise",
            "127.0.0.1",
            "--port",
            str(imap),
            "--port",
            str(pop3),
        ]
        keys = [b"n\n", b"y\n", b"y\n", b"n\n"]
        drawn = run_in_terminal(ask, home=tmp_path, keys=keys).decode()
        told = run_in_terminal([*ask, "--several-devices"], home=tmp_path, keys=keys[1:]).decode()
    questions = [
        "Do you read this mail on several devices? [y/n]:",
        "Shall mail leave the server once it is stored here? [y/n]:",
        "Shall mail you delete here stay on the server? [y/n]:",
        "Is your line slow, or paid by volume? [y/n]:",
    ]
    assert [drawn.count(question) for question in questions] == [1] * 4
    assert [told.count(question) for question in questions] == [0, 1, 1, 1]
    assert "Use POP3" in drawn
    assert "leave_on_server = false" in drawn
    assert "Use IMAP" in told
    assert 'delete = "trash"' in told


def test_options_say_what_is_wanted_and_json_is_for_scripts(mailsyncd):
    with serving(Pop3Server) as port:
        code, out, _ = call(
            mailsyncd, "127.0.0.1", "--port", str(port), "--empty-server", "--one-device", "--json",
            "--login", "ada", "--password-command", "printf lovelace",
        )  # fmt: skip
    assert code == 0
    advice = json.loads(out)
    assert advice["protocol"] == "pop3"
    assert "leave_on_server = false" in advice["config"]
    assert advice["imap"] is None
    assert (advice["pop3"]["messages"], advice["pop3"]["has_unique_ids"]) == (1, True)


def test_nothing_that_answers_is_status_1_with_every_place_tried(mailsyncd):
    code, out, _ = call(mailsyncd, "127.0.0.1", "--port", "1")
    assert code == 1
    assert "127.0.0.1:1" in out


def test_what_is_no_address_is_told(mailsyncd):
    code, _, err = call(mailsyncd, "not an address")
    assert code == 2
    assert "neither an address nor a host" in err
