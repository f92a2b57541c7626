"""The Host gate: a name that is not ours is answered 421 on every route, before anything else is looked at.

A page on any site can make a browser resolve its own name to 127.0.0.1 and then read what the service answers (DNS
rebinding); the one thing it cannot do is send our name. Names are compared whole, port included, with a list made
when the listener is bound: nothing is parsed, so nothing is parsed wrongly. Unix sockets have no names and no browser.
RFC 9110 §7.4 (421), RFC 9112 §3.2 (Host, absolute form).
"""

import ipaddress
from collections.abc import Iterable
from typing import Final

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.typedefs import Handler

from api.connection import listener_of
from api.problems import Problem

LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")


def allowed_hosts(*, address: str, port: int, is_tls: bool, named: Iterable[str] = ()) -> frozenset[str]:
    """The Host values a listener answers to.

    Args:
        address: The IP address it is bound to; counts as a name unless it is a wildcard.
        port: The bound port. May be left out by clients only where it is the scheme's own.
        is_tls: Decides which port is the scheme's own.
        named: `[api] hosts`: `name`, with the bound port or none (a proxy in front), or `name:port` exactly.
    """
    allowed: set[str] = set()
    names = set(LOOPBACK_NAMES)
    ip = ipaddress.ip_address(address)
    if not ip.is_unspecified:
        names.add(f"[{ip}]" if ip.version == 6 else str(ip))
    for name in names:
        allowed.add(f"{name}:{port}")
        if port == (443 if is_tls else 80):
            allowed.add(name)
    for entry in named:
        name = entry.lower()
        allowed.add(name)
        if not _has_port(name):
            allowed.add(f"{name}:{port}")
    return frozenset(allowed)


def _has_port(name: str) -> bool:
    head, colon, tail = name.rpartition(":")
    return bool(colon) and tail.isdigit() and (":" not in head or head.endswith("]"))


@web.middleware
async def hosts(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The handler's answer when the request was meant for us; 421 otherwise."""
    if request.version not in (HttpVersion10, HttpVersion11):
        raise Problem("request_malformed", is_last=True)
    listener = listener_of(request)
    if not request.raw_path.startswith("/") and request.raw_path != "*":
        raise Problem("host_misdirected", is_last=True)
    if not listener.is_socket:
        given = request.headers.getall("Host", [])
        if len(given) != 1 or given[0].lower() not in listener.hosts:
            raise Problem("host_misdirected", is_last=True)
    return await handler(request)
