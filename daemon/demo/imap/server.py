"""The listener: a loopback port, and one task for each client.

Speaks in clear, which mailsyncd allows to loopback only; it never listens anywhere else.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import Final, Self

from daemon.demo.imap import dispatch
from daemon.demo.imap.session import EXTENSIONS, LINE_BYTES, Session
from daemon.demo.mailbox import User

HOST: Final = "127.0.0.1"
MOST_CLIENTS: Final = 64


class ImapServer:
    """`async with ImapServer(users) as server`: IMAP on `server.port` for these users' mailboxes.

    Args:
        users: Whose mail is served; their mailboxes may be changed at any time from the same loop.
        without: Extensions that are not offered and not understood, to try the ways without them.
    """

    def __init__(self, users: Sequence[User], *, without: Iterable[str] = ()) -> None:
        self._users = users
        self._extensions = _offered(frozenset(without))
        self._clients: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._greet, HOST, self.port, limit=LINE_BYTES)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening and drop every client; the mail stays, and so does the port for another start."""
        if self._listener is not None:
            self._listener.close()
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
        if len(self._clients) >= MOST_CLIENTS:
            writer.transport.abort()
            return
        client = asyncio.get_running_loop().create_task(self._serve(reader, writer), name="demo:imap-client")
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await dispatch.serve(Session(reader, writer, self._users, self._extensions))
            with contextlib.suppress(OSError):
                await writer.drain()
            writer.close()
        except OSError:
            return  # the client is gone
        finally:
            if not writer.is_closing():
                writer.transport.abort()


def _offered(without: frozenset[str]) -> frozenset[str]:
    """What is left, and nothing that stands on what is not: QRESYNC is CONDSTORE and more (RFC 7162 §3.2)."""
    offered = EXTENSIONS - without
    return offered - {"QRESYNC"} if "CONDSTORE" not in offered or "ENABLE" not in offered else offered
