"""The application: gates in their order, routes from the table, what handlers need.

Order matters. Outermost, refusals become problems; then Host, before anything else is believed; then Origin; then the
token; then the handler, which alone reads a body.
"""

from aiohttp import web

from api import auth, headers, limits, routes
from api.context import CONTROL, FAILED_LOGINS, STREAMS, WAITS
from api.hosts import hosts
from api.origins import origins
from api.refusals import refusals
from api.throttle import FailedLogins
from daemon.model.clock import Clock
from daemon.service.control.facade import Control


def make_app(control: Control, *, clock: Clock) -> web.Application:
    """The application over `control`; served by `api.server`, whose connections the gates rely on."""
    app = web.Application(client_max_size=limits.MAX_BODY_BYTES)
    known = routes.add_to(app.router)
    app.middlewares.extend((refusals, hosts, origins, auth.gate(known)))
    app[CONTROL] = control
    app[FAILED_LOGINS] = FailedLogins(clock)
    app[STREAMS] = limits.Places(limits.MAX_STREAMS)
    app[WAITS] = limits.Places(limits.MAX_WAITS)
    app.on_response_prepare.append(headers.on_prepare)
    app.on_shutdown.append(_let_go)
    return app


async def _let_go(app: web.Application) -> None:
    """Streams and waits end now: what was asked for is durable, and a client comes back with its id."""
    app[STREAMS].close()
    app[WAITS].close()
