"""A loopback proxy that keeps what crossed it, byte for byte, and can be slow, cut or stalled.

Stands between a client and a server that speak in clear, or ends the client's TLS itself; the recording is what "on
the wire" means in a test.
"""

import asyncio
import contextlib
import hashlib
import re
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

_BODY = re.compile(rb"\* \d+ FETCH \([^\r\n]*BODY\[\] \{(\d+)\}\r\n")


class FaultKind(StrEnum):
    """How a line fails: an end in order, a reset, or silence with the socket open."""

    FIN = "fin"
    RST = "rst"
    STALL = "stall"


@dataclass(frozen=True)
class Fault:
    """What happens to a connection when `after` octets have gone towards the client."""

    after: int
    kind: FaultKind = FaultKind.FIN


class _Cut(Exception):
    """The fault has come."""


@dataclass
class WireSession:
    """One connection: both directions, when each piece from the server passed, and how often it answered: round trips."""

    to_server: bytearray = field(default_factory=bytearray)
    to_client: bytearray = field(default_factory=bytearray)
    times: list[tuple[float, int]] = field(default_factory=list)
    turns: int = 0
    is_client_last: bool = False

    def bodies_fetched(self) -> list[str]:
        """SHA-256 of each body that the server sent whole, in order."""
        sent = bytes(self.to_client)
        return [
            hashlib.sha256(sent[match.end() : match.end() + int(match[1])]).hexdigest()
            for match in _BODY.finditer(sent)
            if match.end() + int(match[1]) <= len(sent)
        ]

    def time_of(self, needle: bytes, *, start: int = 0) -> float | None:
        """When the piece that completed `needle` passed towards the client; None if it never did."""
        at = self.to_client.find(needle, start)
        if at < 0:
            return None
        end = at + len(needle)
        return next(when for when, length in self.times if length >= end)


class WireProxy:
    """`async with WireProxy(port) as proxy`: connect to `proxy.port` instead.

    `tls` is the certificate the proxy shows to the client; towards the server it always speaks in clear. `fault` may
    be set and cleared at any time and holds for every connection.
    """

    def __init__(
        self, target_port: int, *, delay_seconds: float = 0.0, tls: ssl.SSLContext | None = None
    ) -> None:
        self._target_port = target_port
        self._tls = tls
        self._delay = delay_seconds
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.Task[None]] = set()
        self.port = 0
        self.sessions: list[WireSession] = []
        self.is_refusing = False
        self.fault: Fault | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self.cut()

    async def cut(self) -> None:
        """End every connection now."""
        lines = list(self._lines)
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        try:
            async with self._upstream(writer) as (upstream_reader, upstream_writer):
                session = WireSession()
                self.sessions.append(session)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pump(reader, upstream_writer, session, towards_client=False))
                    group.create_task(self._pump(upstream_reader, writer, session, towards_client=True))
        except (OSError, asyncio.CancelledError, ExceptionGroup):
            return
        finally:
            self._lines.discard(task)
            writer.transport.abort()

    @contextlib.asynccontextmanager
    async def _upstream(
        self, writer: asyncio.StreamWriter
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        if self.is_refusing:
            raise ConnectionRefusedError
        upstream = await asyncio.open_connection("127.0.0.1", self._target_port)
        try:
            yield upstream
        finally:
            upstream[1].transport.abort()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        session: WireSession,
        *,
        towards_client: bool,
    ) -> None:
        while data := await reader.read(256 * 1024):
            if self._delay:
                await asyncio.sleep(self._delay)
            if towards_client:
                data = data[: self._room(session)]
                session.turns += session.is_client_last
                session.is_client_last = False
                session.to_client += data
                session.times.append((time.monotonic(), len(session.to_client)))
            else:
                session.is_client_last = True
                session.to_server += data
            writer.write(data)
            await writer.drain()
            if towards_client and self._room(session) == 0:
                await self._fail(writer)
        writer.write_eof()

    def _room(self, session: WireSession) -> int | None:
        """How many octets may still go towards the client; None for any number."""
        return None if self.fault is None else max(0, self.fault.after - len(session.to_client))

    async def _fail(self, writer: asyncio.StreamWriter) -> None:
        assert self.fault is not None
        writer.transport.set_write_buffer_limits(0)
        await writer.drain()
        if self.fault.kind is FaultKind.STALL:
            await asyncio.Event().wait()
        if self.fault.kind is FaultKind.RST:
            line = writer.get_extra_info("socket")
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise _Cut
