"""Problem details: every answer from 400 on, from one table of stable codes (RFC 9457).

`code` is what programs compare; `title` is the status's own phrase, as RFC 9457 §4.2.1 asks of `about:blank`; `detail`
is the table's sentence. Nothing that a client sent, no error's own text and no traceback is ever repeated. `reason`
is the stable code of the service where it is finer than ours.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import orjson
from aiohttp import web
from pydantic import ValidationError

from daemon.model.errors import InvalidRequest, MailError, NotFound, StoreError

CONTENT_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the table."""

    status: int
    detail: str


PROBLEMS: Final[Mapping[str, Entry]] = {
    "request_malformed": Entry(400, "This is not well-formed HTTP."),
    "parameter_invalid": Entry(
        400, "A query parameter is unknown, repeated or has a value that cannot be used."
    ),
    "cursor_invalid": Entry(
        400, "The cursor is not one of ours, or belongs to another query. Begin without one."
    ),
    "json_invalid": Entry(400, "The body is not JSON as RFC 8259 and RFC 7493 have it."),
    "unauthorized": Entry(401, "A valid token is needed: Authorization: Bearer TOKEN."),
    "origin_forbidden": Entry(403, "Requests made by pages of other sites are refused."),
    "not_found": Entry(404, "There is no such resource."),
    "account_unknown": Entry(404, "There is no such account."),
    "hold_unknown": Entry(
        404, "No deletions are held in this mailbox; GET /v1/accounts/{account}/held says in which they are."
    ),
    "mailbox_unknown": Entry(404, "There is no such mailbox."),
    "message_unknown": Entry(404, "There is no such message."),
    "message_gone": Entry(404, "The message's file was moved or removed a moment ago."),
    "operation_unknown": Entry(404, "There is no such operation."),
    "job_unknown": Entry(404, "There is no such job in this run of the service."),
    "method_not_allowed": Entry(405, "The resource does not know this method; see Allow."),
    "request_timeout": Entry(408, "The request did not arrive in time."),
    "events_gone": Entry(
        410, "The journal does not reach back to this id, or never gave it. Read the state again, then go on."
    ),
    "body_too_large": Entry(413, "The body is larger than 1 MiB."),
    "media_type_unsupported": Entry(415, "A body must be application/json, without a content coding."),
    "expectation_failed": Entry(417, "The only expectation met is 100-continue."),
    "host_misdirected": Entry(421, "The Host header does not name this service. See [api] hosts."),
    "body_invalid": Entry(422, "A field of the body is unknown, missing or has a value that cannot be used."),
    "request_invalid": Entry(422, "The request is understood and cannot be carried out."),
    "address_invalid": Entry(422, "This is neither an address nor a host name."),
    "flag_invalid": Entry(422, "A flag is not one that a client can set."),
    "flags_contradict": Entry(422, "A flag cannot be added and removed at once."),
    "flags_empty": Entry(422, "No flag is to be added or removed."),
    "internal": Entry(500, "Something went wrong here. The log has the rest."),
    "operation_failed": Entry(502, "The mail server refused what was asked; see operation."),
    "operation_uncertain": Entry(
        502, "Whether the mail server did what was asked is unknown; see operation."
    ),
    "not_ready": Entry(503, "The service is starting or stopping."),
    "account_unhealthy": Entry(503, "The account needs someone to look at it."),
    "too_busy": Entry(503, "Too many requests are waiting already. Try again."),
    "unavailable": Entry(503, "The service cannot do this now. Try again."),
    "message_changed": Entry(
        503, "The message's file is not what the index says; the next pass will look at it."
    ),
    "store_io": Entry(503, "The store cannot be read or written."),
    "store_readonly": Entry(503, "The store cannot be written: permissions, or a read-only file system."),
    "store_foreign": Entry(503, "The mail directory is missing, empty or of another store."),
    "store_damaged": Entry(503, "The store is damaged."),
    "disk_full": Entry(507, "The disk is full."),
}

_CODE_OF_STATUS: Final = {
    400: "request_malformed",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "media_type_unsupported",
    417: "expectation_failed",
}
_EXPLAINED: Final = frozenset({"account_unknown", "flag_invalid", "flags_contradict"})
"""Their errors say what the client itself named, and what there is instead: told as `hint`."""

_SLUG: Final = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field or parameter and what is wrong with it."""

    field: str
    problem: str


class Problem(Exception):
    """A refusal: raised anywhere in a request, answered by the `refusals` gate."""

    def __init__(
        self,
        code: str,
        *,
        fields: Sequence[FieldProblem] = (),
        members: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        is_last: bool = False,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.fields = tuple(fields)
        self.members = dict(members or {})
        self.headers = dict(headers or {})
        self.is_last = is_last

    @property
    def status(self) -> int:
        return PROBLEMS[self.code].status

    def body(self) -> bytes:
        """The problem as JSON; members of the problem never replace the standard ones."""
        entry = PROBLEMS[self.code]
        document: dict[str, object] = {
            **self.members,
            "type": "about:blank",
            "title": HTTPStatus(entry.status).phrase,
            "status": entry.status,
            "code": self.code,
            "detail": entry.detail,
        }
        if self.fields:
            document["errors"] = [{"field": item.field, "problem": item.problem} for item in self.fields]
        return orjson.dumps(document)

    def response(self) -> web.Response:
        """The answer; `is_last` closes the connection after it."""
        response = web.Response(
            status=self.status, body=self.body(), content_type=CONTENT_TYPE, headers=self.headers
        )
        if self.is_last:
            response.force_close()
        return response


def problem_of_mail_error(error: MailError) -> Problem:
    """The problem for an error of the service: by its reason where the table has it, else by its kind."""
    if error.reason in _EXPLAINED:
        hint = f"{error}; {error.remedy}" if error.remedy else str(error)
        return Problem(error.reason, members={"hint": hint})
    if error.reason in PROBLEMS:
        return Problem(error.reason)
    members = {"reason": error.reason} if _SLUG.match(error.reason) else None
    match error:
        case NotFound():
            return Problem("not_found", members=members)
        case InvalidRequest():
            return Problem("request_invalid", members=members)
        case StoreError():
            return Problem("store_io", members=members)
        case _:
            return Problem("unavailable", members=members)


def problem_of_http(error: web.HTTPException) -> Problem:
    """The problem for what aiohttp itself refuses; `Allow` is kept."""
    code = _CODE_OF_STATUS.get(error.status, "request_malformed" if error.status < 500 else "internal")
    allow = error.headers.get("Allow")
    return Problem(
        code,
        headers={"Allow": ", ".join(sorted(allow.replace(" ", "").split(",")))} if allow else None,
        is_last=error.status == 413,
    )


def problem_of_validation(code: str, error: ValidationError) -> Problem:
    """The problem for a body or query that does not fit its model; names the fields, repeats no value."""
    return Problem(
        code,
        fields=[
            FieldProblem(_field_name(item["loc"]), item["msg"])
            for item in error.errors(include_url=False, include_context=False, include_input=False)[:20]
        ],
    )


def _field_name(location: tuple[int | str, ...]) -> str:
    """`flags.add.0`; a part that is not a plain word came from outside and is left unsaid."""
    return ".".join(
        str(part) if isinstance(part, int) or _SLUG.match(part) else "(unknown)" for part in location
    )
