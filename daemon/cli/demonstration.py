"""What `mailsyncd demo` does: a mail server of its own, a service for it, and a few lines worth trying.

Everything is in one fresh private directory, which is removed at the end.
"""

import asyncio
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from daemon import app, process
from daemon.cli import words
from daemon.cli.options import complain
from daemon.demo.mailbox import User
from daemon.demo.server import DemoServer
from daemon.model.ids import INBOX, AccountId
from daemon.model.message import MessageQuery
from daemon.model.settings import ImapSettings, PasswordSource, Pop3Settings, Settings, StoreSettings, Tls

FIRST_PASS_SECONDS: Final = 30.0
POLL_SECONDS: Final = 30.0


def run() -> None:
    """Run the demo until SIGTERM or SIGINT.

    Raises:
        MailError: It could not be started.
    """
    process.tune()
    with tempfile.TemporaryDirectory(prefix="mailsyncd-demo-") as home:
        process.run_in_loop(_run(Path(home)))


async def _run(home: Path) -> None:
    async with DemoServer() as server:
        ready: asyncio.Future[app.Running] = asyncio.get_running_loop().create_future()
        greeting = asyncio.create_task(_greet(ready, server, home), name="demo:greet")
        try:
            await app.serve(settings_for(server, home), port_fallback=True, on_ready=ready.set_result)
        finally:
            greeting.cancel()
            await asyncio.wait({greeting})


def settings_for(server: DemoServer, home: Path) -> Settings:
    """The service's configuration: an IMAP account for each user of the demo server, and one for the maildrop."""

    def common(user: User) -> dict[str, Any]:
        return {
            "id": AccountId(user.name),
            "host": server.host,
            "tls": Tls.NONE,
            "username": user.name,
            "password": PasswordSource(literal=user.password),
        }

    return Settings(
        store=StoreSettings(path=home / "store"),
        accounts=(
            *(ImapSettings(port=server.imap_port, **common(user)) for user in server.users),
            Pop3Settings(
                port=server.pop3_port, poll_interval_seconds=POLL_SECONDS, **common(server.maildrop_user)
            ),
        ),
    )


async def _greet(ready: asyncio.Future[app.Running], server: DemoServer, home: Path) -> None:
    """Wait for the first pass and say what there is to see."""
    running = await ready
    control, user = running.control, server.users[0]
    try:
        async with asyncio.timeout(FIRST_PASS_SECONDS), control.subscribe_events() as news:
            while any(one.last_sync is None for one in control.status().accounts.values()):
                await news.wait(1.0)
    except TimeoutError:
        complain("the demo's account is not in step yet; --log-level info tells what holds it up")
        return
    newest = await control.list_messages(MessageQuery(account=AccountId(user.name), mailbox=INBOX, limit=1))
    token = running.token_path.read_text(encoding="utf-8").strip()
    lines = curl_lines(
        running.urls[0], token, newest.items[0].id, f"imap://{server.host}:{server.imap_port}/INBOX?ALL", user
    )
    click.echo(
        "\n".join(
            greeting(running.urls[0], token, home, control.status().total, lines, servers=server_urls(server))
        )
    )


def greeting(
    url: str, token: str, home: Path, messages: int, lines: Sequence[str], *, servers: Sequence[str]
) -> list[str]:
    """What a person reads first."""
    return [
        f"The demo runs, with {words.count(messages, 'message')} and more to come. Ctrl-C ends and removes it.",
        "",
        f"  Status  {url}/v1/status",
        f"  Token   {token}",
        f"  Mail    {home / 'store' / 'mail'}",
        f"  Servers {' and '.join(servers)}, as curl takes them",
        "  Mail is in two accounts: demo, over IMAP, both ways; pop, over POP3, one way: nothing you do reaches its server.",
        "",
        "In another terminal: the newest mail, one of it deleted, and what the mail server has left.",
        "",
        *(f"  {line}" for line in lines),
        "",
    ]


def server_urls(server: DemoServer) -> list[str]:
    """The mail servers as URLs with user and password, for a look at what they have themselves."""
    user, drop = server.users[0], server.maildrop_user
    return [
        f"imap://{user.name}:{user.password}@{server.host}:{server.imap_port}/",
        f"pop3://{drop.name}:{drop.password}@{server.host}:{server.pop3_port}/",
    ]


def curl_lines(url: str, token: str, message_id: str, listing: str, user: User) -> list[str]:
    """Commands that work as they stand, in this order: list, delete, and the mail server's own word for it."""
    header = shlex.quote(f"Authorization: Bearer {token}")
    return [
        f"curl -sw '\\n' -H {header} {shlex.quote(f'{url}/v1/messages?limit=5')}",
        f"curl -sw '\\n' -X DELETE -H {header} {shlex.quote(f'{url}/v1/messages/{message_id}?wait=10')}",
        f"curl -s -u {shlex.quote(f'{user.name}:{user.password}')} {shlex.quote(listing)}",
    ]
