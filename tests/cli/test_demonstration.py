"""daemon.cli.demonstration: a demo that shows a message deleted here and gone there."""

import shlex
from pathlib import Path

from daemon.cli import demonstration
from daemon.demo.mailbox import User
from daemon.demo.server import DemoServer
from daemon.model.settings import Tls


async def test_every_user_of_the_server_is_an_account(tmp_path):
    async with DemoServer() as server:
        settings = demonstration.settings_for(server, tmp_path)
        assert [(account.protocol, account.username) for account in settings.accounts] == [
            ("imap", "demo"),
            ("pop3", "pop"),
        ]
        [account, maildrop] = settings.accounts
        assert (maildrop.host, maildrop.port, maildrop.tls) == (server.host, server.pop3_port, Tls.NONE)
        assert (account.host, account.port, account.tls) == (server.host, server.imap_port, Tls.NONE)
        assert settings.store.path == tmp_path / "store"


async def test_urls_of_the_servers_are_those_of_the_accounts(tmp_path):
    async with DemoServer() as server:
        assert demonstration.server_urls(server) == [
            f"imap://demo:demo@{server.host}:{server.imap_port}/",
            f"pop3://pop:pop@{server.host}:{server.pop3_port}/",
        ]


def test_greeting_has_address_token_and_the_lines():
    lines = demonstration.greeting(
        "http://127.0.0.1:1",
        "t0ken",
        Path("/tmp/d"),
        15,
        ["curl one", "curl two"],
        servers=["imap://a/", "pop3://b/"],
    )
    text = "\n".join(lines)
    for part in (
        "15 messages",
        "http://127.0.0.1:1/v1/status",
        "t0ken",
        "/tmp/d/store/mail",
        "imap://a/ and pop3://b/",
        "  curl one\n  curl two",
    ):
        assert part in text


def test_lines_survive_a_shell():
    """Nothing in them is split or expanded by the terminal they are pasted into."""
    user = User("a b", "p$w'd")
    lines = demonstration.curl_lines("http://h:1", "tok", "id", "imap://h:2/INBOX?ALL", user)
    words = [shlex.split(line) for line in lines]
    assert all(word[0] == "curl" for word in words)
    assert words[1][-1] == "http://h:1/v1/messages/id?wait=10"
    assert words[2][-2:] == ["a b:p$w'd", "imap://h:2/INBOX?ALL"]
