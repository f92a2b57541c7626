"""A real service on a real store, served on a free loopback port and on its control socket.

Two IMAP accounts: `work`, whose server is away, so that what is asked of it stays pending until a test finishes it;
and `shut`, whose password cannot be read, so that it is not healthy.
"""

import asyncio
import json as stdlib_json
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import structlog

from api.server import Server, start_server
from daemon.model.clock import SystemClock
from daemon.model.errors import CredentialUnavailable
from daemon.model.events import EventName, NewEvent
from daemon.model.flags import NO_FLAGS, SEEN
from daemon.model.ids import AccountId, MailboxName, MessageId, OperationId, Uid, UidValidity, new_message_id
from daemon.model.mailbox import MailboxRecord, SpecialUse
from daemon.model.operations import OperationState
from daemon.model.secret import Secret
from daemon.model.settings import ApiSettings, ImapSettings, PasswordSource, Settings, StoreSettings, Tls
from daemon.net.endpoint import Endpoint
from daemon.net.imap.client import ImapClient
from daemon.service.control.access import TOKEN_FILE_NAME, open_access
from daemon.service.control.facade import Control
from daemon.service.service import Parts, Service
from daemon.store.base import Arrival
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.imap_pass import ImapSync
from tests.support.pop3_bridge import means_of

WORK = AccountId("work")
SHUT = AccountId("shut")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests over the module's one service run in the loop that it lives in."""
    for item in items:
        if "still" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)


@dataclass
class World:
    """The service under the API, and ways to make things happen in it."""

    store: Store
    service: Service
    tree: MaildirTree
    _uids: int = 0
    _files: dict[MessageId, Path] = field(default_factory=dict)

    @property
    def control(self) -> Control:
        return self.service.control

    @property
    def store_path(self) -> Path:
        return self.store.path

    @property
    def store_id(self) -> str:
        return self.store.store_id

    @property
    def token(self) -> str:
        return (self.store.path / TOKEN_FILE_NAME).read_text().strip()

    async def deliver(
        self,
        octets: bytes = b"Subject: hello\r\n\r\nbody\r\n",
        *,
        mailbox: str = "INBOX",
        seen: bool = False,
        at: int = 1_700_000_000,
    ) -> MessageId:
        """A message as a pass leaves it: file in place, then its rows."""
        name = MailboxName(mailbox)
        directory = self.tree.directory_of(name)
        if await self.store.mailboxes.get(WORK, name) is None:
            record = MailboxRecord(
                account=WORK,
                name=name,
                wire_name=name.encode(),
                delimiter="/",
                directory=directory,
                special_use=SpecialUse.SENT if mailbox == "Sent" else None,
                uid_validity=UidValidity(7),
                is_first_pass_done=True,
            )
            await self.store.mailboxes.save(record)
            await self.tree.ensure(directory)
        flags = frozenset({SEEN}) if seen else NO_FLAGS
        async with self.tree.open_batch(directory) as batch:
            staged = await batch.write(octets, internal_date=at)
            file_name = self.tree.new_name(size=len(octets), wire_size=staged.content.wire_size)
            entries = await self.tree.publish(directory, [staged], [file_name], [flags])
        self._uids += 1
        message_id = new_message_id()
        arrival = Arrival(
            message_id=message_id,
            uid=Uid(self._uids),
            maildir_name=file_name,
            flags=flags,
            content=staged.content,
            internal_date=at,
        )
        await self.store.base.confirm(WORK, name, UidValidity(7), [arrival])
        self._files[message_id] = self.tree.root / directory / entries[0].path
        return message_id

    def file_of(self, message_id: MessageId) -> Path:
        return self._files[message_id]

    async def announce(self, name: str) -> None:
        await self.store.events.append(NewEvent(name=EventName(name), account=WORK))

    async def finish(self, operation_id: str, state: str, reason: str | None = None) -> None:
        """End an operation as the engine does."""
        await self.store.operations.finish(OperationId(operation_id), OperationState(state), reason)

    async def finish_next(self, state: str, reason: str | None = None) -> None:
        """End the one operation that is asked for, now or soon."""
        await until(lambda: self.store.operations.pending(WORK))
        (operation,) = await self.store.operations.pending(WORK)
        await self.finish(operation.id, state, reason)

    async def until_state(self, account: str, state: str) -> None:
        async def has_come() -> bool:
            return self.control.account_status(account).state == state

        await until(has_come)


async def until(condition: Any, seconds: float = 5.0) -> None:
    """Return once `await condition()` is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "it did not come true"
        await asyncio.sleep(0.01)


def _account(account: AccountId) -> ImapSettings:
    return ImapSettings(
        id=account,
        host="127.0.0.1",
        port=1,
        tls=Tls.NONE,
        username="me",
        password=PasswordSource(literal="secret"),
    )


async def _read_password(settings: Any) -> Secret:
    if settings.id == SHUT:
        raise CredentialUnavailable("the password's file is not there")
    return Secret("secret")


@asynccontextmanager
async def open_world(path: Path) -> AsyncIterator[World]:
    clock = SystemClock()
    store = await Store.open(path, clock=clock)
    accounts = (_account(WORK), _account(SHUT))
    trees = {
        settings.id: MaildirTree(
            path / "mail" / settings.id,
            layout=settings.layout,
            account=settings.id,
            store_id=store.store_id,
            pools=store.pools,
        )
        for settings in accounts
    }
    await trees[WORK].claim(generation=store.generation)
    log = structlog.wrap_logger(structlog.ReturnLogger(), wrapper_class=structlog.BoundLogger)

    async def connect(settings: Any, bound: Any, *, distrust: Any) -> ImapClient:
        endpoint = Endpoint(host=settings.host, port=settings.port, tls=settings.tls)
        return await ImapClient.connect(endpoint, clock=clock, log=bound, distrust=distrust)

    def open_engine(settings: ImapSettings, on_progress: Any) -> ImapSync:
        return ImapSync(
            settings=settings,
            store=store,
            tree=trees[settings.id],
            clock=clock,
            log=log,
            on_progress=on_progress,
        )

    service = Service(
        Parts(
            settings=Settings(store=StoreSettings(path=path), accounts=accounts),
            store=store,
            trees=trees,
            connect=connect,
            open_engine=open_engine,
            pop3=means_of(store, trees, clock, log),
            read_password=_read_password,
            access=open_access(path, None),
            clock=clock,
            version="1.2.3",
            log=log,
        )
    )
    await service.start()
    try:
        yield World(store, service, trees[WORK])
    finally:
        await service.stop()
        await store.close()


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return stdlib_json.loads(self.body)


@dataclass
class Served:
    """The server and ways to ask it: as a good client, and byte for byte."""

    server: Server
    token: str
    port: int
    store_path: Path

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def call(
        self,
        method: str,
        target: str,
        *,
        json: object = None,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
        with_token: bool = True,
        socket: Path | None = None,
    ) -> Reply:
        sent = dict(headers or {})
        if with_token:
            sent["Authorization"] = f"Bearer {self.token}"
        if json is not None:
            data = stdlib_json.dumps(json).encode()
            sent.setdefault("Content-Type", "application/json")
        connector = aiohttp.UnixConnector(str(socket)) if socket else aiohttp.TCPConnector()
        async with (
            aiohttp.ClientSession(connector=connector, skip_auto_headers={"Content-Type"}) as session,
            session.request(method, f"http://{self.host}{target}", data=data, headers=sent) as response,
        ):
            found = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status, found, await response.read())

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def exchange(self, data: bytes, *, seconds: float = 5.0) -> bytes:
        """What comes back until the server closes, or until nothing more comes for `seconds`."""
        reader, writer = await self.connect()
        try:
            writer.write(data)
            return await read_all(reader, seconds)
        finally:
            writer.close()

    def head(self, request_line: str, *fields: str, host: str | None = None) -> bytes:
        """A request with the right Host and token, the given fields and `Connection: close`."""
        lines = [
            request_line,
            f"Host: {host or self.host}",
            f"Authorization: Bearer {self.token}",
            "Connection: close",
            *fields,
        ]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


async def read_all(reader: asyncio.StreamReader, seconds: float) -> bytes:
    got = bytearray()
    try:
        while True:
            async with asyncio.timeout(seconds):
                chunk = await reader.read(65536)
            if not chunk:
                return bytes(got)
            got += chunk
    except (TimeoutError, ConnectionResetError):
        return bytes(got)


@asynccontextmanager
async def serve(world: World) -> AsyncIterator[Served]:
    server = await start_server(
        world.control,
        settings=ApiSettings(listen=("127.0.0.1:0",)),
        store_path=world.store_path,
        store_id=world.store_id,
        clock=SystemClock(),
        env={},
    )
    port = int(server.urls[0].rpartition(":")[2])
    try:
        yield Served(server, world.token, port, world.store_path)
    finally:
        await server.stop()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
async def served(world: World) -> AsyncIterator[Served]:
    async with serve(world) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def still_world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One service for a whole module whose tests leave it as it is: opening a store takes longer than they do."""
    async with open_world(tmp_path_factory.mktemp("still") / "store") as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def still(still_world: World) -> AsyncIterator[Served]:
    """A fresh server over the module's one service, which its tests ask for instead of `served`."""
    async with serve(still_world) as opened:
        yield opened


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A runtime directory whose path is short, as in life; pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="run-") as name:
        yield Path(name)
