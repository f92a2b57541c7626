"""The listener: a loopback port, and one task for each client. In clear, which loopback allows."""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import Final, Self

from daemon.demo.mailbox import User
from daemon.demo.pop3.maildrop import Show, show_truth
from daemon.demo.pop3.session import CAPABILITIES, LINE_BYTES, Intervene, Session

HOST: Final = "127.0.0.1"
MOST_CLIENTS: Final = 64


def leave_be(_line: bytes) -> bytes | None:
    """Answer every command as it is meant."""
    return None


class Pop3Server:
    """`async with Pop3Server(users) as server`: POP3 on `server.port` for these users' INBOX.

    Args:
        users: Whose mail is served.
        without: Capabilities that are not offered and not understood.
        show: What a client finds at login, to try what other servers say.
        intervene: Called with each command line; may answer it otherwise, or end the connection.
    """

    def __init__(
        self,
        users: Sequence[User],
        *,
        without: Iterable[str] = (),
        show: Show = show_truth,
        intervene: Intervene = leave_be,
    ) -> None:
        self._users = users
        self._capabilities = CAPABILITIES.difference(without)
        self.show = show
        self.intervene = intervene
        self._locked: set[str] = set()
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
        clients = list(self._clients)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Give the client a task of our own: asyncio's complains of each that is cancelled (CPython before 3.12)."""
        if len(self._clients) >= MOST_CLIENTS:
            writer.transport.abort()
            return
        client = asyncio.get_running_loop().create_task(self._serve(reader, writer), name="demo:pop3-client")
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(
            reader,
            writer,
            users=self._users,
            capabilities=self._capabilities,
            show=self.show,
            intervene=self.intervene,
            locked=self._locked,
        )
        try:
            await session.run()
            with contextlib.suppress(OSError):
                await writer.drain()
            writer.close()
        except OSError:
            return  # the client is gone
        finally:
            if not writer.is_closing():
                writer.transport.abort()
