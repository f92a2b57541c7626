"""The way in: what is sent, what is counted, what is left behind when it fails."""

import asyncio

import pytest
import structlog

from daemon.model.clock import SystemClock
from daemon.model.errors import AuthenticationFailed, ConnectionLost, CredentialUnavailable
from daemon.model.secret import Secret
from daemon.net.endpoint import Endpoint
from daemon.net.imap.client import ImapClient
from daemon.service.backoff import TokenBucket
from daemon.service.gate import Gate
from daemon.service.login import Login
from daemon.service.login_guard import LoginGuard
from daemon.service.pulse import Pulse
from daemon.service.verdicts import LoginSpent
from daemon.store.store import Store


class Door:
    """A login with all its parts at hand."""

    def __init__(self, store: Store, settings, password: str = "secret", bucket_burst: int = 100) -> None:
        clock = SystemClock()
        self.password = password
        self.connects = 0
        self.guard = LoginGuard(store=store, account=settings.id, clock=clock, attempts=3)
        self.bucket = TokenBucket(burst=bucket_burst, refill_seconds=60, clock=clock)
        self.log = structlog.get_logger()
        self.login = Login(
            settings=settings,
            connect=self._connect,
            read_password=self._read_password,
            guard=self.guard,
            bucket=self.bucket,
            gate=Gate(at_once=10, turn_seconds=5),
            pulse=Pulse(clock),
            deadline_seconds=60,
            log=self.log,
        )

    async def _connect(self, settings, log, *, distrust) -> ImapClient:
        self.connects += 1
        return await ImapClient.connect(
            Endpoint(host=settings.host, port=settings.port, tls=settings.tls), clock=SystemClock()
        )

    async def _read_password(self, settings) -> Secret:
        if not self.password:
            raise CredentialUnavailable("empty")
        return Secret(self.password)


@pytest.fixture
async def store(tmp_path):
    store = await Store.open(tmp_path / "store", clock=SystemClock())
    yield store
    await store.close()


async def test_accepted_login_gives_a_client(store, scripted, imap_account) -> None:
    client = await Door(store, imap_account(scripted.port)).login.log_in()
    assert not client.is_lost
    await client.logout()


async def test_refused_login_leaves_no_line_and_counts(store, scripted, imap_account, until) -> None:
    door = Door(store, imap_account(scripted.port), "wrong")
    with pytest.raises(AuthenticationFailed) as caught:
        await door.login.log_in()
    assert not isinstance(caught.value, LoginSpent)
    await until(lambda: not scripted._writers)


async def test_third_refusal_is_final_and_a_fourth_sends_nothing(store, scripted, imap_account) -> None:
    door = Door(store, imap_account(scripted.port), "wrong")
    for _ in range(2):
        with pytest.raises(AuthenticationFailed):
            await door.login.log_in()
    for _ in range(2):
        with pytest.raises(LoginSpent):
            await door.login.log_in()
    assert (scripted.logins, door.connects) == (3, 3)


async def test_no_secret_no_connection(store, scripted, imap_account) -> None:
    door = Door(store, imap_account(scripted.port), "")
    with pytest.raises(CredentialUnavailable):
        await door.login.log_in()
    assert scripted.connections == 0


async def test_line_lost_during_login_is_no_refusal(store, scripted, imap_account) -> None:
    scripted.on["LOGIN"] = lambda *_: None
    door = Door(store, imap_account(scripted.port))
    for _ in range(4):
        with pytest.raises(ConnectionLost):
            await door.login.log_in()
    assert not await door.guard.is_spent(Secret("secret"))


async def test_login_that_is_interrupted_counts_as_refused(store, scripted, imap_account, until) -> None:
    """The server may have said no to it already: one too many counted is harmless, one too few locks someone out."""
    scripted.on["LOGIN"] = lambda *_: b""
    door = Door(store, imap_account(scripted.port))
    for count in range(1, 4):
        attempt = asyncio.create_task(door.login.log_in())
        await until(lambda wanted=count: scripted.logins == wanted)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
    assert await door.guard.is_spent(Secret("secret"))


async def test_every_login_takes_a_token_and_a_failed_connection_none(store, scripted, imap_account) -> None:
    settings = imap_account(scripted.port)
    door = Door(store, settings, bucket_burst=1)
    await scripted.stop()
    with pytest.raises(ConnectionLost):
        await door.login.log_in()
    assert door.bucket.wait_seconds() == 0.0
    await scripted.start()
    client = await door.login.log_in()
    assert door.bucket.wait_seconds() > 50
    await client.logout()


async def test_distrusted_capabilities_are_handed_to_the_connection(store, scripted, imap_account) -> None:
    handed = []

    async def connect(settings, log, *, distrust):
        handed.append(distrust)
        raise ConnectionLost("not now", reason="refused")

    house = Door(store, imap_account(scripted.port))
    login = Login(
        settings=imap_account(scripted.port),
        connect=connect,
        read_password=house._read_password,
        guard=house.guard,
        bucket=house.bucket,
        gate=Gate(at_once=10, turn_seconds=5),
        pulse=Pulse(SystemClock()),
        deadline_seconds=60,
        distrusted=lambda: {"NOTIFY"},
        log=house.log,
    )
    with pytest.raises(ConnectionLost):
        await login.log_in()
    assert handed == [{"NOTIFY"}]
