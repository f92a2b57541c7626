"""One client's connection: commands with their literals in, lines out, and what the session has agreed on.

Limits: a line of 64 KiB, a literal of 64 MiB (4 KiB before login), 30 minutes without a command (RFC 3501 §5.4).
What a command does stands in `anytime`, `account` and `selected`.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Final

from daemon.demo.imap.arguments import BadCommand
from daemon.demo.imap.view import View
from daemon.demo.mailbox import Mailbox, User
from daemon.wire.imap.names import decode_wire_name, encode_wire_name

LINE_BYTES: Final = 64 * 1024
LITERAL_BYTES: Final = 64 * 1024 * 1024
EARLY_LITERAL_BYTES: Final = 4 * 1024
IDLE_SECONDS: Final = 30 * 60.0
_FLUSH_BYTES: Final = 256 * 1024
_LITERAL: Final = re.compile(rb"\{(\d{1,12})(\+?)\}\r?\n\Z")

EXTENSIONS: Final = frozenset(
    {
        "CONDSTORE", "ENABLE", "ESEARCH", "ID", "IDLE", "LIST-EXTENDED", "LIST-STATUS", "LITERAL+", "MOVE",
        "NAMESPACE", "OBJECTID", "QRESYNC", "SASL-IR", "SPECIAL-USE", "UIDPLUS", "UNSELECT",
    }
)  # fmt: skip


class Refused(Exception):
    """The command cannot be carried out: the answer is NO with this text, which may begin with a response code."""


class Closed(Exception):
    """The connection is over; `args[0]`, where it is not empty, is said in a BYE."""


class Session:
    """State and line of one client."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        users: Sequence[User],
        extensions: frozenset[str],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._users = users
        self.extensions = extensions
        self.tag = b"*"
        self.user: User | None = None
        self.view: View | None = None
        self.enabled: set[str] = set()
        self.changed = asyncio.Event()
        self._unwatch = _nothing

    def has(self, extension: str) -> bool:
        return extension in self.extensions

    @property
    def has_mod_seqs(self) -> bool:
        """Whether this client has shown that it knows CONDSTORE (RFC 7162 §3.1)."""
        return bool(self.enabled)

    @property
    def capabilities(self) -> str:
        return " ".join(["IMAP4rev1", "AUTH=PLAIN", *sorted(self.extensions)])

    @property
    def known_user(self) -> User:
        if self.user is None:
            raise BadCommand("log in first")
        return self.user

    @property
    def selected(self) -> View:
        if self.view is None:
            raise BadCommand("select a mailbox first")
        return self.view

    def log_in(self, name: bytes, password: bytes) -> None:
        """Take the user with this name; Refused where name or password is wrong."""
        for user in self._users:
            if (user.name.encode(), user.password.encode()) == (name, password):
                self.user = user
                return
        raise Refused("[AUTHENTICATIONFAILED] Wrong name or password")

    def select(self, mailbox: Mailbox, *, is_read_only: bool) -> View:
        """Take this mailbox instead of the one before."""
        self.unselect()
        self.view = View(mailbox, is_read_only=is_read_only)
        self._unwatch = mailbox.watch(self.changed.set)
        return self.view

    def unselect(self) -> None:
        self._unwatch()
        self._unwatch, self.view = _nothing, None

    def send(self, lines: bytes) -> None:
        self._writer.write(lines)

    async def flush(self) -> None:
        """Wait while much is unsent: a client that does not read is not run after."""
        if self._writer.transport.get_write_buffer_size() > _FLUSH_BYTES:
            await self._writer.drain()

    async def tell_news(self, *, may_expunge: bool = True, with_uid: bool = False) -> None:
        """Bring the client up to date about the selected mailbox."""
        self.changed.clear()
        if self.view is None:
            return
        if self.view.is_void:
            raise Closed("The mailbox is not what it was")
        is_quick = "QRESYNC" in self.enabled
        for line in self.view.news(
            may_expunge=may_expunge,
            with_uid=with_uid or is_quick,
            with_mod_seq=self.has_mod_seqs,
            as_vanished=is_quick,
        ):
            self.send(line)
            await self.flush()

    async def read_line(self) -> bytes:
        """One line with its end; Closed when the client is gone, silent for too long, or has no end of line."""
        await self._writer.drain()
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                return await self._reader.readuntil(b"\n")
        except TimeoutError as exc:
            raise Closed("Silent for too long") from exc
        except asyncio.LimitOverrunError as exc:
            raise Closed("Line too long") from exc
        except (asyncio.IncompleteReadError, OSError) as exc:
            raise Closed("") from exc

    async def read_command(self) -> bytes:
        """One whole command, literals inline, without its last end of line. All of it is bounded, not each part."""
        octets = bytearray(await self.read_line())
        while found := _LITERAL.search(octets, max(0, len(octets) - 32)):
            size, is_unasked = int(found[1]), bool(found[2])
            if is_unasked and not self.has("LITERAL+"):
                raise Closed("LITERAL+ is not offered")
            if len(octets) + size > (LITERAL_BYTES if self.user else EARLY_LITERAL_BYTES):
                if is_unasked:
                    raise Closed("[TOOBIG] The literal is too large")
                self.send(bytes(octets.split(b" ", 1)[0]) + b" NO [TOOBIG] The literal is too large\r\n")
                octets = bytearray(await self.read_line())
                continue
            if not is_unasked:
                self.send(b"+ Go ahead\r\n")
                await self._writer.drain()
            octets += await self._read_octets(size)
            octets += await self.read_line()
        return bytes(octets).removesuffix(b"\n").removesuffix(b"\r")

    async def _read_octets(self, size: int) -> bytes:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                return await self._reader.readexactly(size)
        except TimeoutError as exc:
            raise Closed("Silent for too long") from exc
        except (asyncio.IncompleteReadError, OSError) as exc:
            raise Closed("") from exc

    def mailbox(self, wire_name: bytes, *, try_create: bool = False) -> Mailbox:
        """The user's mailbox of that name; Refused where there is none."""
        found = self.known_user.find(decode_wire_name(wire_name))
        if found is None:
            raise Refused("[TRYCREATE] No such mailbox" if try_create else "[NONEXISTENT] No such mailbox")
        return found


def wire_string(name: str) -> bytes:
    """A mailbox name as a quoted string in modified UTF-7."""
    octets = encode_wire_name(name)
    return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _nothing() -> None:
    """No mailbox is watched."""
