"""One client's connection: aiohttp's protocol with the limits it lacks, and what is known of the peer.

A head must be complete within 5 s, a client that takes nothing of its answer for 60 s is dropped, and connections are
counted (faults.md A8). What cannot be parsed is answered as a problem and logged in one line, without the bytes.
Deadlines of bodies are kept where bodies are read.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from api import headers, limits
from api.problems import CONTENT_TYPE, Problem, problem_of_http

_SO_PEERGROUPS: Final = 59  # Linux 4.13; not in Python's socket module
_MAX_GROUPS: Final = 1024

log = structlog.stdlib.get_logger("api")


class ListenerKind(StrEnum):
    """tcp and unix: as configured. control: the socket that is always there."""

    TCP = "tcp"
    UNIX = "unix"
    CONTROL = "control"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """What is known of the place a request came in by. `hosts` are the Host values it answers to."""

    kind: ListenerKind
    is_tls: bool = False
    hosts: frozenset[str] = frozenset()

    @property
    def is_socket(self) -> bool:
        return self.kind is not ListenerKind.TCP


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who is at the other end of a Unix socket, as the kernel saw it when it connected."""

    uid: int
    gids: frozenset[int]

    @property
    def is_trusted(self) -> bool:
        """Whether it is root, our user, or in our group."""
        return self.uid in (0, os.geteuid()) or os.getegid() in self.gids


class Lobby:
    """How many connections are open, and how many may be."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.open = 0


class Connection(web.RequestHandler):
    """One connection on one listener."""

    __slots__ = (
        "_has_heard",
        "_head_timer",
        "_is_counted",
        "_is_handling",
        "_lobby",
        "_reader",
        "_stall_timer",
        "listener",
        "peer",
        "peer_name",
    )

    def __init__(self, server: web.Server, *, listener: Listener, lobby: Lobby, **options: Any) -> None:
        super().__init__(server, **options)
        self.listener = listener
        self.peer: Peer | None = None
        self.peer_name = "unknown"
        self._lobby = lobby
        self._is_counted = False
        self._is_handling = False
        self._has_heard = False
        self._reader: asyncio.Task[object] | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._lobby.open >= self._lobby.most:
            _turn_away(cast("asyncio.WriteTransport", transport))  # uvloop's transports are no subclass of it
            return
        self._lobby.open += 1
        self._is_counted = True
        super().connection_made(transport)
        if self.listener.is_socket:
            self.peer = _peer_of(transport.get_extra_info("socket"))
            self.peer_name = f"uid {self.peer.uid}" if self.peer else "unknown"
        else:
            self.peer_name = str((transport.get_extra_info("peername") or ("unknown",))[0])
        self._start_head_timer()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._is_counted:
            self._lobby.open -= 1
            self._is_counted = False
        self._stop_timers()
        if self._reader is not None:
            self._reader.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._is_counted:
            return
        if data and not self._is_handling:
            self._has_heard = True
            if self._head_timer is None:
                self._start_head_timer()
        super().data_received(data)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stall_timer is None:
            loop = asyncio.get_running_loop()
            self._stall_timer = loop.call_later(limits.STALLED_READER_SECONDS, self._drop_stalled)

    def resume_writing(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
        super().resume_writing()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what could not be parsed (400) or was raised by mistake (500); the connection ends with it."""
        if isinstance(exc, ConnectionError):  # the client went away, or an answer was broken off on purpose
            raise ConnectionError("the line is gone") from exc
        if isinstance(exc, HttpProcessingError):
            log.info("api.request_malformed", peer=self.peer_name, error=type(exc).__name__)
            problem = Problem("request_malformed", is_last=True)
        else:
            log.error("api.failed", peer=self.peer_name, exc_info=exc)
            problem = Problem("internal", is_last=True)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun; only breaking the line can say that it is wrong")
        response = problem.response()
        headers.put_on(response.headers)
        return response

    def head_arrived(self) -> None:
        """A complete head is being answered; its deadline is over."""
        self._is_handling = True
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def handler_ended(self) -> None:
        """The handler is done; what arrives from now on is the next head."""
        self._is_handling = False
        self._reader = None
        self._has_heard = False

    def end_with_line(self) -> None:
        """Cancel the current task when the client goes away: for handlers that only read, never for a change."""
        self._reader = asyncio.current_task()

    def _start_head_timer(self) -> None:
        loop = asyncio.get_running_loop()
        self._head_timer = loop.call_later(limits.HEAD_SECONDS, self._drop_late)

    def _stop_timers(self) -> None:
        for timer in (self._head_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        self._head_timer = self._stall_timer = None

    def _drop_late(self) -> None:
        self._head_timer = None
        if self._has_heard and self.transport is not None:
            self.transport.write(_bare_answer("request_timeout"))
        self.force_close()

    def _drop_stalled(self) -> None:
        self._stall_timer = None
        if self.transport is not None:
            log.info("api.reader_stalled", peer=self.peer_name)
            self.transport.abort()


class ListenerServer(web.Server):
    """Makes the connections of one listener, and tells each when its head has arrived."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        *,
        request_factory: Callable[..., web.BaseRequest],
        listener: Listener,
        lobby: Lobby,
        **options: Any,
    ) -> None:
        super().__init__(self._answer, request_factory=request_factory)
        self.listener = listener
        self._inner = handler
        self._lobby = lobby
        self._options = options

    def __call__(self) -> Connection:
        return Connection(
            self,
            listener=self.listener,
            lobby=self._lobby,
            loop=asyncio.get_running_loop(),
            **self._options,
        )

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        if not isinstance(connection, Connection):
            raise TypeError("a listener answers its own connections only")
        connection.head_arrived()
        try:
            return await self._inner(request)
        except web.HTTPException as error:
            # Raised by aiohttp before any gate: an expectation on an unknown path.
            return problem_of_http(error).response()
        finally:
            connection.handler_ended()


def connection_of(request: web.BaseRequest) -> Connection:
    """The connection a request came in by; there is no serving without one of ours, so no gate can be left out."""
    connection = request.protocol
    if not isinstance(connection, Connection):
        raise TypeError("the application must be served by api.server")
    return connection


def listener_of(request: web.BaseRequest) -> Listener:
    """The listener a request came in by."""
    return connection_of(request).listener


def _peer_of(transport_socket: socket.socket) -> Peer | None:
    """The peer's user and all its groups, None where the kernel does not say (SO_PEERCRED, SO_PEERGROUPS)."""
    # A loop may hand out a stand-in that has a descriptor but no options (uvloop does).
    with socket.socket(fileno=os.dup(transport_socket.fileno())) as sock:
        try:
            _, uid, gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        except OSError:
            return None
        try:
            raw = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _MAX_GROUPS)
        except OSError:
            raw = b""
    return Peer(uid=uid, gids=frozenset((gid, *struct.unpack(f"{len(raw) // 4}i", raw))))


def _turn_away(transport: asyncio.WriteTransport) -> None:
    transport.write(_bare_answer("too_busy"))
    transport.close()


def _bare_answer(code: str) -> bytes:
    """A whole answer for a connection that has no request to answer."""
    problem = Problem(code)
    body = problem.body()
    lines = [
        f"HTTP/1.1 {problem.status} Refused",
        f"Content-Type: {CONTENT_TYPE}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.ALWAYS.items()),
    ]
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body
