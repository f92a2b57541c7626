"""What scripted conversations need on either protocol: the server's part, and a sink for what the client fetches."""

import asyncio

from daemon.model.errors import StoreError


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


class Part:
    """The server's part of a conversation, line by line."""

    def __init__(self, reader, writer) -> None:
        self.reader = reader
        self.writer = writer
        self.lines: list[bytes] = []

    async def say(self, *lines: bytes) -> None:
        self.writer.write(b"".join(line + b"\r\n" for line in lines))
        await self.writer.drain()

    async def next_line(self) -> bytes:
        line = await self.reader.readline()
        self.lines.append(line)
        if not line:
            raise ConnectionError("the client has left")
        return line

    async def stay(self) -> None:
        """Read until the client leaves."""
        while await self.reader.read(65536):
            continue
        raise ConnectionError("the client has left")
