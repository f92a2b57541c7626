"""The composition root: settings in, a running service or a finished pass out.

The only place where the floors meet. Starts in the order store, API, accounts, and stops within five seconds.
A single pass does without API and schedule, so they are imported by the service alone: 10 MiB and a fifth of a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
from structlog.typing import FilteringBoundLogger

from api.sockets import find_control
from daemon import __version__, process
from daemon.config.rules import tree_of
from daemon.credentials import read_password
from daemon.model.clock import Clock, SystemClock
from daemon.model.errors import MailError
from daemon.model.ids import AccountId
from daemon.model.passes import PassResult
from daemon.model.settings import AccountSettings, ImapSettings, Pop3Settings, Settings
from daemon.net.endpoint import Endpoint
from daemon.net.imap.client import ImapClient
from daemon.sd_notify import ServiceManager
from daemon.service.control.access import TOKEN_FILE_NAME, open_access
from daemon.service.login import Connect
from daemon.service.once import OnHint, hint_nothing, show_nothing, sync_once
from daemon.service.pop3_means import Pop3Means
from daemon.service.quiescence import OnProgress, OpenEngine
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.imap_pass import ImapSync

if TYPE_CHECKING:
    from api.server import Server
    from daemon.net.pop3.client import Pop3Client
    from daemon.service.control.facade import Control
    from daemon.service.service import Service
    from daemon.sync.pop3_pass import Pop3Sync

LOCK_WAIT_SECONDS: Final = 30.0  # decision 15: time for a `mailsyncd sync` to finish
STOP_LIMIT_SECONDS: Final = (
    5.0  # L23; what is on the disk is whole at any moment, so nothing is lost by a hard end
)
STUCK_WRITER_SECONDS: Final = 45.0  # one transaction on a disk whose every fsync takes 2 s ends sooner
STALE_TICK_SECONDS: Final = 30.0  # the supervisor looks round every 5 s and may spend 4 on each stuck account


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A service that is up: what it can be asked in this process, where it answers, and the file with its token."""

    control: Control
    urls: tuple[str, ...]
    control_path: Path
    token_path: Path


def run(settings: Settings) -> None:
    """Run the service until SIGTERM or SIGINT.

    Raises:
        StoreInUse: Another process owns the store, and did not let go of it in time.
        ConfigError: An address or the token's file cannot be used.
        ConfigError: The store's path cannot be used.
        StoreError: The store cannot be opened.
    """
    process.tune()
    process.run_in_loop(serve(settings))


def sync(
    settings: Settings,
    accounts: Sequence[ImapSettings | Pop3Settings],
    *,
    on_progress: OnProgress | None = None,
    on_hint: OnHint | None = None,
) -> Mapping[AccountId, PassResult | MailError]:
    """What each account did in passes to quiescence, or why it could not; without the API, then over.

    Raises:
        StoreInUse: Another process owns the store.
        StoreError: The store cannot be opened.
        KeyboardInterrupt: On SIGINT and SIGTERM; what was done stays done.
    """
    process.tune()
    return process.run_in_loop(
        _sync(settings, accounts, on_progress or show_nothing, on_hint or hint_nothing)
    )


async def serve(
    settings: Settings,
    *,
    env: Mapping[str, str] = os.environ,
    port_fallback: bool = False,
    on_ready: Callable[[Running], None] | None = None,
) -> None:
    """The service, in the running loop, until SIGTERM or SIGINT; `run` tells what is raised.

    Args:
        settings: The whole configuration.
        env: The environment, for the service manager's sockets and the runtime directory.
        port_fallback: Take a free port where the configured one is taken.
        on_ready: Called once when the API answers and every account has its task.
    """
    clock = SystemClock()
    log: FilteringBoundLogger = structlog.get_logger("mailsyncd")
    for warning in settings.warnings:
        log.warning("config.warned", warning=warning)
    stop = asyncio.Event()
    with process.stop_signals(stop.set):
        opening = asyncio.create_task(
            Store.open(
                settings.store.path, clock=clock, lock_wait_seconds=_lock_wait_seconds(settings.store.path)
            ),
            name="store:open",
        )
        if not await _comes_first(opening, stop):
            return
        store = opening.result()
        _tell_findings(store, log)
        with contextlib.ExitStack() as limits:
            try:
                manager = ServiceManager(env)
                async with _serving(settings, store, clock, log, env=env, port_fallback=port_fallback) as (
                    service,
                    server,
                ):
                    process.settle()
                    manager.ready(f"{len(settings.accounts)} accounts")
                    if on_ready is not None:
                        on_ready(_running(settings, service, server))
                    await _until(stop, service, store, manager, clock)
                    manager.stopping()
                    log.info("service.stopping")
                    limits.enter_context(
                        process.ends_within(STOP_LIMIT_SECONDS, lambda: log.error("service.stop_overran"))
                    )
            finally:
                await store.close()
    log.info("service.stopped")


@contextlib.asynccontextmanager
async def _serving(
    settings: Settings,
    store: Store,
    clock: Clock,
    log: FilteringBoundLogger,
    *,
    env: Mapping[str, str],
    port_fallback: bool,
) -> AsyncIterator[tuple[Service, Server]]:
    """API and accounts over the open store, both ended with the block."""
    from api.server import start_server  # noqa: PLC0415 - see above
    from daemon.service.service import Parts, Service  # noqa: PLC0415 - see above

    access = await store.run_in("files", open_access, settings.store.path, settings.api.token_file)
    trees = _trees(settings, store, clock)
    service = Service(
        Parts(
            settings=settings,
            store=store,
            trees=trees,
            connect=_connector(clock),
            open_engine=_engine_opener(store, trees, clock, log),
            pop3=_pop3_means(store, trees, clock, log),
            read_password=read_password,
            access=access,
            clock=clock,
            version=__version__,
            log=log,
        )
    )
    server = await start_server(
        service.control,
        settings=settings.api,
        store_path=store.path,
        store_id=store.store_id,
        clock=clock,
        source=settings.source,
        port_fallback=port_fallback,
        env=env,
    )
    try:
        await service.start()
        log.info("service.started", version=__version__, accounts=len(settings.accounts))
        yield service, server
    finally:
        await asyncio.gather(server.stop(), service.stop())


async def _until(
    stop: asyncio.Event, service: Service, store: Store, manager: ServiceManager, clock: Clock
) -> None:
    """Return when `stop` is set; meanwhile tell the service manager that we are alive, while we are (decision 5)."""
    if manager.watchdog_seconds is None:
        await stop.wait()
        return
    while not stop.is_set():
        if is_alive(clock.monotonic(), last_tick=service.supervisor.last_tick, busy_since=store.busy_since):
            manager.alive()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(manager.watchdog_seconds / 2):
                await stop.wait()


def is_alive(now: float, *, last_tick: float, busy_since: float | None) -> bool:
    """Whether supervisor and writer thread make progress; that the event loop does shows in being asked."""
    is_writing = busy_since is None or now - busy_since < STUCK_WRITER_SECONDS
    return is_writing and now - last_tick < STALE_TICK_SECONDS


async def _sync(
    settings: Settings,
    accounts: Sequence[ImapSettings | Pop3Settings],
    on_progress: OnProgress,
    on_hint: OnHint = hint_nothing,
) -> Mapping[AccountId, PassResult | MailError]:
    clock = SystemClock()
    log: FilteringBoundLogger = structlog.get_logger("mailsyncd")
    # The runner turns SIGINT into the cancellation of this task; SIGTERM shall do the same.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, signal.raise_signal, signal.SIGINT)
    store = await Store.open(settings.store.path, clock=clock)
    try:
        _tell_findings(store, log)
        trees = _trees(settings, store, clock)
        return await sync_once(
            accounts,
            store=store,
            connect=_connector(clock),
            open_engine=_engine_opener(store, trees, clock, log),
            pop3=_pop3_means(store, trees, clock, log),
            read_password=read_password,
            clock=clock,
            log=log,
            on_progress=on_progress,
            on_hint=on_hint,
        )
    finally:
        await store.close()


def _tell_findings(store: Store, log: FilteringBoundLogger) -> None:
    for finding in store.findings:
        log.warning("store.mended", finding=finding)


def _trees(settings: Settings, store: Store, clock: Clock) -> dict[AccountId, MaildirTree]:
    group = settings.store.group
    return {
        account.id: MaildirTree(
            tree_of(settings.store, account),
            layout=account.layout,
            account=account.id,
            store_id=store.store_id,
            pools=store.pools,
            clock=clock,
            group_id=None if group is None else grp.getgrnam(group).gr_gid,
        )
        for account in settings.accounts
    }


def _connector(clock: Clock) -> Connect[ImapClient]:
    async def connect(
        settings: AccountSettings, log: FilteringBoundLogger, /, *, distrust: Collection[str]
    ) -> ImapClient:
        endpoint = Endpoint(
            host=settings.host, port=settings.port, tls=settings.tls, ca_file=settings.ca_file
        )
        return await ImapClient.connect(endpoint, clock=clock, log=log, compress="auto", distrust=distrust)

    return connect


def _engine_opener(
    store: Store, trees: Mapping[AccountId, MaildirTree], clock: Clock, log: FilteringBoundLogger
) -> OpenEngine:
    def open_engine(settings: ImapSettings, on_progress: OnProgress) -> ImapSync:
        return ImapSync(
            settings=settings,
            store=store,
            tree=trees[settings.id],
            clock=clock,
            log=log.bind(account=settings.id),
            on_progress=on_progress,
        )

    return open_engine


def _pop3_means(
    store: Store, trees: Mapping[AccountId, MaildirTree], clock: Clock, log: FilteringBoundLogger
) -> Pop3Means:
    async def connect(
        settings: AccountSettings,
        log: FilteringBoundLogger,
        /,
        *,
        distrust: Collection[str],  # noqa: ARG001 - POP3 has no claims that could prove false
    ) -> Pop3Client:
        from daemon.net.pop3.client import Pop3Client  # noqa: PLC0415 - see `pop3_means`

        endpoint = Endpoint(
            host=settings.host, port=settings.port, tls=settings.tls, ca_file=settings.ca_file
        )
        return await Pop3Client.connect(endpoint, clock=clock, log=log)

    def open_engine(settings: Pop3Settings, on_progress: OnProgress) -> Pop3Sync:
        from daemon.sync.pop3_pass import Pop3Sync  # noqa: PLC0415

        return Pop3Sync(
            settings=settings,
            store=store,
            tree=trees[settings.id],
            clock=clock,
            log=log.bind(account=settings.id),
            on_progress=on_progress,
        )

    return Pop3Means(connect=connect, open_engine=open_engine)


def _running(settings: Settings, service: Service, server: Server) -> Running:
    token = settings.api.token_file or settings.store.path / TOKEN_FILE_NAME
    return Running(
        control=service.control, urls=server.urls, control_path=server.control_path, token_path=token
    )


def _lock_wait_seconds(store_path: Path) -> float:
    """How long to wait for the store: not at all for a service, which does not end by itself."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(find_control(store_path)))
        except OSError:
            return LOCK_WAIT_SECONDS
    return 0.0


async def _comes_first(task: asyncio.Task[Store], stop: asyncio.Event) -> bool:
    """Whether `task` is done before `stop` is set; else it is cancelled, and closed should it finish all the same."""
    stopping = asyncio.create_task(stop.wait(), name="stop:wait")
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
    if task.done():
        return True
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await (await task).close()
    return False
