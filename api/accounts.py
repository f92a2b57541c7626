"""/v1/accounts/{account}: health, its mailboxes, and what can be asked of it."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from api import schemas, shaping
from api.answers import answer, job_answer, wait_of
from api.context import WAITS, control_of
from api.problems import Problem
from api.reading import expect_no_body, read_query
from daemon.model.jobs import Job


def account_of(request: web.Request) -> str:
    """The account's name as given; the service decides whether there is one."""
    return request.match_info["account"]


async def get_health(request: web.Request) -> web.Response:
    """200 when nobody needs to look at the account, else 503 with the same members."""
    control = control_of(request)
    account = account_of(request)
    body = shaping.health(control.account_status(account))
    if not control.is_account_healthy(account):
        raise Problem(
            "account_unhealthy", members={**body.model_dump(mode="json"), "account_detail": body.detail}
        )
    return answer(body)


async def get_mailboxes(request: web.Request) -> web.Response:
    """The account's mailboxes, INBOX first."""
    found = await control_of(request).list_mailboxes(account_of(request))
    return answer(schemas.MailboxList(items=[shaping.mailbox_item(one) for one in found]))


async def post_sync(request: web.Request) -> web.Response:
    """A full pass in both directions, begun after this request."""
    return await _ask(request, control_of(request).request_sync)


async def post_pause(request: web.Request) -> web.Response:
    """Let go of the server until resumed, over restarts too."""
    return await _ask(request, control_of(request).pause)


async def post_resume(request: web.Request) -> web.Response:
    """Go on; refused logins are forgotten."""
    return await _ask(request, control_of(request).resume)


async def post_reconnect(request: web.Request) -> web.Response:
    """A new connection now; refused logins and waiting times are forgotten."""
    return await _ask(request, control_of(request).reconnect)


async def _ask(request: web.Request, ask: Callable[..., Awaitable[Job]]) -> web.Response:
    await expect_no_body(request)
    wait = wait_of(read_query(request, schemas.WaitQuery))
    if wait is None:
        return job_answer(await ask(account_of(request), wait_seconds=None), has_waited=False)
    async with request.app[WAITS].hold():
        return job_answer(await ask(account_of(request), wait_seconds=wait), has_waited=True)
