"""One POP3 client: commands in, answers out (RFC 1939; CAPA and PIPELINING: RFC 2449).

In clear, for loopback. A line of 512 octets, ten minutes without a command; what a command does is a method of its name.
"""

import asyncio
import base64
import binascii
import hmac
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from daemon.demo.mailbox import User
from daemon.demo.pop3.maildrop import Maildrop, Parcel, Show, stuffed, top_of

CAPABILITIES: Final = frozenset({"PIPELINING", "RESP-CODES", "SASL", "TOP", "UIDL", "USER"})
LINE_BYTES: Final = 512
IDLE_SECONDS: Final = 10 * 60.0

Intervene = Callable[[bytes], bytes | None]
"""What is answered to a command line instead of the truth; nothing at all (b"") ends the connection, None leaves it be."""


class Closed(Exception):
    """The connection is over."""


class Session:
    """State and line of one client."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        users: Sequence[User],
        capabilities: frozenset[str],
        show: Show,
        intervene: Intervene,
        locked: set[str],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._users = users
        self._capabilities = capabilities
        self._show = show
        self._intervene = intervene
        self._locked = locked
        self._name = ""
        self._owner: str | None = None
        self._drop: Maildrop | None = None

    async def run(self) -> None:
        """Serve until the client leaves."""
        try:
            self._say(b"+OK mailsyncd demo")
            while True:
                await self._writer.drain()
                async with asyncio.timeout(IDLE_SECONDS):
                    line = await self._reader.readline()
                if not line:
                    return
                await self._answer(line.strip())
        except (Closed, TimeoutError, ValueError):  # readline: a line longer than the limit
            return
        finally:
            if self._owner is not None:
                self._locked.discard(self._owner)

    async def _answer(self, line: bytes) -> None:
        instead = self._intervene(line)
        if instead is not None:
            if not instead:
                raise Closed
            self._writer.write(instead)
            return
        word, *arguments = line.split() or [b""]
        command = word.upper().decode("ascii", "replace")
        method = _COMMANDS.get(command)
        if method is None or (command in {"UIDL", "TOP"} and command not in self._capabilities):
            self._refuse("unknown command")
            return
        needs_login = command not in {"CAPA", "USER", "PASS", "AUTH", "QUIT"}
        if needs_login and self._drop is None:
            self._refuse("log in first")
            return
        try:
            result = method(self, arguments)
            if result is not None:
                await result
        except KeyError:
            self._refuse("no such message")
        except IndexError:
            self._refuse("an argument is missing")

    # Before login

    def _capa(self, _: Sequence[bytes]) -> None:
        lines = [f"{name} PLAIN" if name == "SASL" else name for name in sorted(self._capabilities)]
        self._lines("what I can", (line.encode() for line in lines))

    def _user(self, arguments: Sequence[bytes]) -> None:
        self._name = arguments[0].decode("utf-8", "replace")
        self._say(b"+OK")

    def _pass(self, arguments: Sequence[bytes]) -> None:
        self._log_in(self._name, b" ".join(arguments))

    async def _auth(self, arguments: Sequence[bytes]) -> None:
        if not arguments or arguments[0].upper() != b"PLAIN":
            self._refuse("only PLAIN")
            return
        text = arguments[1] if len(arguments) > 1 else b""
        if not text:
            self._say(b"+ ")
            await self._writer.drain()
            text = (await self._reader.readline()).strip()
        try:
            _, name, password = base64.b64decode(text, validate=True).split(b"\0")
        except (binascii.Error, ValueError):
            self._refuse("that is no PLAIN")
            return
        self._log_in(name.decode("utf-8", "replace"), password)

    def _log_in(self, name: str, password: bytes) -> None:
        user = next((user for user in self._users if user.name == name), None)
        if user is None or not hmac.compare_digest(user.password.encode(), password):
            self._refuse("[AUTH] wrong name or password")
        elif name in self._locked:
            self._refuse("[IN-USE] the maildrop is open in another session")
        else:
            self._locked.add(name)
            self._owner = name
            self._drop = Maildrop(user, self._show(user))
            self._say(b"+OK")

    # The maildrop

    @property
    def _open_drop(self) -> Maildrop:
        assert self._drop is not None  # noqa: S101 - for the type checker; looked at before each command
        return self._drop

    def _stat(self, _: Sequence[bytes]) -> None:
        there = self._open_drop.there
        self._say(f"+OK {len(there)} {sum(one.size or 0 for one in there.values())}".encode())

    def _list(self, arguments: Sequence[bytes]) -> None:
        self._tell(arguments, lambda one: str(one.size))

    def _uidl(self, arguments: Sequence[bytes]) -> None:
        self._tell(arguments, lambda one: one.uidl or "")

    def _tell(self, arguments: Sequence[bytes], fact: Callable[[Parcel], str]) -> None:
        if arguments:
            number, one = self._open_drop.find(arguments[0])
            self._say(f"+OK {number} {fact(one)}".encode())
            return
        there = self._open_drop.there
        self._lines("here", (f"{number} {fact(one)}".encode() for number, one in there.items()))

    def _retr(self, arguments: Sequence[bytes]) -> None:
        _, one = self._open_drop.find(arguments[0])
        self._say(b"+OK")
        self._writer.write(stuffed(one.octets))

    def _top(self, arguments: Sequence[bytes]) -> None:
        _, one = self._open_drop.find(arguments[0])
        lines = int(arguments[1]) if arguments[1].isdigit() else 0
        self._say(b"+OK")
        self._writer.write(stuffed(top_of(one.octets, lines)))

    def _dele(self, arguments: Sequence[bytes]) -> None:
        number, _ = self._open_drop.find(arguments[0])
        self._open_drop.mark(number)
        self._say(b"+OK")

    def _rset(self, _: Sequence[bytes]) -> None:
        self._open_drop.unmark_all()
        self._say(b"+OK")

    def _noop(self, _: Sequence[bytes]) -> None:
        self._say(b"+OK")

    async def _quit(self, _: Sequence[bytes]) -> None:
        if self._drop is not None:
            self._drop.finish()
        self._say(b"+OK")
        await self._writer.drain()
        raise Closed

    # The line

    def _say(self, line: bytes) -> None:
        self._writer.write(line + b"\r\n")

    def _refuse(self, words: str) -> None:
        self._say(b"-ERR " + words.encode())

    def _lines(self, words: str, lines: Iterable[bytes]) -> None:
        self._say(b"+OK " + words.encode())
        self._writer.write(b"".join(line + b"\r\n" for line in lines) + b".\r\n")


_COMMANDS: Final = {
    "AUTH": Session._auth,  # noqa: SLF001 - the table of the class above
    "CAPA": Session._capa,  # noqa: SLF001
    "DELE": Session._dele,  # noqa: SLF001
    "LIST": Session._list,  # noqa: SLF001
    "NOOP": Session._noop,  # noqa: SLF001
    "PASS": Session._pass,  # noqa: SLF001
    "QUIT": Session._quit,  # noqa: SLF001
    "RETR": Session._retr,  # noqa: SLF001
    "RSET": Session._rset,  # noqa: SLF001
    "STAT": Session._stat,  # noqa: SLF001
    "TOP": Session._top,  # noqa: SLF001
    "UIDL": Session._uidl,  # noqa: SLF001
    "USER": Session._user,  # noqa: SLF001
}
