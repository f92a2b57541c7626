"""A loopback port, and one task for each client: what the demo's servers share.

In clear, which mailsyncd allows to loopback only; it never listens anywhere else.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final, Self

HOST: Final = "127.0.0.1"
MOST_CLIENTS: Final = 64

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """`async with Listener(...) as listener`: clients are served on `listener.port`.

    Args:
        name: Of the protocol, for the names of tasks.
        serve: Serves one client until it leaves; OSError means that it is gone.
        line_bytes: The longest line a client may send.
    """

    def __init__(self, name: str, serve: Serve, *, line_bytes: int) -> None:
        self._name = name
        self._serve_one = serve
        self._line_bytes = line_bytes
        self._clients: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._greet, HOST, self.port, limit=self._line_bytes)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening and drop every client; the port is kept for another start."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # asyncio forgets a connection that it has accepted but not yet begun to serve when its server closes, and
            # the client would wait for ever (CPython 3.11): accept no more, and let what was accepted begin.
            for sock in listener.sockets:
                asyncio.get_running_loop().remove_reader(sock)
            await asyncio.sleep(0)
            listener.close()
        await self.drop_clients()

    @property
    def client_count(self) -> int:
        return len(self._clients)

    async def drop_clients(self) -> None:
        """End every connection without a word."""
        clients = list(self._clients)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Give the client a task of our own: asyncio's complains of each that is cancelled (CPython before 3.12)."""
        is_closed = self._listener is None  # accepted before, told of after it
        if is_closed or len(self._clients) >= MOST_CLIENTS:
            writer.transport.abort()
            return
        client = asyncio.get_running_loop().create_task(
            self._serve(reader, writer), name=f"demo:{self._name}-client"
        )
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)
        client.add_done_callback(lambda _: _drop(writer))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve_one(reader, writer)
            with contextlib.suppress(OSError):
                await writer.drain()
            writer.close()
        except OSError:
            return  # the client is gone


def _drop(writer: asyncio.StreamWriter) -> None:
    """End the connection, unless it is ending in good order. Called from outside of the client's task: one that is
    cancelled before its first step runs nothing of its own.
    """
    if not writer.is_closing():
        writer.transport.abort()
