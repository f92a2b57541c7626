"""Clients on the session's Dovecot and on scripted servers."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection

import pytest

from daemon.model.clock import SystemClock
from daemon.model.secret import Secret
from daemon.model.settings import Tls
from daemon.net.deadlines import Timers
from daemon.net.endpoint import Endpoint
from daemon.net.imap.client import ImapClient
from tests.net.playing import Part

QUICK = Timers(
    silence_seconds=0.6,
    floor_window_seconds=0.6,
    greeting_seconds=0.6,
    handshake_seconds=0.6,
    leave_idle_seconds=0.5,
    logout_seconds=0.3,
)


@pytest.fixture
async def log_in(mailbag) -> AsyncIterator[Callable[..., Awaitable[ImapClient]]]:
    """A client of the test's own user: `await log_in()`; all are dropped at the end."""
    clients: list[ImapClient] = []

    async def start(tls: Tls = Tls.IMPLICIT) -> ImapClient:
        server = mailbag.server
        port = server.imaps_port if tls is Tls.IMPLICIT else server.imap_port
        endpoint = Endpoint(host="localhost", port=port, tls=tls, ca_file=server.ca_file)
        client = await ImapClient.connect(endpoint, clock=SystemClock())
        clients.append(client)
        await client.authenticate(mailbag.user, Secret(mailbag.password))
        return client

    yield start
    for client in clients:
        client.abort()


class Play(Part):
    """The server's part in IMAP."""

    def __init__(self, reader, writer) -> None:
        super().__init__(reader, writer)
        self.port: int = writer.get_extra_info("sockname")[1]

    async def hear(self, *words: bytes) -> bytes:
        """The tag of the next line, which must contain each word."""
        line = await self.next_line()
        for word in words:
            assert word in line, line
        return line.split(b" ")[0].strip()

    async def answer(self, word: bytes, *lines: bytes, with_: bytes = b"OK done") -> None:
        """Hear a command and answer it."""
        tag = await self.hear(word)
        await self.say(*lines, tag + b" " + with_)


def greet(caps: bytes = b"IMAP4rev1 UIDPLUS", word: bytes = b"PREAUTH", text: bytes = b"ready") -> bytes:
    return b"* " + word + b" [CAPABILITY " + caps + b"] " + text


SELECTED = (
    b"* FLAGS (\\Seen \\Deleted)",
    b"* 3 EXISTS",
    b"* OK [UIDVALIDITY 7] valid",
    b"* OK [UIDNEXT 10] next",
    b"* OK [HIGHESTMODSEQ 50] modseq",
)


@pytest.fixture
async def play(serve, endpoint_of) -> AsyncIterator[Callable[..., Awaitable[ImapClient]]]:
    """A client in front of a script: `await play(script, caps=..., selected=True)`."""
    clients: list[ImapClient] = []

    async def start(
        script,
        *,
        caps: bytes = b"IMAP4rev1 UIDPLUS",
        word: bytes = b"PREAUTH",
        text: bytes = b"ready",
        selected: bool = False,
        timers: Timers = QUICK,
        distrust: Collection[str] = (),
    ) -> ImapClient:
        async def run(reader, writer) -> None:
            part = Play(reader, writer)
            await part.say(greet(caps, word, text))
            if selected:
                await part.answer(b"SELECT", *SELECTED, with_=b"OK [READ-WRITE] selected")
            await script(part)

        server = await serve(run)
        servers.append(server)
        client = await ImapClient.connect(
            endpoint_of(server), clock=SystemClock(), timers=timers, distrust=distrust
        )
        clients.append(client)
        if selected:
            await client.select(b"Box")
        return client

    servers: list = []
    yield start
    for client in clients:
        client.abort()
    for server in servers:
        assert not server.errors
