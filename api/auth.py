"""The token gate: every route but the open ones needs `Authorization: Bearer TOKEN` (RFC 6750 §2.1).

On the control socket the peer itself is the proof: root, our own user and our own group need no token (SO_PEERCRED);
anybody else needs one there too. A missing, malformed and wrong token get the same answer. Basic is never offered or
taken, so no browser keeps a credential for us. Unknown paths need a token as well.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from api.connection import Connection, ListenerKind, connection_of
from api.context import CONTROL, FAILED_LOGINS, ROUTE_NAME
from api.problems import Problem
from api.routes import Route, Scope

_TOKEN: Final = re.compile(r"bearer +(\S.{0,4095})\Z", re.IGNORECASE)
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="mailsyncd"'}

log = structlog.stdlib.get_logger("api")


def gate(routes: Mapping[web.AbstractRoute, Route]) -> Middleware:
    """The gate for these routes."""

    @web.middleware
    async def auth(request: web.Request, handler: Handler) -> web.StreamResponse:
        route = routes.get(request.match_info.route)
        if route is not None and route.scope is Scope.OPEN:
            return await handler(request)
        connection = connection_of(request)
        if not (_is_trusted_peer(connection) or _has_token(request)):
            delay = request.app[FAILED_LOGINS].count(connection.peer_name)
            log.warning("api.login_refused", peer=connection.peer_name, route=request[ROUTE_NAME])
            await asyncio.sleep(delay)
            raise Problem("unauthorized", headers=_CHALLENGE)
        return await handler(request)

    return auth


def _is_trusted_peer(connection: Connection) -> bool:
    return (
        connection.listener.kind is ListenerKind.CONTROL
        and connection.peer is not None
        and connection.peer.is_trusted
    )


def _has_token(request: web.Request) -> bool:
    given = request.headers.getall("Authorization", [])
    if len(given) != 1:
        return False
    match = _TOKEN.match(given[0])
    return match is not None and request.app[CONTROL].authenticate(match[1])
