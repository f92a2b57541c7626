"""Reading what a client sent: query and body into models, within limits.

JSON only, never form data. A body is read once, within 1 MiB and 15 s; content codings are refused, so nothing is
decompressed. What RFC 7493 (I-JSON) forbids is refused: NaN, lone surrogates, names given twice.
"""

import asyncio
import json
import re
from typing import Final, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from api import limits
from api.problems import FieldProblem, Problem, problem_of_validation

M = TypeVar("M", bound=BaseModel)

_LONE_BACKSLASH: Final = re.compile(rb'(?<!\\)(?:\\\\)*\\[^"\\/bfnrtu]')
_BACKSLASH_HINT: Final = r'In JSON a backslash within a string is written twice: "\\Seen".'


def read_query(request: web.Request, model: type[M]) -> M:
    """The query as a model; an empty value counts as not given. `parameter_invalid` names what is wrong."""
    values: dict[str, str] = {}
    for name, value in request.query.items():
        if name in values:
            raise Problem("parameter_invalid", fields=[FieldProblem(_known(name, model), "is given twice")])
        if value or name not in model.model_fields:
            values[name] = value
    try:
        return model.model_validate_strings(values)
    except ValidationError as error:
        raise problem_of_validation("parameter_invalid", error) from error


async def read_body(request: web.Request, model: type[M]) -> M:
    """The JSON body as a model.

    Raises:
        Problem: media_type_unsupported, body_too_large, request_timeout, json_invalid or body_invalid.
    """
    if (
        request.content_type != "application/json"
        or request.headers.get("Content-Encoding", "identity") != "identity"
    ):
        raise Problem("media_type_unsupported")
    if (request.content_length or 0) > limits.MAX_BODY_BYTES:
        raise Problem("body_too_large", is_last=True)
    try:
        async with asyncio.timeout(limits.BODY_SECONDS):
            await _invite(request)
            raw = await request.read()
    except TimeoutError as error:
        raise Problem("request_timeout", is_last=True) from error
    document = _parse(raw)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise problem_of_validation("body_invalid", error) from error


class Nothing(BaseModel):
    """A body for requests that need none: absent, or `{}`."""

    model_config = {"extra": "forbid"}


async def expect_no_body(request: web.Request) -> None:
    """Return when there is no body, or an empty JSON object; refuse anything else as `read_body` does."""
    if request.body_exists:
        await read_body(request, Nothing)


async def hold_back(_request: web.Request) -> None:
    """The routes' answer to `Expect`: none until a handler wants the body, so a refusal comes before the body does."""


async def _invite(request: web.Request) -> None:
    """Tell a client that waits for it to send its body (RFC 9110 §10.1.1)."""
    expected = request.headers.get("Expect")
    if expected is None:
        return
    if expected.lower() != "100-continue":
        raise Problem("expectation_failed")
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # the interim answer is no part of the answer; aiohttp counts from here


def _parse(raw: bytes) -> object:
    try:
        document = orjson.loads(raw)
        json.loads(raw, object_pairs_hook=_refuse_doubles)
    except (ValueError, RecursionError) as error:
        hint = _BACKSLASH_HINT if _LONE_BACKSLASH.search(raw) else None
        raise Problem("json_invalid", members={"hint": hint} if hint else None) from error
    return document


def _refuse_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name is given twice")
    return members


def _known(name: str, model: type[BaseModel]) -> str:
    return name if name in model.model_fields else "(unknown)"
