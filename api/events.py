"""GET /v1/events: the journal, as a long poll or as server-sent events (WHATWG HTML §9.2).

`since` is an id from any earlier answer; without it, what is kept is told from its beginning. A place that is no more
is 410 in JSON and the event `reset` in a stream, which then goes on from the present. Streams carry no state of ours:
a slow reader is read for at its own pace, and dropped when it takes nothing for a minute.
"""

import re
from typing import Final

import orjson
from aiohttp import web

from api import limits, schemas, shaping
from api.answers import answer
from api.connection import connection_of
from api.context import STREAMS, WAITS, control_of
from api.problems import FieldProblem, Problem
from api.reading import read_query
from daemon.model.errors import MailError
from daemon.model.events import Event, EventName
from daemon.model.ids import EventId
from daemon.service.control.facade import Control

BATCH: Final = 256
MAX_EVENTS: Final = 1000
HEARTBEAT_SECONDS: Final = 15.0
RETRY_MS: Final = 2000
_EVENT_ID: Final = re.compile(r"[\x21-\x7e]{1,100}\Z")


async def get_events(request: web.Request) -> web.StreamResponse:
    """Events after `since`: a stream where the client takes `text/event-stream`, else one JSON answer."""
    query = read_query(request, schemas.EventsQuery)
    types = _types_of(query.types)
    connection_of(request).end_with_line()
    if "text/event-stream" in request.headers.get("Accept", "").lower():
        async with request.app[STREAMS].hold():
            return await _stream(request, _last_seen(request) or query.since, types)
    wait = min(query.timeout or 0.0, limits.MAX_WAIT_SECONDS)
    if not wait:
        return await _poll(request, query, types, None)
    async with request.app[WAITS].hold():
        return await _poll(request, query, types, wait)


async def _poll(
    request: web.Request, query: schemas.EventsQuery, types: frozenset[EventName] | None, wait: float | None
) -> web.Response:
    control = control_of(request)
    limit = min(query.limit, MAX_EVENTS)
    latest = control.latest_event_id()
    events = await control.events_since(query.since, types=types, limit=limit, wait_seconds=wait)
    return answer(shaping.event_list(events, _following(events, latest, limit)))


async def _stream(
    request: web.Request, since: str | None, types: frozenset[EventName] | None
) -> web.StreamResponse:
    control = control_of(request)
    async with control.subscribe_events() as news:
        position, events, is_reset = await _begin(control, since, types)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        await response.write(f"retry: {RETRY_MS}\n\n".encode())
        if is_reset:
            await response.write(_frame(position, "reset", orjson.dumps({"event_id": position})))
        while True:
            if events:
                await response.write(b"".join(_frame_of(event) for event in events))
            if len(events) < BATCH and not await news.wait(HEARTBEAT_SECONDS):
                await response.write(b": still here\n\n")
            latest = control.latest_event_id()
            events = await control.events_since(position, types=types, limit=BATCH)
            position = _following(events, latest, BATCH)


async def _begin(
    control: Control, since: str | None, types: frozenset[EventName] | None
) -> tuple[EventId, tuple[Event, ...], bool]:
    """Where the stream stands after its first events, these events, and whether the place asked for is no more."""
    latest = control.latest_event_id()
    try:
        events = await control.events_since(since, types=types, limit=BATCH)
    except MailError as error:
        if error.reason != "events_gone":
            raise
        return latest, (), True
    return _following(events, latest, BATCH), events, False


def _following(events: tuple[Event, ...], latest: EventId, limit: int) -> EventId:
    """The place up to which everything was read: the last event of a full answer, else at least `latest`, the
    journal's end before it was read. So a rare type does not leave its reader in a part that is pruned.
    """
    if not events:
        return latest
    return events[-1].id if len(events) >= limit else max(events[-1].id, latest)


def _last_seen(request: web.Request) -> str | None:
    """What a browser says when it comes back; newer than the `since` in the address it comes back to."""
    text = request.headers.get("Last-Event-ID")
    if text and not _EVENT_ID.match(text):
        raise Problem("parameter_invalid", fields=[FieldProblem("Last-Event-ID", "is not an id of ours")])
    return text or None


def _types_of(text: str | None) -> frozenset[EventName] | None:
    if text is None:
        return None
    try:
        return frozenset(EventName(part) for part in text.split(","))
    except ValueError as error:
        names = ", ".join(EventName)
        raise Problem(
            "parameter_invalid", fields=[FieldProblem("types", f"has a name that is none of: {names}")]
        ) from error


def _frame_of(event: Event) -> bytes:
    return _frame(event.id, event.name, orjson.dumps(shaping.event_item(event).model_dump(mode="json")))


def _frame(event_id: EventId, name: str, data: bytes) -> bytes:
    """JSON has no line ends outside strings and escapes them inside, so one `data:` line always does."""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (event_id.encode(), name.encode(), data)
