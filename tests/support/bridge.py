"""One account of one store against one user of a real server, driven pass by pass."""

import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from daemon.model.clock import Clock, SystemClock
from daemon.model.ids import AccountId, MailboxName
from daemon.model.passes import PassResult
from daemon.model.secret import Secret
from daemon.model.settings import ImapSettings, PasswordSource, Tls
from daemon.net.endpoint import Endpoint
from daemon.net.imap.client import ImapClient
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.imap_pass import ImapSync

ACCOUNT = AccountId("work")
MOST_PASSES = 8


@dataclass
class Bridge:
    """What a test holds: the engine and everything it stands on."""

    store: Store
    tree: MaildirTree
    engine: ImapSync
    settings: ImapSettings
    password: str
    clock: Clock
    client: ImapClient | None = None

    async def connect(self) -> ImapClient:
        if self.client is None:
            endpoint = Endpoint(
                host=self.settings.host,
                port=self.settings.port,
                tls=self.settings.tls,
                ca_file=self.settings.ca_file,
            )
            self.client = await ImapClient.connect(endpoint, clock=self.clock)
            await self.client.authenticate(self.settings.username, Secret(self.password))
        return self.client

    async def disconnect(self) -> None:
        if self.client is not None:
            await self.client.logout()
            self.client = None

    async def run_pass(self, **options) -> PassResult:
        return await self.engine.run_pass(await self.connect(), **options)

    async def sync(self) -> PassResult:
        """Passes until one is quiet; what they did together."""
        total = PassResult()
        for _ in range(MOST_PASSES):
            result = await self.run_pass()
            total = total.plus(result)
            if result.is_quiet:
                return total
        raise AssertionError(f"not quiet after {MOST_PASSES} passes: {total}")

    async def files(self, mailbox: str = "INBOX") -> dict[str, Path]:
        """Message files of a mailbox by unique name."""
        record = await self.store.mailboxes.get(ACCOUNT, MailboxName(mailbox))
        assert record is not None, f"no record of {mailbox}"
        directory = self.tree.root / record.directory
        return {
            path.name.partition(":")[0]: path
            for part in ("new", "cur")
            for path in (directory / part).iterdir()
        }

    async def digests(self, mailbox: str = "INBOX") -> list[str]:
        """SHA-256 of every file's octets, sorted: duplicates show."""
        return sorted(
            hashlib.sha256(path.read_bytes()).hexdigest() for path in (await self.files(mailbox)).values()
        )


def settings_for(mailbag, *, port: int | None = None, **options) -> ImapSettings:
    return ImapSettings(
        id=ACCOUNT,
        host="localhost",
        port=port or mailbag.server.imaps_port,
        tls=options.pop("tls", Tls.IMPLICIT),
        ca_file=options.pop("ca_file", mailbag.server.ca_file),
        username=mailbag.user,
        password=PasswordSource(literal=mailbag.password),
        **options,
    )


@contextlib.asynccontextmanager
async def open_bridge(
    path: Path,
    mailbag,
    *,
    settings: ImapSettings | None = None,
    clock: Clock | None = None,
    on_progress: Callable | None = None,
    **options,
) -> AsyncIterator[Bridge]:
    """The engine on the store at `path`, opened as a start of the service opens it."""
    clock = clock or SystemClock()
    settings = settings or settings_for(mailbag, **options)
    store = await Store.open(path, clock=clock)
    try:
        root = settings.maildir or path / "mail" / settings.id
        tree = MaildirTree(
            root,
            layout=settings.layout,
            account=settings.id,
            store_id=store.store_id,
            pools=store.pools,
            clock=clock,
        )
        more = {"on_progress": on_progress} if on_progress else {}
        engine = ImapSync(
            settings=settings, store=store, tree=tree, clock=clock, log=structlog.get_logger(), **more
        )
        bridge = Bridge(
            store=store, tree=tree, engine=engine, settings=settings, password=mailbag.password, clock=clock
        )
        try:
            yield bridge
        finally:
            if bridge.client is not None:
                bridge.client.abort()
    finally:
        await store.close()
