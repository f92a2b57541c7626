"""What the service's tests share: a clock set by hand, a scripted IMAP server, a real Dovecot, and a service on them.

The scripted server has one empty INBOX and says what a test tells it to say; what it does not script is answered OK.
Everything on our side of the line is the real thing.
"""

import asyncio
import contextlib
import imaplib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture

from daemon.model.clock import SystemClock
from daemon.model.errors import CredentialUnavailable
from daemon.model.events import EventName
from daemon.model.ids import AccountId
from daemon.model.secret import Secret
from daemon.model.settings import ImapSettings, PasswordSource, Pop3Settings, Settings, StoreSettings, Tls
from daemon.model.states import AccountState
from tests.support import dovecot as support
from tests.support.dovecot import temporary_home
from tests.support.pop3_bridge import means_of

WORK = AccountId("work")


class FakeClock:
    """Both times move only by hand: `advance` moves both, `sleep_machine` the wall alone, as a suspend does."""

    def __init__(self) -> None:
        self.wall = 1_700_000_000.0
        self.steady = 1000.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def sleep_machine(self, seconds: float) -> None:
        self.wall += seconds


class JumpingClock(SystemClock):
    """The machine's clocks, but the wall can be made to jump as after a suspend."""

    def __init__(self) -> None:
        self.jump = 0.0

    def now(self) -> float:
        return super().now() + self.jump


@pytest.fixture
def fake_clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def jumping_clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., Awaitable[None]]:
    """`await until(condition)`: return once it is true."""
    return until


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Return once `condition()` is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not come true")
        await asyncio.sleep(0.005)


# -- a scripted server -----------------------------------------------------------------------------------------------


@dataclass
class ScriptedImap:
    """An IMAP server of one user and one empty INBOX, on loopback.

    `on` maps a command's name to a function of (tag, arguments) that gives the octets to answer with; None in its
    place closes the line. `say` sends untagged data to every client that is there.
    """

    port: int = 0
    greeting: bytes = b"* OK ready\r\n"
    capabilities: str = "IMAP4rev1 IDLE"
    password: str = "secret"
    on: dict[str, Callable[[str, str], bytes | None]] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    login_times: list[float] = field(default_factory=list)
    connections: int = 0
    most_at_once: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task] = field(default_factory=set)
    _server: asyncio.Server | None = None

    @property
    def logins(self) -> int:
        return len(self.login_times)

    def say(self, line: bytes) -> None:
        for writer in self._writers:
            writer.write(line)

    def drop_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._tasks.add(asyncio.current_task())
        self._writers.add(writer)
        self.most_at_once = max(self.most_at_once, len(self._writers))
        try:
            writer.write(self.greeting)
            while line := await reader.readline():
                tag, _, rest = line.decode().rstrip("\r\n").partition(" ")
                name, _, arguments = rest.partition(" ")
                name = name.upper()
                if name == "UID":
                    name, _, arguments = arguments.partition(" ")
                    name = f"UID {name.upper()}"
                self.commands.append(name)
                answer = await self._answer(tag, name, arguments, reader, writer)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            self._writers.discard(writer)
            with contextlib.suppress(Exception):
                writer.close()

    async def _answer(self, tag, name, arguments, reader, writer) -> bytes | None:
        if name in {"LOGIN", "AUTHENTICATE"}:
            self.login_times.append(time.monotonic())
        if name in self.on:
            return self.on[name](tag, arguments)
        ok = f"{tag} OK done\r\n".encode()
        match name:
            case "CAPABILITY":
                return f"* CAPABILITY {self.capabilities}\r\n".encode() + ok
            case "LOGIN":
                if self.password in arguments:
                    return ok
                return f"{tag} NO [AUTHENTICATIONFAILED] wrong password\r\n".encode()
            case "LIST":
                return b'* LIST () "/" INBOX\r\n' + ok
            case "STATUS":
                return b"* STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 7)\r\n" + ok
            case "SELECT":
                return (
                    b"* 0 EXISTS\r\n* FLAGS (\\Seen)\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 1] x\r\n"
                    + f"{tag} OK [READ-WRITE] done\r\n".encode()
                )
            case "IDLE":
                writer.write(b"+ idling\r\n")
                await reader.readline()
                return ok
            case "LOGOUT":
                writer.write(b"* BYE bye\r\n" + ok)
                return None
            case _:
                return ok


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedImap]:
    server = ScriptedImap()
    await server.start()
    yield server
    await server.stop()


# -- a real server ---------------------------------------------------------------------------------------------------


@dataclass
class Dovecot:
    """A Dovecot for the user of one test, with password `secret`."""

    port: int
    user: str

    def open(self) -> imaplib.IMAP4:
        client = imaplib.IMAP4("127.0.0.1", self.port)
        client.login(self.user, "secret")
        return client

    def append(self, text: bytes, mailbox: str = "INBOX") -> None:
        client = self.open()
        try:
            status, answer = client.append(mailbox, "", None, text)
            assert status == "OK", answer
        finally:
            client.logout()

    def flags_of(self, uid: int, mailbox: str = "INBOX") -> str | None:
        """What the server has of this message's flags; None where there is no such message."""
        client = self.open()
        try:
            client.select(mailbox, readonly=True)
            # A change that is told while we ask comes as a line of its own: the last one is how it stands.
            found = client.uid("FETCH", str(uid), "(FLAGS)")[1][-1]
            return None if found is None else found.decode()
        finally:
            client.logout()


@pytest.fixture(scope="session")
def dovecot_port() -> Iterator[int]:
    """The plain port of a Dovecot that knows everybody whose password is `secret`."""
    with temporary_home() as home:
        server = support.Dovecot(home, auto="no", password="secret")
        server.start()
        yield server.imap_port
        server.stop()


@pytest.fixture
def dovecot(dovecot_port: int) -> Dovecot:
    return Dovecot(dovecot_port, f"u{uuid.uuid4().hex}")


# -- our side ----------------------------------------------------------------------------------------------------------


@dataclass
class House:
    """A whole service on an open store, with the connections it makes and the log it writes."""

    service: object
    store: object
    log: LogCapture
    secrets: dict[AccountId, str]
    connects: int = 0
    passes: list[frozenset[str] | None] = field(default_factory=list)
    """For each pass begun the mailboxes it was to look at; None is all of them."""

    @property
    def control(self):
        return self.service.control

    def state(self, account: AccountId = WORK) -> AccountState:
        return self.control.account_status(account).state

    async def reaches(self, *states: AccountState, account: AccountId = WORK, seconds: float = 10.0) -> None:
        try:
            await until(lambda: self.state(account) in states, seconds)
        except AssertionError:
            raise AssertionError(f"{self.control.account_status(account)}\n{self.log.entries}") from None

    async def states_told(self) -> list[tuple[str, str | None]]:
        """The journal's states of accounts with their reasons, in order."""
        events = await self.store.events.since(None, limit=1000, types=[EventName.ACCOUNT_STATE])
        return [(event.data["state"], event.data["reason"]) for event in events]


def _imap_account(port: int, account: str = "work", **changes) -> ImapSettings:
    settings = {
        "id": AccountId(account),
        "host": "127.0.0.1",
        "port": port,
        "tls": Tls.NONE,
        "username": "me",
        "password": PasswordSource(literal="secret"),
    }
    return ImapSettings(**{**settings, **changes})


@pytest.fixture
def imap_account() -> Callable[..., ImapSettings]:
    """`imap_account(port, "name", …)`: settings of an account on loopback, by default `work`."""
    return _imap_account


@pytest.fixture
def pop3_account() -> Pop3Settings:
    return Pop3Settings(
        id=AccountId("old"),
        host="127.0.0.1",
        port=1,
        tls=Tls.NONE,
        username="me",
        password=PasswordSource(literal="x"),
    )


OpenHouse = Callable[..., Awaitable[House]]


@pytest.fixture
def quick_pace():
    """Waits of a test's length; what a test is about it sets itself."""
    from daemon.service.pace import Pace

    return Pace(
        retry_first_seconds=0.05,
        retry_cap_seconds=0.2,
        login_burst=100,
        tick_seconds=0.05,
        restart_first_seconds=0.05,
        restart_cap_seconds=0.2,
    )


@pytest.fixture
async def open_house(tmp_path: Path, quick_pace) -> AsyncIterator[OpenHouse]:
    """Start a service: `await open_house(imap_account(port), pace=…)`; it is stopped with the test.

    A second call in one test is the next start of the service on the same store, after the first was stopped.
    """
    from daemon.net.endpoint import Endpoint
    from daemon.net.imap.client import ImapClient
    from daemon.service.control.access import open_access
    from daemon.service.service import Parts, Service
    from daemon.store.maildir.tree import MaildirTree
    from daemon.store.store import Store
    from daemon.sync.imap_pass import ImapSync

    opened: list[House] = []

    async def close(house: House) -> None:
        await house.service.stop()
        await house.store.close()

    async def start(
        *accounts, pace=quick_pace, clock=None, random=lambda: 0.5, connect=None, compress="off"
    ) -> House:
        while opened:
            await close(opened.pop())
        clock = clock or SystemClock()
        path = tmp_path / "store"
        store = await Store.open(path, clock=clock)
        log = LogCapture()
        logger = structlog.wrap_logger(None, processors=[log], wrapper_class=structlog.BoundLogger)
        secrets = {settings.id: "secret" for settings in accounts}
        trees = {
            settings.id: MaildirTree(
                settings.maildir or path / "mail" / settings.id,
                layout=settings.layout,
                account=settings.id,
                store_id=store.store_id,
                pools=store.pools,
            )
            for settings in accounts
        }

        async def dial(settings, bound, *, distrust) -> ImapClient:
            house.connects += 1
            endpoint = Endpoint(
                host=settings.host, port=settings.port, tls=settings.tls, ca_file=settings.ca_file
            )
            return await ImapClient.connect(
                endpoint, clock=clock, log=bound, compress=compress, distrust=distrust
            )

        class CountedSync(ImapSync):
            async def run_pass(self, client, *, only=None, **more):
                house.passes.append(None if only is None else frozenset(only))
                return await super().run_pass(client, only=only, **more)

        def open_engine(settings, on_progress) -> ImapSync:
            return CountedSync(
                settings=settings,
                store=store,
                tree=trees[settings.id],
                clock=clock,
                log=logger.bind(account=settings.id),
                on_progress=on_progress,
            )

        async def read_password(settings) -> Secret:
            if not house.secrets[settings.id]:
                raise CredentialUnavailable("there is nothing to read")
            return Secret(house.secrets[settings.id])

        service = Service(
            Parts(
                settings=Settings(store=StoreSettings(path=path), accounts=accounts),
                store=store,
                trees=trees,
                connect=connect or dial,
                open_engine=open_engine,
                pop3=means_of(store, trees, clock, logger),
                read_password=read_password,
                access=open_access(path, None),
                clock=clock,
                version="0.0",
                log=logger,
                pace=pace,
                random=random,
            )
        )
        house = House(service, store, log, secrets)
        opened.append(house)
        await service.start()
        return house

    yield start
    while opened:
        await close(opened.pop())
