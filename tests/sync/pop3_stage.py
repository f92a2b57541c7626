"""The POP3 engine on a maildrop in memory, or on a real one: what its tests stand on."""

import contextlib
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from daemon.demo.mailbox import User
from daemon.demo.pop3.maildrop import show_truth
from daemon.demo.pop3.server import Pop3Server
from daemon.model.clock import Clock, SystemClock
from daemon.model.ids import INBOX, AccountId
from daemon.model.message import MessageQuery
from daemon.model.operations import Operation, OperationKind, OperationState
from daemon.model.passes import PassResult
from daemon.model.secret import Secret
from daemon.model.settings import PasswordSource, Pop3Settings, Tls
from daemon.net.endpoint import Endpoint
from daemon.net.pop3.client import Pop3Client
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.pop3_pass import Pop3Sync

ACCOUNT = AccountId("drop")
NOON = 1_700_000_000
PASSWORD = "open-sesame"


@dataclass
class Pop3Bridge:
    """Engine and store of one account."""

    settings: Pop3Settings
    store: Store
    tree: MaildirTree
    engine: Pop3Sync
    clock: Clock

    async def poll(self) -> PassResult:
        """One poll as the service does it: log in, pass, QUIT."""
        endpoint = Endpoint(
            host=self.settings.host,
            port=self.settings.port,
            tls=self.settings.tls,
            ca_file=self.settings.ca_file,
        )
        client = await Pop3Client.connect(endpoint, clock=self.clock)
        try:
            await client.authenticate(self.settings.username, Secret(self.settings.password.literal or ""))
            return await self.engine.run_pass(client)
        finally:
            client.abort()

    def files(self, directory: str = ".") -> dict[str, Path]:
        root = self.tree.root / directory
        return {
            path.name.partition(":")[0]: path for part in ("new", "cur") for path in (root / part).iterdir()
        }

    def digests(self, directory: str = ".") -> list[str]:
        return sorted(sha(path.read_bytes()) for path in self.files(directory).values())

    async def messages(self, mailbox: str | None = "INBOX"):
        query = MessageQuery(account=ACCOUNT, mailbox=mailbox, limit=1000)
        return list((await self.store.messages.page(query)).items)

    async def events(self, *names):
        return list(await self.store.events.since(None, types=set(names) or None))

    async def ask(self, message_id, kind=OperationKind.DELETE, add=(), remove=()) -> Operation:
        return await self.store.operations.ask(
            Operation(
                id=hashlib.md5(f"{message_id}{kind}{add}{remove}".encode()).hexdigest(),
                account=ACCOUNT,
                message_id=message_id,
                kind=kind,
                state=OperationState.PENDING,
                created_at=1.0,
                add=frozenset(add),
                remove=frozenset(remove),
                scope="local",
            )
        )


def sha(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


def letter(number: int, text: str = "hello") -> bytes:
    return (
        f"Message-ID: <{number}@drop>\r\nFrom: a@example.org\r\nSubject: letter {number}\r\n\r\n{text}\r\n"
    ).encode()


@contextlib.asynccontextmanager
async def open_pop3(path: Path, *, clock: Clock | None = None, **settings) -> AsyncIterator[Pop3Bridge]:
    clock = clock or SystemClock()
    wanted = Pop3Settings(
        id=ACCOUNT,
        host=settings.pop("host", "localhost"),
        tls=settings.pop("tls", Tls.NONE),
        password=PasswordSource(literal=settings.pop("password", PASSWORD)),
        username=settings.pop("username", "reader"),
        **settings,
    )
    store = await Store.open(path, clock=clock)
    try:
        tree = MaildirTree(
            path / "mail" / wanted.id,
            layout=wanted.layout,
            account=wanted.id,
            store_id=store.store_id,
            pools=store.pools,
            clock=clock,
        )
        engine = Pop3Sync(
            settings=wanted,
            store=store,
            tree=tree,
            clock=clock,
            log=structlog.get_logger(),
            on_progress=lambda progress: None,
        )
        yield Pop3Bridge(settings=wanted, store=store, tree=tree, engine=engine, clock=clock)
    finally:
        await store.close()


@dataclass
class Drop:
    """A user's maildrop, with the power to say something else than the truth."""

    user: User
    server: Pop3Server
    path: Path
    commands: list[bytes] = field(default_factory=list)

    def deliver(self, *letters: bytes) -> list[int]:
        return [self.user.inbox.deliver(octets, internal_date=NOON + at) for at, octets in enumerate(letters)]

    def there(self) -> list[str]:
        return sorted(sha(message.octets) for message in self.user.inbox.messages.values())

    def said(self, word: bytes) -> int:
        return sum(command.upper().startswith(word) for command in self.commands)

    def rename_ids(self, rename) -> None:
        """Have every listing say `rename(parcel)` as the unique id."""
        self.server.show = lambda user: [replace(one, uidl=rename(one)) for one in show_truth(user)]

    def answer(self, instead) -> None:
        """`instead(line)` may answer a command: bytes, b"" to end the line, None to leave it be."""

        def intervene(line: bytes) -> bytes | None:
            self.commands.append(line)
            return instead(line)

        self.server.intervene = intervene

    @contextlib.asynccontextmanager
    async def bridge(self, **options) -> AsyncIterator[Pop3Bridge]:
        async with open_pop3(self.path / "store", port=self.server.port, **options) as bridge:
            yield bridge


@contextlib.asynccontextmanager
async def open_drop(path: Path, *, without=()) -> AsyncIterator[Drop]:
    user = User("reader", PASSWORD)
    async with Pop3Server([user], without=without) as server:
        drop = Drop(user, server, path)
        drop.answer(lambda line: None)
        yield drop


__all__ = ["ACCOUNT", "INBOX", "NOON", "Drop", "Pop3Bridge", "letter", "open_drop", "open_pop3", "sha"]
