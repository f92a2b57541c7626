"""A real server on a free loopback port and its control socket, over a control with two accounts."""

import asyncio
import json as stdlib_json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from api.server import Server, start_server
from daemon.model.clock import SystemClock
from daemon.model.settings import ApiSettings

import sys
sys.path.insert(0, "/tmp/apistand")
import standin


class World:
    def __init__(self, path):
        self.control = standin.StandIn(SystemClock()); self.token = self.control.token
        self.store_path = path; self.store_id = "0123456789abcdef"
    async def deliver(self, octets=b"Subject: hello\r\n\r\nbody\r\n", *, at=1_700_000_000):
        return self.control.add(octets, at=at)
    async def announce(self, name="message.new"):
        await self.control.emit(standin.EventName(name))
    async def finish(self, operation_id, state, reason=None):
        self.control.ops[operation_id] = standin.replace(self.control.ops[operation_id], state=standin.OperationState(state), reason=reason)

@pytest.fixture
async def world(tmp_path):
    yield World(tmp_path)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return stdlib_json.loads(self.body)


@dataclass
class Served:
    """The server and ways to ask it: as a good client, and byte for byte."""

    server: Server
    token: str
    port: int
    store_path: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def call(
        self,
        method: str,
        target: str,
        *,
        json: object = None,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
        with_token: bool = True,
        socket: Path | None = None,
    ) -> Reply:
        sent = dict(headers or {})
        if with_token:
            sent["Authorization"] = f"Bearer {self.token}"
        if json is not None:
            data = stdlib_json.dumps(json).encode()
            sent.setdefault("Content-Type", "application/json")
        connector = aiohttp.UnixConnector(str(socket)) if socket else aiohttp.TCPConnector()
        async with (
            aiohttp.ClientSession(connector=connector, skip_auto_headers={"Content-Type"}) as session,
            session.request(method, f"http://{self.host}{target}", data=data, headers=sent) as response,
        ):
            found = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status, found, await response.read())

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def exchange(self, data: bytes, *, seconds: float = 5.0) -> bytes:
        """What comes back until the server closes, or until nothing more comes for `seconds`."""
        reader, writer = await self.connect()
        try:
            writer.write(data)
            return await read_all(reader, seconds)
        finally:
            writer.close()

    def head(self, request_line: str, *fields: str, host: str | None = None) -> bytes:
        """A request with the right Host and token, the given fields and `Connection: close`."""
        lines = [
            request_line,
            f"Host: {host or self.host}",
            f"Authorization: Bearer {self.token}",
            "Connection: close",
            *fields,
        ]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


async def read_all(reader: asyncio.StreamReader, seconds: float) -> bytes:
    got = bytearray()
    try:
        while True:
            async with asyncio.timeout(seconds):
                chunk = await reader.read(65536)
            if not chunk:
                return bytes(got)
            got += chunk
    except (TimeoutError, ConnectionResetError):
        return bytes(got)


@pytest.fixture
async def served(world: Any) -> AsyncIterator[Served]:
    server = await start_server(
        world.control,
        settings=ApiSettings(listen=("127.0.0.1:0",)),
        store_path=world.store_path,
        store_id=world.store_id,
        clock=SystemClock(),
        env={},
    )
    port = int(server.urls[0].rpartition(":")[2])
    yield Served(server, world.token, port, world.store_path)
    await server.stop()
