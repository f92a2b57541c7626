"""The embedded server with one user, and a client that says exactly what it is told to say."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from daemon.demo.imap.server import ImapServer
from daemon.demo.mailbox import User
from daemon.model.mailbox import SpecialUse

NOON = 1_700_000_000


@dataclass
class Said:
    """What the server answered to one command: untagged responses with their literals, and the tagged line."""

    untagged: list[bytes]
    tagged: bytes

    @property
    def is_ok(self) -> bool:
        return self.tagged.startswith(b"OK")


class Talker:
    """Raw IMAP: a command in, everything up to its tagged answer out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer, self._count = reader, writer, 0

    async def response(self) -> bytes:
        """One response, literals inline, without its last line end."""
        octets = await self.reader.readuntil(b"\r\n")
        while octets.endswith(b"}\r\n"):
            size = int(octets.rpartition(b"{")[2][:-3])
            octets += await self.reader.readexactly(size) + await self.reader.readuntil(b"\r\n")
        return octets[:-2]

    async def __call__(self, command: str | bytes, *literals: bytes) -> Said:
        self._count += 1
        tag = f"t{self._count}".encode()
        line = command.encode() if isinstance(command, str) else command
        self.writer.write(tag + b" " + line + b"\r\n")
        for literal in literals:
            assert (await self.response()).startswith(b"+")
            self.writer.write(literal + b"\r\n")
        untagged = []
        while not (said := await self.response()).startswith(tag + b" "):
            untagged.append(said)
        return Said(untagged, said[len(tag) + 1 :])

    async def ok(self, command: str | bytes, *literals: bytes) -> list[bytes]:
        said = await self(command, *literals)
        assert said.is_ok, said
        return said.untagged

    def close(self) -> None:
        self.writer.transport.abort()


@pytest.fixture
def user() -> User:
    """Three messages in INBOX, a mailbox in another script, a Trash."""
    user = User("demo", "secret")
    for number in (1, 2, 3):
        user.inbox.deliver(
            f"From: Ada <ada@example.org>\r\nSubject: letter {number}\r\n\r\nText {number}\r\n".encode(),
            internal_date=NOON + number * 86_400,
        )
    user.create("صندوق/A & B")
    user.create("Trash", special_use=SpecialUse.TRASH)
    return user


@pytest.fixture
async def connect(user):
    """Makes clients, logged in unless told otherwise; `without` switches extensions off."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(*, without=(), server: ImapServer | None = None, is_logged_in: bool = True) -> Talker:
            if server is None:
                server = await stack.enter_async_context(ImapServer([user], without=without))
            talker = Talker(*await asyncio.open_connection("127.0.0.1", server.port))
            stack.callback(talker.close)
            assert (await talker.response()).startswith(b"* OK [CAPABILITY IMAP4rev1")
            if is_logged_in:
                await talker.ok("LOGIN demo secret")
            return talker

        yield make


@pytest.fixture
async def server(user) -> AsyncIterator[ImapServer]:
    async with ImapServer([user]) as server:
        yield server


@pytest.fixture
async def talk(connect, server) -> Talker:
    """One client, logged in."""
    return await connect(server=server)


@pytest.fixture
async def inbox(talk) -> Talker:
    """One client, in INBOX."""
    await talk.ok("SELECT INBOX")
    return talk
