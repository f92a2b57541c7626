"""The demo's mail servers: one user with mail in several languages over IMAP, one with a maildrop over POP3, both on
loopback, and mail that keeps coming.

Everything is in memory and gone at the end. It knows nothing of the service that is shown with it.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final, Self

from daemon.demo import letters
from daemon.demo.imap.server import ImapServer
from daemon.demo.letters import Letter
from daemon.demo.listener import HOST
from daemon.demo.mailbox import Mailbox, User
from daemon.demo.pop3.server import Pop3Server
from daemon.model.mailbox import SpecialUse

ARRIVAL_SECONDS: Final = 20.0
MOST_ARRIVALS: Final = 5_000  # a forgotten demo must not fill the memory; a day's worth
_ROLES: Final = {"Archive": SpecialUse.ARCHIVE, "Sent": SpecialUse.SENT, "Trash": SpecialUse.TRASH}


class DemoServer:
    """`async with DemoServer() as server`: `server.users` have their mail at `server.imap_port` of `server.host`, and
    `server.maildrop_user` at `server.pop3_port`.

    The line is in clear, which loopback allows.

    Args:
        arrival_seconds: Between one new message in the first user's INBOX and the next.
        now: The wall clock.
    """

    def __init__(
        self, *, arrival_seconds: float = ARRIVAL_SECONDS, now: Callable[[], float] = time.time
    ) -> None:
        self.host = HOST
        self.users = (User("demo", "demo"),)
        self.maildrop_user = User("pop", "pop")
        self._arrival_seconds = arrival_seconds
        self._now = now
        self._letters = 0
        self._imap = ImapServer(self.users)
        self._pop3 = Pop3Server([self.maildrop_user])
        self._arrivals: asyncio.Task[None] | None = None
        _furnish(self.users[0], self._put)
        for letter in letters.MAILDROP_LETTERS:
            self._put(self.maildrop_user.inbox, letter)

    @property
    def imap_port(self) -> int:
        return self._imap.port

    @property
    def pop3_port(self) -> int:
        return self._pop3.port

    async def __aenter__(self) -> Self:
        await self._imap.__aenter__()
        await self._pop3.__aenter__()
        self._arrivals = asyncio.create_task(self._deliver_for_ever(), name="demo:arrivals")
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._arrivals is not None:
            self._arrivals.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({self._arrivals})
        await self._pop3.__aexit__(*exc)
        await self._imap.__aexit__(*exc)

    def _put(self, mailbox: Mailbox, letter: Letter) -> None:
        self._letters += 1
        when = self._now() - letter.age_hours * 3600
        octets = letters.octets_of(letter, number=self._letters, sent_at=when)
        mailbox.deliver(octets, internal_date=int(when), flags=letter.flags)

    async def _deliver_for_ever(self) -> None:
        for number in range(1, MOST_ARRIVALS + 1):
            await asyncio.sleep(self._arrival_seconds)
            self._put(self.users[0].inbox, letters.arriving(number))


def _furnish(user: User, put: Callable[[Mailbox, Letter], None]) -> None:
    """The mail that is there from the beginning."""
    for letter in letters.INBOX_LETTERS:
        put(user.inbox, letter)
    for name, there in letters.OTHER_LETTERS.items():
        mailbox = user.create(name, special_use=_ROLES[name])
        for letter in there:
            put(mailbox, letter)
