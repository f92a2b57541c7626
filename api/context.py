"""What an application carries for its handlers and gates, each under a typed key."""

from typing import Final

from aiohttp import web

from api.limits import Places
from api.throttle import FailedLogins
from daemon.service.control.facade import Control

CONTROL: Final = web.AppKey("control", Control)
FAILED_LOGINS: Final = web.AppKey("failed_logins", FailedLogins)
STREAMS: Final = web.AppKey("streams", Places)
WAITS: Final = web.AppKey("waits", Places)
ROUTE_NAME: Final = web.RequestKey("route_name", str)
"""The template of the matched route, for the log; never the path that was sent."""


def control_of(request: web.Request) -> Control:
    """The service behind this request."""
    return request.app[CONTROL]
