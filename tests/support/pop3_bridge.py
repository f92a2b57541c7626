"""One POP3 account of one store, driven poll by poll."""

import contextlib
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from daemon.model.clock import Clock, SystemClock
from daemon.model.ids import AccountId
from daemon.model.message import MessageQuery
from daemon.model.operations import Operation, OperationKind, OperationState
from daemon.model.passes import PassResult
from daemon.model.secret import Secret
from daemon.model.settings import PasswordSource, Pop3Settings, Tls
from daemon.net.deadlines import DEFAULT_TIMERS, Timers
from daemon.net.endpoint import Endpoint
from daemon.net.pop3.client import Pop3Client
from daemon.service.pop3_means import Pop3Means
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.pop3_pass import Pop3Sync
from daemon.wire.pop3.limits import DEFAULT_LIMITS, Limits

ACCOUNT = AccountId("drop")
PASSWORD = "open-sesame"


def sha(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


@dataclass
class Pop3Bridge:
    """Engine and store of one account."""

    settings: Pop3Settings
    store: Store
    tree: MaildirTree
    engine: Pop3Sync
    clock: Clock

    async def poll(self, *, timers: Timers = DEFAULT_TIMERS, limits: Limits = DEFAULT_LIMITS) -> PassResult:
        """One poll as the service does it: log in, pass, QUIT, and what it announced is shown."""
        endpoint = Endpoint(
            host=self.settings.host,
            port=self.settings.port,
            tls=self.settings.tls,
            ca_file=self.settings.ca_file,
        )
        client = await Pop3Client.connect(endpoint, clock=self.clock, timers=timers)
        client._session.connection._limits = limits  # what no real message can reach in a test
        try:
            await client.authenticate(self.settings.username, Secret(self.settings.password.literal or ""))
            result = await self.engine.run_pass(client)
        finally:
            client.abort()
        await self.engine.note_shown()
        return result

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


def settings_of(**options) -> Pop3Settings:
    """Settings of the account, in clear on this machine unless something else is said."""
    return Pop3Settings(
        id=ACCOUNT,
        host=options.pop("host", "localhost"),
        tls=options.pop("tls", Tls.NONE),
        password=PasswordSource(literal=options.pop("password", PASSWORD)),
        username=options.pop("username", "reader"),
        **options,
    )


@contextlib.asynccontextmanager
async def open_pop3(path: Path, *, clock: Clock | None = None, **options) -> AsyncIterator[Pop3Bridge]:
    async with open_pop3_as(path, settings_of(**options), clock=clock) as bridge:
        yield bridge


@contextlib.asynccontextmanager
async def open_pop3_as(
    path: Path, settings: Pop3Settings, *, clock: Clock | None = None
) -> AsyncIterator[Pop3Bridge]:
    """The engine on the store at `path`, opened as a start of the service opens it."""
    clock = clock or SystemClock()
    store = await Store.open(path, clock=clock)
    try:
        tree = MaildirTree(
            path / "mail" / settings.id,
            layout=settings.layout,
            account=settings.id,
            store_id=store.store_id,
            pools=store.pools,
            clock=clock,
        )
        engine = Pop3Sync(
            settings=settings,
            store=store,
            tree=tree,
            clock=clock,
            log=structlog.get_logger(),
            on_progress=lambda progress: None,
        )
        yield Pop3Bridge(settings=settings, store=store, tree=tree, engine=engine, clock=clock)
    finally:
        await store.close()


def means_of(store: Store, trees, clock: Clock, log, *, engine: type[Pop3Sync] = Pop3Sync) -> Pop3Means:
    """What a service needs for POP3 accounts."""

    async def connect(settings, bound, *, distrust) -> Pop3Client:
        endpoint = Endpoint(
            host=settings.host, port=settings.port, tls=settings.tls, ca_file=settings.ca_file
        )
        return await Pop3Client.connect(endpoint, clock=clock, log=bound)

    def open_engine(settings, on_progress) -> Pop3Sync:
        return engine(
            settings=settings,
            store=store,
            tree=trees[settings.id],
            clock=clock,
            log=log.bind(account=settings.id),
            on_progress=on_progress,
        )

    return Pop3Means(connect=connect, open_engine=open_engine)
