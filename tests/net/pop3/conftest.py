"""Clients on the session's Dovecot and on scripted servers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from daemon.model.clock import SystemClock
from daemon.model.errors import StoreError
from daemon.model.secret import Secret
from daemon.model.settings import Tls
from daemon.net.deadlines import Timers
from daemon.net.endpoint import Endpoint
from daemon.net.pop3.client import Pop3Client

QUICK = Timers(
    silence_seconds=0.6,
    floor_window_seconds=0.6,
    greeting_seconds=0.6,
    handshake_seconds=0.6,
    logout_seconds=0.3,
)


class MemorySink:
    """A sink that keeps what it gets and may be told to lag or to fail."""

    def __init__(self, *, lag: bool = False, fails: bool = False) -> None:
        self.octets = bytearray()
        self.backlog_bytes = 0
        self.most_backlog = 0
        self.ends = 0
        self.aborts = 0
        self.lag = lag
        self.fails = fails

    def write(self, data: memoryview) -> None:
        assert not self.ends + self.aborts
        self.octets += data
        self.backlog_bytes += len(data)
        self.most_backlog = max(self.most_backlog, self.backlog_bytes)
        if not self.lag:
            self.backlog_bytes = 0

    async def drain(self) -> None:
        assert not self.ends + self.aborts
        await asyncio.sleep(0.01)
        if self.fails:
            raise StoreError("disk full", reason="disk_full")
        self.backlog_bytes = 0

    async def end(self) -> None:
        assert not self.ends + self.aborts
        self.ends += 1

    def abort(self) -> None:
        assert not self.ends + self.aborts
        self.aborts += 1


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


class Play:
    """The server's part of a scripted conversation, line by line."""

    def __init__(self, reader, writer) -> None:
        self.reader = reader
        self.writer = writer
        self.lines: list[bytes] = []

    async def say(self, *lines: bytes) -> None:
        self.writer.write(b"".join(line + b"\r\n" for line in lines))
        await self.writer.drain()

    async def hear(self, word: bytes = b"") -> bytes:
        """The next line, which must begin with `word`."""
        line = await self.reader.readline()
        self.lines.append(line)
        if not line:
            raise ConnectionError("the client has left")
        assert line.startswith(word), line
        return line.strip()

    async def answer(self, word: bytes, *lines: bytes) -> None:
        """Hear a command and answer it."""
        await self.hear(word)
        await self.say(*lines)

    async def stay(self) -> None:
        """Read until the client leaves."""
        while await self.reader.read(65536):
            continue
        raise ConnectionError("the client has left")


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
