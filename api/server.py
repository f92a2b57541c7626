"""Serving: the application on every address of `[api]` and on the control socket, from start to a clean stop.

Refuses to be reached from beyond loopback without TLS. aiohttp's parser written in C is expected: the one in Python
has had more ways to be led astray (request smuggling).
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog
from aiohttp import http, web

from api import limits
from api.access_log import AccessLog
from api.addresses import Address, TcpAddress, UnixAddress, parse_address
from api.app import make_app
from api.connection import Listener, ListenerKind, ListenerServer, Lobby
from api.hosts import allowed_hosts
from api.sockets import BoundUnix, SocketInUse, bind_control, bind_tcp, bind_unix
from daemon.model.clock import Clock
from daemon.model.errors import ConfigError, ConfigProblem, StoreError, StoreInUse
from daemon.model.settings import ApiSettings
from daemon.service.control.facade import Control

UNIX_MODE: Final = 0o660

log = structlog.stdlib.get_logger("api")


class Server:
    """The running HTTP side; made by `start_server`.

    `urls` are the TCP addresses as they can be typed, `control_path` is where the control socket lies.
    """

    def __init__(self, runner: web.AppRunner, tls: ssl.SSLContext | None) -> None:
        self.control_path = Path()
        self.urls: tuple[str, ...] = ()
        self._runner = runner
        self._tls = tls
        self._lobby = Lobby(limits.MAX_CONNECTIONS)
        self._listening: list[tuple[ListenerServer, asyncio.AbstractServer]] = []
        self._files: list[BoundUnix] = []

    async def stop(self) -> None:
        """Stop listening, let short answers finish for two seconds, drop the rest; sockets' files go.

        Cancellation:
            Not safe half-way; call it shielded or not at all.
        """
        for _, listening in self._listening:
            listening.close()
        for bound in self._files:
            bound.remove()
        for protocols, _ in self._listening:
            protocols.pre_shutdown()
        await self._runner.shutdown()
        await asyncio.gather(*(one.shutdown(limits.SHUTDOWN_SECONDS) for one, _ in self._listening))
        await self._runner.cleanup()

    async def listen_control(self, bound: BoundUnix) -> None:
        """Answer on the control socket."""
        self.control_path = bound.path
        await self._listen_unix(bound, ListenerKind.CONTROL, Lobby(limits.MAX_CONTROL_CONNECTIONS))

    async def listen(self, address: Address, *, named_hosts: tuple[str, ...], port_fallback: bool) -> None:
        """Answer on one configured address; raises OSError when it cannot be had."""
        if isinstance(address, UnixAddress):
            await self._listen_unix(bind_unix(address.path, mode=UNIX_MODE), ListenerKind.UNIX, self._lobby)
            return
        sock = bind_tcp(address, port_fallback=port_fallback)
        actual = TcpAddress(address.host, sock.getsockname()[1])
        is_tls = self._tls is not None
        hosts = allowed_hosts(address=actual.host, port=actual.port, is_tls=is_tls, named=named_hosts)
        protocols = self._protocols(Listener(kind=ListenerKind.TCP, is_tls=is_tls, hosts=hosts), self._lobby)
        listening = await asyncio.get_running_loop().create_server(
            protocols,
            sock=sock,
            ssl=self._tls,
            ssl_handshake_timeout=limits.TLS_HANDSHAKE_SECONDS if is_tls else None,
        )
        self._listening.append((protocols, listening))
        self.urls = (*self.urls, f"{'https' if is_tls else 'http'}://{actual}")

    async def _listen_unix(self, bound: BoundUnix, kind: ListenerKind, lobby: Lobby) -> None:
        self._files.append(bound)
        protocols = self._protocols(Listener(kind=kind), lobby)
        listening = await asyncio.get_running_loop().create_unix_server(protocols, sock=bound.sock)
        self._listening.append((protocols, listening))

    def _protocols(self, listener: Listener, lobby: Lobby) -> ListenerServer:
        inner = self._runner.server
        if inner is None:
            raise RuntimeError("the runner is set up before anything listens")
        return ListenerServer(
            inner.request_handler,
            request_factory=inner.request_factory,
            listener=listener,
            lobby=lobby,
            access_log_class=AccessLog,
            keepalive_timeout=limits.KEEPALIVE_SECONDS,
            lingering_time=limits.LINGER_SECONDS,
            auto_decompress=False,
        )


async def start_server(
    control: Control,
    *,
    settings: ApiSettings,
    store_path: Path,
    store_id: str,
    clock: Clock,
    source: Path | None = None,
    port_fallback: bool = False,
    env: Mapping[str, str] | None = None,
) -> Server:
    """The control socket and every address of `settings.listen`, answering.

    Args:
        control: What is served.
        settings: `[api]`.
        store_path: Where the control socket lies.
        store_id: Names the control socket's directory when its path in the store is too long.
        clock: For counting refused logins.
        source: The configuration's file, for messages.
        port_fallback: Take any free port when the configured one is taken (the demo).
        env: For `XDG_RUNTIME_DIR`; the process's own by default.

    Raises:
        ConfigError: An address cannot be used; every problem found, nothing left bound.
        StoreError: The control socket cannot be made.
    """
    addresses = _checked_addresses(settings, source)
    tls = _tls_context(settings, source)
    if http.HttpRequestParser.__module__ != "aiohttp._http_parser":
        log.warning("api.parser_unexpected", remedy="install aiohttp with its C extensions")
    runner = web.AppRunner(make_app(control, clock=clock))
    await runner.setup()
    server = Server(runner, tls)
    try:
        await server.listen_control(_bind_control(store_path, store_id, os.environ if env is None else env))
        problems: list[ConfigProblem] = []
        for address in addresses:
            try:
                await server.listen(address, named_hosts=settings.hosts, port_fallback=port_fallback)
            except OSError as error:
                problems.append(_bind_problem(address, error, source))
        if problems:
            raise ConfigError(tuple(problems))
    except BaseException:
        await server.stop()
        raise
    log.info("api.started", urls=server.urls, control=str(server.control_path))
    return server


def _checked_addresses(settings: ApiSettings, source: Path | None) -> tuple[Address, ...]:
    """The addresses, or every reason why they cannot be used."""
    found: list[Address] = []
    problems: list[ConfigProblem] = []
    for text in settings.listen:
        try:
            address = parse_address(text)
        except ValueError as error:
            remedy = 'write "127.0.0.1:8420", "[::1]:8420" or "unix:/run/mailsyncd/api.sock"'
            problems.append(ConfigProblem(source, "api.listen", f"{text!r} {error}", remedy))
            continue
        if isinstance(address, TcpAddress) and not address.is_loopback and settings.tls_cert is None:
            remedy = "set api.tls_cert and api.tls_key, or listen on 127.0.0.1 behind a proxy"
            problem = f"{text!r} can be reached from other machines, without TLS"
            problems.append(ConfigProblem(source, "api.listen", problem, remedy))
        found.append(address)
    if (settings.tls_cert is None) != (settings.tls_key is None):
        missing = "api.tls_key" if settings.tls_key is None else "api.tls_cert"
        problems.append(ConfigProblem(source, missing, "is missing", "set both or neither"))
    if problems:
        raise ConfigError(tuple(problems))
    return tuple(found)


def _tls_context(settings: ApiSettings, source: Path | None) -> ssl.SSLContext | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password=_no_password)
    except (OSError, ValueError) as error:
        problem = ConfigProblem(
            source,
            "api.tls_cert",
            f"certificate and key cannot be used ({type(error).__name__})",
            "both must be readable PEM files that belong together, the key without a password",
        )
        raise ConfigError((problem,)) from error
    return context


def _no_password() -> str:
    """Asked for only by an encrypted key; without this OpenSSL would ask the terminal."""
    raise ValueError("the key is encrypted")


def _bind_control(store_path: Path, store_id: str, env: Mapping[str, str]) -> BoundUnix:
    try:
        return bind_control(store_path, store_id, env)
    except SocketInUse as error:
        raise StoreInUse(f"{error.filename}: another process listens here", pid=None) from error
    except OSError as error:
        reason = "store_readonly" if isinstance(error, PermissionError) else "store_io"
        raise StoreError(
            f"{error.filename or store_path}: {error.strerror}",
            reason=reason,
            remedy="the control socket must be made here: remove what is in its place, or correct the permissions",
        ) from error


def _bind_problem(address: Address, error: OSError, source: Path | None) -> ConfigProblem:
    match error.errno:
        case errno.EADDRINUSE:
            problem, remedy = "is taken by another process", "stop that process, or choose another port"
        case errno.EADDRNOTAVAIL:
            problem, remedy = "is not an address of this machine", "use 127.0.0.1 or one of its addresses"
        case errno.EACCES | errno.EPERM:
            problem, remedy = (
                "may not be used by this user",
                "choose a port from 1024 on, or another directory",
            )
        case errno.EEXIST:
            problem, remedy = "is not a socket that we left behind", "remove the file or choose another path"
        case _:
            problem, remedy = f"cannot be used: {error.strerror}", "choose another address"
    return ConfigProblem(source, "api.listen", f"{address} {problem}", remedy)
