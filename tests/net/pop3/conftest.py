"""Clients on the session's Dovecot and on scripted servers."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from daemon.model.clock import SystemClock
from daemon.model.secret import Secret
from daemon.model.settings import Tls
from daemon.net.deadlines import Timers
from daemon.net.endpoint import Endpoint
from daemon.net.pop3.client import Pop3Client
from tests.net.playing import MemorySink, Part

QUICK = Timers(
    silence_seconds=0.6,
    floor_window_seconds=0.6,
    greeting_seconds=0.6,
    handshake_seconds=0.6,
    logout_seconds=0.3,
)


@pytest.fixture
def make_sink() -> type[MemorySink]:
    return MemorySink


@pytest.fixture
def quick() -> Timers:
    return QUICK


@pytest.fixture
async def log_in(mailbag) -> AsyncIterator[Callable[..., Awaitable[Pop3Client]]]:
    """A client of the test's own user: `await log_in()`; all are dropped at the end."""
    clients: list[Pop3Client] = []

    async def start(tls: Tls = Tls.IMPLICIT, password: str | None = None) -> Pop3Client:
        server = mailbag.server
        port = server.pop3s_port if tls is Tls.IMPLICIT else server.pop3_port
        endpoint = Endpoint(host="localhost", port=port, tls=tls, ca_file=server.ca_file)
        client = await Pop3Client.connect(endpoint, clock=SystemClock())
        clients.append(client)
        await client.authenticate(mailbag.user, Secret(password or mailbag.password))
        return client

    yield start
    for client in clients:
        client.abort()


class Play(Part):
    """The server's part in POP3."""

    async def hear(self, word: bytes = b"") -> bytes:
        """The next line, which must begin with `word`."""
        line = await self.next_line()
        assert line.startswith(word), line
        return line.strip()

    async def answer(self, word: bytes, *lines: bytes) -> None:
        """Hear a command and answer it."""
        await self.hear(word)
        await self.say(*lines)


@pytest.fixture
async def play(serve, endpoint_of) -> AsyncIterator[Callable[..., Awaitable[Pop3Client]]]:
    """A client in front of a script, logged in unless `login` is False: `await play(script, caps=(b"TOP",))`."""
    clients: list[Pop3Client] = []
    servers: list = []

    async def start(
        script,
        *,
        caps: tuple[bytes, ...] | None = (b"USER", b"UIDL", b"TOP", b"PIPELINING"),
        login: bool = True,
        timers: Timers = QUICK,
    ) -> Pop3Client:
        async def run(reader, writer) -> None:
            part = Play(reader, writer)
            await part.say(b"+OK ready <1.2@example.org>")
            await part.answer(b"CAPA", *((b"+OK", *caps, b".") if caps is not None else (b"-ERR what?",)))
            if login:
                await part.answer(b"USER ada", b"+OK")
                await part.answer(b"PASS lovelace", b"+OK logged in")
                if caps is not None and not {b"UIDL", b"PIPELINING"} <= set(caps):
                    await part.answer(b"CAPA", b"+OK", *caps, b".")
            await script(part)

        server = await serve(run)
        servers.append(server)
        client = await Pop3Client.connect(endpoint_of(server), clock=SystemClock(), timers=timers)
        clients.append(client)
        if login:
            await client.authenticate("ada", Secret("lovelace"))
        return client

    yield start
    for client in clients:
        client.abort()
    for server in servers:
        assert not server.errors
