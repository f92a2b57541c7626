"""From a host name to a connected socket: look-up, then addresses in turn until one answers.

Happy Eyeballs (RFC 8305): families alternate, the next address starts 250 ms after the last or as soon as that one
failed. Every try looks the name up again, so an address that changed is found. No TLS here.
"""

import asyncio
import ipaddress
import socket
from itertools import chain, zip_longest
from typing import Final

from daemon.model.errors import ConnectionLost, LocalProtocolError
from daemon.model.settings import Tls
from daemon.net import foreign, threads
from daemon.net.deadlines import Timers
from daemon.net.endpoint import Endpoint, is_link_local, is_loopback

KEEPALIVE_IDLE_SECONDS: Final = 60
KEEPALIVE_INTERVAL_SECONDS: Final = 15
KEEPALIVE_PROBES: Final = 4
# As long as the probes take: a shorter value would override them and end an idle line after one lost packet.
USER_TIMEOUT_MS: Final = (KEEPALIVE_IDLE_SECONDS + KEEPALIVE_INTERVAL_SECONDS * KEEPALIVE_PROBES) * 1000
MOST_ADDRESSES: Final = 8

Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]


async def dial(endpoint: Endpoint, timers: Timers) -> socket.socket:
    """A connected non-blocking socket, keepalive set.

    Raises:
        ConnectionLost: reasons dns, refused, unreachable, timeout.
        LocalProtocolError: `tls = "none"` and the name leads beyond this machine.
    """
    addresses = await look_up(endpoint.host, endpoint.port, timers)
    if (
        endpoint.is_foreign
    ):  # what was looked up is what is connected to: a name cannot lead elsewhere in between
        addresses = [one for one in addresses if not is_link_local(one[1][0])]
        if not addresses:
            raise ConnectionLost(f"{endpoint.host} is no address that is connected to", reason="unreachable")
    if endpoint.tls is Tls.NONE and not all(is_loopback(where[0]) for _, where in addresses):
        raise LocalProtocolError(
            f"{endpoint.host} is not this machine, so the line must be encrypted",
            reason="tls_required",
            remedy='set tls to "implicit" or "starttls"',
        )
    return await _race(addresses, endpoint, timers)


async def look_up(host: str, port: int, timers: Timers) -> list[Address]:
    """Addresses of a host, families alternating; literals need no look-up."""
    is_literal = _is_literal(host)
    flags = socket.AI_NUMERICHOST if is_literal else socket.AI_ADDRCONFIG

    def ask() -> list[tuple[socket.AddressFamily, int, int, str, object]]:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)  # type: ignore[return-value]

    try:
        if is_literal:
            found = ask()
        else:
            async with asyncio.timeout(timers.resolve_seconds):
                found = await threads.DIAL_THREADS.run(ask)
    except TimeoutError as exc:
        raise ConnectionLost(
            f"looking up {host} takes too long", reason="dns", remedy="check this machine's DNS"
        ) from exc
    except (OSError, UnicodeError) as exc:
        raise foreign.map_lookup_error(exc, host) from exc
    unique: dict[Address, None] = {(family, where): None for family, _, _, _, where in found}  # type: ignore[misc]
    if not unique:
        raise ConnectionLost(f"{host} has no address", reason="dns")
    return alternate(list(unique))[:MOST_ADDRESSES]


def alternate(addresses: list[Address]) -> list[Address]:
    """The same addresses with families taking turns, the first one's family first (RFC 8305 §4)."""
    first = [one for one in addresses if one[0] == addresses[0][0]]
    others = [one for one in addresses if one[0] != addresses[0][0]]
    return [one for one in chain.from_iterable(zip_longest(first, others)) if one is not None]


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


async def _race(addresses: list[Address], endpoint: Endpoint, timers: Timers) -> socket.socket:
    """The first socket that connects; all others are closed, whatever happens."""
    tries: list[asyncio.Task[socket.socket]] = []
    errors: list[OSError] = []
    winner: socket.socket | None = None
    waiting = list(addresses)
    try:
        while waiting or any(not task.done() for task in tries):
            if waiting:
                family, where = waiting.pop(0)
                tries.append(
                    asyncio.create_task(
                        _connect(family, where, timers), name=f"dial {endpoint.host} {where[0]}"
                    )
                )
            running = [task for task in tries if not task.done()]
            done, _ = await asyncio.wait(
                running,
                timeout=timers.stagger_seconds if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                error = task.exception()
                if error is None:
                    winner = task.result()
                    return winner
                if not isinstance(error, OSError):
                    raise error
                errors.append(error)
        raise foreign.map_connect_error(_most_telling(errors), endpoint.host, endpoint.port) from errors[0]
    finally:
        try:
            await _abandon(tries, winner)
        except asyncio.CancelledError:
            if winner is not None:
                winner.close()
            raise


async def _abandon(tries: list[asyncio.Task[socket.socket]], winner: socket.socket | None) -> None:
    for task in tries:
        task.cancel()
    for outcome in await asyncio.gather(*tries, return_exceptions=True):
        if isinstance(outcome, socket.socket) and outcome is not winner:
            outcome.close()


async def _connect(
    family: socket.AddressFamily, where: tuple[str, int] | tuple[str, int, int, int], timers: Timers
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        _set_options(sock)
        async with asyncio.timeout(timers.connect_seconds):
            await asyncio.get_running_loop().sock_connect(sock, where)
    except BaseException:
        sock.close()
        raise
    return sock


def _set_options(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)


def _most_telling(errors: list[OSError]) -> OSError:
    """The error that says most: refused means the host is there; one family without a route says least."""
    for kind in (ConnectionRefusedError, TimeoutError):
        for error in errors:
            if isinstance(error, kind):
                return error
    return errors[0]
