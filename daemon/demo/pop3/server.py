"""POP3 over the INBOX of a few users, on a loopback port."""

import asyncio
from collections.abc import Iterable, Sequence

from daemon.demo.listener import Listener
from daemon.demo.mailbox import User
from daemon.demo.pop3.maildrop import Show, show_truth
from daemon.demo.pop3.session import CAPABILITIES, LINE_BYTES, Intervene, Session


def leave_be(_line: bytes) -> bytes | None:
    """Answer every command as it is meant."""
    return None


class Pop3Server(Listener):
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
        super().__init__("pop3", self._answer, line_bytes=LINE_BYTES)
        self._users = users
        self._capabilities = CAPABILITIES.difference(without)
        self.show = show
        self.intervene = intervene
        self._locked: set[str] = set()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(
            reader,
            writer,
            users=self._users,
            capabilities=self._capabilities,
            show=self.show,
            intervene=self.intervene,
            locked=self._locked,
        )
        await session.run()
