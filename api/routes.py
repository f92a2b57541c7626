"""The table of routes: path, method, handler, scope and what is answered. There is no other place that adds one."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from aiohttp import web
from pydantic import BaseModel

from api import accounts, advice, events, held, jobs, messages, operations, raw, reading, schemas, status

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Scope(StrEnum):
    """What a token must be allowed to do; open routes need none. The one admin token may do all."""

    OPEN = "open"
    STATUS = "status"
    READ = "read"
    WRITE = "write"
    CONTROL = "control"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route. `answers` has the model of each good status; None is a body that is not JSON."""

    method: str
    path: str
    handler: Handler
    scope: Scope
    answers: Mapping[int, type[BaseModel] | None]
    query: type[BaseModel] = schemas.NoQuery
    body: type[BaseModel] | None = None
    refuses: tuple[str, ...] = field(default=())


_JOB: Final[Mapping[int, type[BaseModel]]] = {200: schemas.JobAnswer, 202: schemas.JobAnswer}
_OPERATION: Final[Mapping[int, type[BaseModel]]] = {
    200: schemas.OperationAnswer,
    202: schemas.OperationAnswer,
}

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        method="GET",
        path="/livez",
        handler=status.get_livez,
        scope=Scope.OPEN,
        answers={200: schemas.Alive},
    ),
    Route(
        method="GET",
        path="/readyz",
        handler=status.get_readyz,
        scope=Scope.OPEN,
        answers={200: schemas.Alive},
        refuses=("not_ready",),
    ),
    Route(
        method="GET",
        path="/v1/status",
        handler=status.get_status,
        scope=Scope.STATUS,
        answers={200: schemas.Status},
        query=schemas.StatusQuery,
    ),
    Route(
        method="GET",
        path="/v1/accounts/{account}/health",
        handler=accounts.get_health,
        scope=Scope.STATUS,
        answers={200: schemas.Health},
        refuses=("account_unknown", "account_unhealthy"),
    ),
    Route(
        method="GET",
        path="/v1/accounts/{account}/mailboxes",
        handler=accounts.get_mailboxes,
        scope=Scope.READ,
        answers={200: schemas.MailboxList},
        refuses=("account_unknown",),
    ),
    *(
        Route(
            method="POST",
            path=f"/v1/accounts/{{account}}/{verb}",
            handler=handler,
            scope=Scope.CONTROL,
            answers=_JOB,
            query=schemas.WaitQuery,
            refuses=("account_unknown", "too_busy"),
        )
        for verb, handler in (
            ("sync", accounts.post_sync),
            ("pause", accounts.post_pause),
            ("resume", accounts.post_resume),
            ("reconnect", accounts.post_reconnect),
        )
    ),
    Route(
        method="GET",
        path="/v1/accounts/{account}/held",
        handler=held.get_held,
        scope=Scope.READ,
        answers={200: schemas.HeldList},
        refuses=("account_unknown",),
    ),
    Route(
        method="POST",
        path="/v1/accounts/{account}/held/approve",
        handler=held.post_approve,
        scope=Scope.CONTROL,
        answers=_JOB,
        query=schemas.WaitQuery,
        body=schemas.HeldMailbox,
        refuses=("account_unknown", "hold_unknown", "too_busy"),
    ),
    Route(
        method="POST",
        path="/v1/advise",
        handler=advice.post_advise,
        scope=Scope.CONTROL,
        answers={200: schemas.AdviceAnswer},
        body=schemas.AdviceRequest,
        refuses=("address_invalid", "too_busy"),
    ),
    Route(
        method="GET",
        path="/v1/jobs/{id}",
        handler=jobs.get_job,
        scope=Scope.CONTROL,
        answers={200: schemas.JobAnswer},
        refuses=("job_unknown",),
    ),
    Route(
        method="GET",
        path="/v1/messages",
        handler=messages.get_messages,
        scope=Scope.READ,
        answers={200: schemas.MessageList},
        query=schemas.MessagesQuery,
        refuses=("account_unknown", "cursor_invalid"),
    ),
    Route(
        method="GET",
        path="/v1/messages/{id}",
        handler=messages.get_message,
        scope=Scope.READ,
        answers={200: schemas.MessageItem},
        refuses=("message_unknown",),
    ),
    Route(
        method="GET",
        path="/v1/messages/{id}/raw",
        handler=raw.get_raw,
        scope=Scope.READ,
        answers={200: None, 304: None},
        refuses=("message_unknown", "message_gone", "message_changed"),
    ),
    Route(
        method="PATCH",
        path="/v1/messages/{id}",
        handler=messages.patch_message,
        scope=Scope.WRITE,
        answers=_OPERATION,
        query=schemas.WaitQuery,
        body=schemas.MessagePatch,
        refuses=(
            "message_unknown",
            "flag_invalid",
            "flags_contradict",
            "flags_empty",
            "operation_failed",
            "operation_uncertain",
            "too_busy",
        ),
    ),
    Route(
        method="DELETE",
        path="/v1/messages/{id}",
        handler=messages.delete_message,
        scope=Scope.WRITE,
        answers=_OPERATION,
        query=schemas.WaitQuery,
        refuses=("message_unknown", "operation_failed", "operation_uncertain", "too_busy"),
    ),
    Route(
        method="GET",
        path="/v1/operations/{id}",
        handler=operations.get_operation,
        scope=Scope.READ,
        answers={200: schemas.OperationAnswer},
        query=schemas.WaitQuery,
        refuses=("operation_unknown", "too_busy"),
    ),
    Route(
        method="GET",
        path="/v1/events",
        handler=events.get_events,
        scope=Scope.READ,
        answers={200: schemas.EventList},
        query=schemas.EventsQuery,
        refuses=("events_gone", "too_busy"),
    ),
)


def add_to(router: web.UrlDispatcher) -> dict[web.AbstractRoute, Route]:
    """Add every route, HEAD beside each GET; the routes by what the router knows them as."""
    known: dict[web.AbstractRoute, Route] = {}
    for route in ROUTES:
        for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):
            added = router.add_route(method, route.path, route.handler, expect_handler=reading.hold_back)
            known[added] = route
    return known
