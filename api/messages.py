"""/v1/messages: list, read, change and delete.

A change is durable before it is answered; the server follows, and `wait` says how long the answer may wait for it.
"""

from dataclasses import replace

from aiohttp import web

from api import limits, schemas, shaping
from api.answers import answer, operation_answer, wait_of
from api.context import WAITS, control_of
from api.cursors import format_cursor, parse_cursor
from api.reading import expect_no_body, read_body, read_query
from daemon.model.flags import Flag
from daemon.model.ids import AccountId, MailboxName
from daemon.model.message import MessageQuery


async def get_messages(request: web.Request) -> web.Response:
    """One page, newest first, over all accounts unless one is named."""
    control = control_of(request)
    asked = read_query(request, schemas.MessagesQuery)
    query = MessageQuery(
        account=None if asked.account is None else AccountId(asked.account),
        mailbox=None if asked.mailbox is None else MailboxName(asked.mailbox),
        unread=asked.unread,
        limit=min(asked.limit, limits.MAX_PAGE),
    )
    if asked.cursor is not None:
        query = replace(query, after=parse_cursor(query, asked.cursor))
    # Taken before the page is read: what changes while it is read is then told again rather than missed.
    state = control.latest_event_id()
    page = await control.list_messages(query)
    return answer(
        schemas.MessageList(
            items=[shaping.message_item(message) for message in page.items],
            next=None if page.next_after is None else format_cursor(query, page.next_after),
            state=state,
        )
    )


async def get_message(request: web.Request) -> web.Response:
    """One message."""
    return answer(shaping.message_item(await control_of(request).get_message(request.match_info["id"])))


async def patch_message(request: web.Request) -> web.Response:
    """Add and remove flags."""
    control = control_of(request)
    wait = wait_of(read_query(request, schemas.WaitQuery))
    flags = (await read_body(request, schemas.MessagePatch)).flags
    message_id = request.match_info["id"]
    add = frozenset(Flag(text) for text in flags.add)
    remove = frozenset(Flag(text) for text in flags.remove)
    if wait is None:
        operation = await control.change_flags(message_id, add=add, remove=remove, wait_seconds=None)
        return operation_answer(operation, has_waited=False)
    async with request.app[WAITS].hold():
        operation = await control.change_flags(message_id, add=add, remove=remove, wait_seconds=wait)
        return operation_answer(operation, has_waited=True)


async def delete_message(request: web.Request) -> web.Response:
    """Delete here and there; the message is no longer shown when this answers."""
    control = control_of(request)
    await expect_no_body(request)
    wait = wait_of(read_query(request, schemas.WaitQuery))
    message_id = request.match_info["id"]
    if wait is None:
        return operation_answer(await control.delete_message(message_id, wait_seconds=None), has_waited=False)
    async with request.app[WAITS].hold():
        return operation_answer(await control.delete_message(message_id, wait_seconds=wait), has_waited=True)
