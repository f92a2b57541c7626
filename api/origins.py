"""The Origin gate: requests that a browser makes for another site's page are answered 403 before any handler.

There is no CORS, so no preflight is ever answered with permission. `Origin` must be exactly our own scheme and Host;
`null` never is. `Sec-Fetch-Site: same-site` counts as another site: every port of localhost is one site (Fetch
Metadata §2.3). Sockets are not reached by browsers: an Origin there is refused as well.
"""

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from api.connection import listener_of
from api.problems import Problem

OWN_SITES: Final = frozenset({"same-origin", "none"})


@web.middleware
async def origins(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The handler's answer when no other site's page stands behind the request; 403 otherwise."""
    listener = listener_of(request)
    for site in request.headers.getall("Sec-Fetch-Site", []):
        if site.lower() not in OWN_SITES:
            raise Problem("origin_forbidden")
    given = request.headers.getall("Origin", [])
    if given:
        scheme = "https" if listener.is_tls else "http"
        own = f"{scheme}://{request.headers.get('Host', '')}"
        if listener.is_socket or any(origin.lower() != own.lower() for origin in given):
            raise Problem("origin_forbidden")
    return await handler(request)
