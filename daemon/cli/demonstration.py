"""What `mailsyncd demo` does: a mail server of its own, a service for it, and a few lines worth trying.

Everything is in one fresh private directory, which is removed at the end.
"""

import asyncio
import shlex
import tempfile
from pathlib import Path
from typing import Final

import click

from daemon import app, process
from daemon.demo.server import DemoServer
from daemon.model.ids import AccountId
from daemon.model.message import Message, MessageQuery
from daemon.model.settings import ImapSettings, PasswordSource, Settings, StoreSettings

FIRST_MAIL_SECONDS: Final = 30.0


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
        settings = settings_for(server, home)
        ready: asyncio.Future[app.Running] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            greeting = group.create_task(_greet(ready, server, home), name="demo:greet")
            await app.serve(settings, port_fallback=True, on_ready=ready.set_result)
            greeting.cancel()


def settings_for(server: DemoServer, home: Path) -> Settings:
    """The service's configuration: one account for each user of the demo server."""
    return Settings(
        store=StoreSettings(path=home / "store"),
        accounts=tuple(
            ImapSettings(
                id=AccountId(user.name),
                host="localhost",
                port=server.imap_port,
                ca_file=server.ca_file,
                username=user.name,
                password=PasswordSource(literal=user.password),
            )
            for user in server.users
        ),
    )


async def _greet(ready: asyncio.Future[app.Running], server: DemoServer, home: Path) -> None:
    """Wait for the first mail and say what there is to see."""
    running = await ready
    async with asyncio.timeout(FIRST_MAIL_SECONDS), running.control.subscribe_events() as news:
        while not (found := (await running.control.list_messages(MessageQuery(limit=1))).items):
            await news.wait(1.0)
    click.echo("\n".join(greeting(running, server, home, found[0])))


def greeting(running: app.Running, server: DemoServer, home: Path, message: Message) -> list[str]:
    """What there is to see: addresses, the token, and lines that work when pasted into another terminal."""
    token = running.token_path.read_text(encoding="utf-8").strip()
    url = running.urls[0]
    bearer = shlex.quote(f"Authorization: Bearer {token}")
    user = next(user for user in server.users if user.name == message.account)
    listing = f"imaps://localhost:{server.imap_port}/{message.mailbox}?ALL"
    return [
        f"The demo runs: {len(server.users)} accounts on a mail server of its own. Ctrl-C ends and removes it.",
        "",
        f"  Status  {url}/v1/status",
        f"  Token   {token}",
        f"  Mail    {home / 'store' / 'mail'}",
        "",
        "Worth trying in another terminal: the newest mail; one of it deleted; what the mail server has left.",
        "",
        f"  curl -s -H {bearer} {shlex.quote(f'{url}/v1/messages?limit=5')}",
        f"  curl -s -X DELETE -H {bearer} {shlex.quote(f'{url}/v1/messages/{message.id}?wait=10')}",
        f"  curl -s --cacert {server.ca_file} -u {shlex.quote(f'{user.name}:{user.password}')} {shlex.quote(listing)}",
        "",
    ]
