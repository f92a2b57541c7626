"""GET /livez, /readyz and /v1/status: what needs no disk and no server to be said."""

from aiohttp import web

from api import schemas, shaping
from api.answers import answer
from api.context import control_of
from api.problems import Problem
from api.reading import read_query
from daemon.model.service_status import ServiceStatus, last_sync_age_seconds


async def get_livez(_request: web.Request) -> web.Response:
    """200 while the process answers at all."""
    return answer(schemas.Alive(state="alive"))


async def get_readyz(request: web.Request) -> web.Response:
    """200 when the store is open and every account has its task, else 503."""
    if not control_of(request).is_ready():
        raise Problem("not_ready", headers={"Retry-After": "1"})
    return answer(schemas.Alive(state="ready"))


async def get_status(request: web.Request) -> web.Response:
    """The whole service, always 200; `format=text` for eyes."""
    query = read_query(request, schemas.StatusQuery)
    status = control_of(request).status()
    if query.format == "text":
        return web.Response(text=format_status(status))
    return answer(shaping.service_status(status))


def format_status(status: ServiceStatus) -> str:
    """A line for the service and one for each account."""
    head = f"{status.state}: {len(status.accounts)} accounts, {status.unread} unread of {status.total}"
    lines = [f"{head}, up {status.uptime_seconds:.0f} s, version {status.version}"]
    width = max((len(account) for account in status.accounts), default=0)
    for account, one in status.accounts.items():
        age = last_sync_age_seconds(one, status.at)
        line = f"{account:{width}}  {one.protocol:4}  {one.state:11}  {one.unread} unread of {one.total}"
        line += "  never synced" if age is None else f"  synced {age:.0f} s ago"
        for text in (one.reason, one.detail, one.remedy):
            if text:
                line += f"  {shaping.clean(text)}"
        lines.append(line)
    return "\n".join(lines) + "\n"
