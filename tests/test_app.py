"""daemon.app: a service out of settings, from its start to its clean end; a single pass; who may own the store."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daemon import app
from daemon.cli.client import ControlClient
from daemon.model.clock import SystemClock
from daemon.model.errors import ConnectionLost, StoreInUse
from daemon.model.ids import AccountId
from daemon.model.passes import PassResult
from daemon.model.settings import ApiSettings, ImapSettings, PasswordSource, Settings, StoreSettings
from daemon.store.store import Store


def settings_of(path: Path, *accounts: ImapSettings, listen: tuple[str, ...] = ("127.0.0.1:0",)) -> Settings:
    return Settings(store=StoreSettings(path=path), api=ApiSettings(listen=listen), accounts=accounts)


def imap(account: str, port: int, **more) -> ImapSettings:
    return ImapSettings(
        id=AccountId(account),
        host="localhost",
        port=port,
        username=more.pop("username", "me"),
        password=PasswordSource(literal=more.pop("password", "pw")),
        **more,
    )


@pytest.fixture(autouse=True)
def _signals_restored():
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@dataclass
class Manager:
    """A service manager that listens."""

    sock: socket.socket
    env: dict[str, str]
    heard: list[str] = field(default_factory=list)

    async def hear(self, words: str) -> None:
        """Wait until it was told so."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(20):
            while not any(words in one for one in self.heard):
                self.heard.append((await loop.sock_recv(self.sock, 4096)).decode())


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        yield Manager(sock, {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"})


@contextlib.asynccontextmanager
async def served(settings: Settings, **more) -> AsyncIterator[app.Running]:
    """The service, until the block ends."""
    ready: asyncio.Future[app.Running] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(app.serve(settings, on_ready=ready.set_result, **more), name="test:serve")
    try:
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED, timeout=20)
        if task.done():
            task.result()
        yield ready.result()
    finally:
        if not task.done():
            os.kill(os.getpid(), signal.SIGTERM)
            async with asyncio.timeout(app.STOP_LIMIT_SECONDS + 1):
                await task


async def ask(path: Path, route: str) -> dict[str, object]:
    """The answer on the control socket."""

    def get() -> dict[str, object]:
        with ControlClient(path) as client:
            return client.get(route)

    return await asyncio.to_thread(get)


async def test_service_without_accounts_runs_and_ends_cleanly(tmp_path, manager):
    """READY comes when the API answers, WATCHDOG while all moves, STOPPING at the end; then the store is free."""
    store = tmp_path / "store"
    async with served(settings_of(store), env=manager.env) as running:
        await manager.hear("READY=1")
        assert (await ask(store, "/v1/status"))["state"] == "ok"
        assert (await ask(store, "/readyz"))["state"] == "ready"
        assert running.urls[0].startswith("http://127.0.0.1:")
        assert running.control_path == store / "control.sock"
        assert stat.S_IMODE(running.token_path.stat().st_mode) == 0o600
        await manager.hear("WATCHDOG=1")
    await manager.hear("STOPPING=1")
    assert not (store / "control.sock").exists()
    await (await Store.open(store, clock=SystemClock())).close()


async def test_taken_port_is_replaced_only_where_asked(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        async with served(settings_of(tmp_path / "s", listen=(listen,)), port_fallback=True) as running:
            assert listen not in running.urls[0]


async def test_only_a_sync_is_waited_for(tmp_path):
    """A service does not end by itself; what was left of one does not count."""
    store = tmp_path / "store"
    assert app._lock_wait_seconds(store) == app.LOCK_WAIT_SECONDS
    async with served(settings_of(store)):
        assert app._lock_wait_seconds(store) == 0
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(store / "control.sock"))
    assert app._lock_wait_seconds(store) == app.LOCK_WAIT_SECONDS


async def test_store_of_another_process_is_refused_with_its_pid(tmp_path, monkeypatch):
    monkeypatch.setattr(app, "LOCK_WAIT_SECONDS", 0.2)
    held = await Store.open(tmp_path / "store", clock=SystemClock())
    try:
        with pytest.raises(StoreInUse) as caught:
            await app.serve(settings_of(tmp_path / "store"))
        assert caught.value.pid == os.getpid()
    finally:
        await held.close()


async def test_store_held_by_a_sync_is_waited_for(tmp_path):
    store = tmp_path / "store"
    held = await Store.open(store, clock=SystemClock())
    async with asyncio.TaskGroup() as group:

        async def let_go() -> None:
            await asyncio.sleep(0.3)
            await held.close()

        group.create_task(let_go())
        async with served(settings_of(store)):
            pass


async def test_signal_while_waiting_for_the_store_ends_the_wait(tmp_path):
    store = tmp_path / "store"
    held = await Store.open(store, clock=SystemClock())
    try:
        waiting = asyncio.create_task(app.serve(settings_of(store)))
        await asyncio.sleep(0.2)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(5):
            await waiting
    finally:
        await held.close()


async def test_account_of_a_real_server_is_brought_in_step(tmp_path, mailbag):
    mailbag.fill("INBOX", [b"Subject: one\r\n\r\nbody\r\n", b"Subject: two\r\n\r\nbody\r\n"])
    server = mailbag.server
    account = imap(
        "work", server.imaps_port, ca_file=server.ca_file, username=mailbag.user, password=mailbag.password
    )
    store = tmp_path / "store"
    async with served(settings_of(store, account)):
        async with asyncio.timeout(20):
            while (await ask(store, "/v1/status"))["total"] != 2:
                await asyncio.sleep(0.05)
        told = json.dumps(await ask(store, "/v1/status"))
        assert mailbag.password not in told


async def test_single_pass_finishes_the_others_when_one_fails(tmp_path, mailbag):
    mailbag.fill("INBOX", [b"Subject: one\r\n\r\nbody\r\n"])
    server = mailbag.server
    good = imap(
        "good", server.imaps_port, ca_file=server.ca_file, username=mailbag.user, password=mailbag.password
    )
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        bad = imap("bad", closed.getsockname()[1])
        settings = settings_of(tmp_path / "store", good, bad)
        seen = []
        results = await app._sync(settings, settings.accounts, seen.append)
    assert results[AccountId("good")] == PassResult(downloaded=1)
    assert isinstance(results[AccountId("bad")], ConnectionLost)
    assert seen[-1].messages_done == 1


@pytest.mark.parametrize(
    ("last_tick", "busy_since", "is_alive"),
    [
        (99.0, None, True),
        (99.0, 90.0, True),
        (99.0, 10.0, False),
        (60.0, None, False),
    ],
)
def test_life_is_progress_of_supervisor_and_writer(last_tick, busy_since, is_alive):
    assert app.is_alive(100.0, last_tick=last_tick, busy_since=busy_since) is is_alive
