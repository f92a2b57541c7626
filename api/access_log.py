"""The access log: one line an answer, with the route's template in place of what was sent.

Ids, names of accounts and mailboxes, queries and header fields stay out of it.
"""

from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from api.connection import connection_of
from api.context import ROUTE_NAME

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})

log = structlog.stdlib.get_logger("api")


class AccessLog(AbstractAccessLogger):
    """Writes `api.answered`."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """One answer; `time` is seconds. Reads are of interest to nobody but who looks for a fault: a dashboard asks
        every second.
        """
        connection = connection_of(request)
        is_read = request.method in {"GET", "HEAD"} and response.status < HTTPStatus.INTERNAL_SERVER_ERROR
        (log.debug if is_read else log.info)(
            "api.answered",
            method=request.method if request.method in _METHODS else "other",
            route=request.get(ROUTE_NAME, "none"),
            status=response.status,
            bytes=response.body_length,
            duration_ms=round(time * 1000, 1),
            listener=connection.listener.kind,
            peer=connection.peer_name,
        )
