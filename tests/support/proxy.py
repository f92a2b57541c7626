"""A loopback proxy that keeps what crossed it, byte for byte, and can be slow or cut.

Stands between a client and a server that speak in clear; the recording is what "on the wire" means in a test.
"""

import asyncio
import contextlib
import hashlib
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Self

_BODY = re.compile(rb"\* \d+ FETCH \([^\r\n]*BODY\[\] \{(\d+)\}\r\n")


@dataclass
class WireSession:
    """One connection: both directions, and when each piece from the server passed."""

    to_server: bytearray = field(default_factory=bytearray)
    to_client: bytearray = field(default_factory=bytearray)
    times: list[tuple[float, int]] = field(default_factory=list)

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
    """`async with WireProxy(port) as proxy`: connect to `proxy.port` instead."""

    def __init__(self, target_port: int, *, delay_seconds: float = 0.0) -> None:
        self._target_port = target_port
        self._delay = delay_seconds
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.Task[None]] = set()
        self.port = 0
        self.sessions: list[WireSession] = []
        self.is_refusing = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
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
                session.to_client += data
                session.times.append((time.monotonic(), len(session.to_client)))
            else:
                session.to_server += data
            writer.write(data)
            await writer.drain()
        writer.write_eof()
