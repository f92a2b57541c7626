"""The engine on a server in memory, over a line that can be meddled with: what the tests of single modules stand on."""

import contextlib
import hashlib
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from daemon.demo.imap.server import ImapServer
from daemon.demo.mailbox import User
from daemon.model.clock import SystemClock
from daemon.model.errors import ConnectionLost
from daemon.model.events import EventName
from daemon.model.ids import MailboxName, new_operation_id
from daemon.model.mailbox import SpecialUse
from daemon.model.message import MessageQuery
from daemon.model.operations import Operation, OperationKind, OperationState
from daemon.model.settings import Tls
from daemon.store.maildir import scan
from tests.support.bridge import ACCOUNT, Bridge, open_bridge, settings_for
from tests.sync.meddler import Meddler

INBOX = MailboxName("INBOX")
NOON = 1_700_000_000
PASSWORD = "open-sesame"


def letter(number: int, text: str = "hello") -> bytes:
    return (
        f"Message-ID: <{number}@stage>\r\nFrom: a@example.org\r\nSubject: letter {number}\r\n\r\n{text}\r\n"
    ).encode()


def sha(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


class LeapingClock(SystemClock):
    """The wall clock, and a leap ahead where a test wants one."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


@dataclass
class Stage:
    """One user, one server, one line."""

    user: User
    line: Meddler
    path: Path
    mailbag: SimpleNamespace

    @contextlib.asynccontextmanager
    async def bridge(self, *, clock=None, **options) -> AsyncIterator[Bridge]:
        settings = settings_for(self.mailbag, port=self.line.port, tls=Tls.NONE, ca_file=None, **options)
        async with open_bridge(self.path / "store", self.mailbag, settings=settings, clock=clock) as bridge:
            yield bridge

    def box(self, mailbox: str = "INBOX"):
        found = self.user.find(mailbox)
        assert found is not None
        return found

    def deliver(self, *letters: bytes, mailbox: str = "INBOX", flags=()) -> list[int]:
        box = self.user.find(mailbox) or self.user.create(mailbox)
        return [
            box.deliver(octets, internal_date=NOON + at, flags=frozenset(flags))
            for at, octets in enumerate(letters)
        ]

    def move(self, uid: int, source: str, target: str, *, flags=None) -> int:
        """What another client does: the same octets, date and flags in another mailbox; the UID there."""
        message = self.box(source).messages[uid]
        box = self.user.find(target) or self.user.create(target)
        there = box.deliver(
            message.octets,
            internal_date=message.internal_date,
            flags=message.flags if flags is None else frozenset(flags),
        )
        self.box(source).expunge([uid])
        return there

    def trash(self) -> None:
        self.user.create("Trash", special_use=SpecialUse.TRASH)

    def there(self, mailbox: str = "INBOX") -> list[str]:
        return sorted(sha(message.octets) for message in self.box(mailbox).messages.values())

    def flags_there(self, mailbox: str = "INBOX") -> dict[int, frozenset[str]]:
        return {uid: message.flags for uid, message in self.box(mailbox).messages.items()}


@contextlib.asynccontextmanager
async def open_stage(path: Path, *, without=()) -> AsyncIterator[Stage]:
    user = User("reader", PASSWORD)
    async with ImapServer([user], without=without) as server, Meddler(server.port) as line:
        mailbag = SimpleNamespace(
            server=SimpleNamespace(imaps_port=line.port, ca_file=None), user="reader", password=PASSWORD
        )
        yield Stage(user=user, line=line, path=path, mailbag=mailbag)


async def sync_through(bridge: Bridge, *, tries: int = 5):
    """Passes to quiescence, with a new line whenever the old one is lost; as the service does it."""
    for _ in range(tries):
        try:
            return await bridge.sync()
        except ConnectionLost:
            bridge.client = None
    raise AssertionError("the line is lost every time")


def put(
    bridge: Bridge, name: str, octets: bytes, *, directory: str = ".", letters: str | None = None
) -> Path:
    """A file as another program would leave it; `letters` None puts it into new/."""
    root = bridge.tree.root / directory
    path = root / "new" / name if letters is None else root / "cur" / f"{name}:2,{letters}"
    path.write_bytes(octets)
    os.utime(path, (NOON, NOON))
    return path


class _Meanwhile:
    """The time module, but for waits, at whose end the directory has changed once more."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __getattr__(self, name: str):
        return getattr(time, name)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
        (self._directory / ".busy").touch()
        (self._directory / ".busy").unlink()


@contextlib.contextmanager
def restless(directory: Path):
    """Another program changes the directory during each listing of it, so that none proves anything missing."""
    scan.time = _Meanwhile(directory)
    try:
        yield
    finally:
        scan.time = time


async def messages(bridge: Bridge, mailbox: str | None = None):
    query = MessageQuery(account=ACCOUNT, mailbox=MailboxName(mailbox) if mailbox else None, limit=1000)
    return list((await bridge.store.messages.page(query)).items)


async def entries(bridge: Bridge, mailbox: str = "INBOX"):
    return (await bridge.store.base.load(ACCOUNT, MailboxName(mailbox))).entries


async def events(bridge: Bridge, *names: EventName):
    return list(await bridge.store.events.since(None, types=set(names) or None))


async def ask(bridge: Bridge, message_id, kind=OperationKind.DELETE, add=(), remove=()) -> Operation:
    return await bridge.store.operations.ask(
        Operation(
            id=new_operation_id(),
            account=ACCOUNT,
            message_id=message_id,
            kind=kind,
            state=OperationState.PENDING,
            created_at=1.0,
            add=frozenset(add),
            remove=frozenset(remove),
        )
    )


async def agree(bridge: Bridge, stage: Stage, *mailboxes: str) -> None:
    """Both sides have the same messages with the same flags, base says so, and a further pass finds nothing."""
    for mailbox in mailboxes or ("INBOX",):
        assert await bridge.digests(mailbox) == stage.there(mailbox)
        flags = stage.flags_there(mailbox)
        base = {
            entry.uid: entry.flags
            for entry in await entries(bridge, mailbox)
            if entry.maildir_name is not None
        }
        assert base == flags
    sent = len(stage.line.commands)
    again = await bridge.run_pass()
    assert again.is_quiet
    written = [
        command
        for command in stage.line.commands[sent:]
        if any(word in command for word in (b"UID STORE", b"APPEND", b"UID MOVE", b"UID COPY", b"EXPUNGE"))
    ]
    assert not written, "a quiet pass writes nothing"
