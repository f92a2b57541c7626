"""/v1/accounts/{account}/held: deletions that wait for a person, and the word that lets them go on."""

from aiohttp import web

from api import schemas
from api.accounts import account_of
from api.answers import answer, job_answer, wait_of
from api.context import WAITS, control_of
from api.reading import read_body, read_query
from api.shaping import clean, moment


async def get_held(request: web.Request) -> web.Response:
    """What is held, by mailbox."""
    held = control_of(request).held_deletions(account_of(request))
    return answer(
        schemas.HeldList(
            items=[
                schemas.HeldItem(
                    mailbox=clean(one.mailbox),
                    side=one.side,
                    count=one.count,
                    total=one.size,
                    reason=one.reason,
                    since=moment(one.since),
                )
                for one in held
            ]
        )
    )


async def post_approve(request: web.Request) -> web.Response:
    """Let exactly those deletions go on that are held now, in a pass begun after this request."""
    named = (await read_body(request, schemas.HeldMailbox)).mailbox
    wait = wait_of(read_query(request, schemas.WaitQuery))
    control, account = control_of(request), account_of(request)
    held = {clean(one.mailbox): one.mailbox for one in control.held_deletions(account)}
    mailbox = held.get(named, named)
    if wait is None:
        job = await control.approve_deletions(account, mailbox, wait_seconds=None)
        return job_answer(job, has_waited=False)
    async with request.app[WAITS].hold():
        job = await control.approve_deletions(account, mailbox, wait_seconds=wait)
    return job_answer(job, has_waited=True)
