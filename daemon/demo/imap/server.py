"""IMAP over the mail of a few users, on a loopback port."""

import asyncio
from collections.abc import Iterable, Sequence

from daemon.demo.imap import dispatch
from daemon.demo.imap.session import EXTENSIONS, LINE_BYTES, Session
from daemon.demo.listener import Listener
from daemon.demo.mailbox import User


class ImapServer(Listener):
    """`async with ImapServer(users) as server`: IMAP on `server.port` for these users' mailboxes.

    Args:
        users: Whose mail is served; their mailboxes may be changed at any time from the same loop.
        without: Extensions that are not offered and not understood, to try the ways without them.
    """

    def __init__(self, users: Sequence[User], *, without: Iterable[str] = ()) -> None:
        super().__init__("imap", self._answer, line_bytes=LINE_BYTES)
        self._users = users
        self._extensions = _offered(frozenset(without))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await dispatch.serve(Session(reader, writer, self._users, self._extensions))


def _offered(without: frozenset[str]) -> frozenset[str]:
    """What is left, and nothing that stands on what is not: QRESYNC is CONDSTORE and more (RFC 7162 §3.2)."""
    offered = EXTENSIONS - without
    return offered - {"QRESYNC"} if "CONDSTORE" not in offered or "ENABLE" not in offered else offered
