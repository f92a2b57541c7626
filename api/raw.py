"""GET /v1/messages/{id}/raw: the octets as the server sent them, as a stream.

The answer states length and digest first, and both are checked while it streams: a file that turns out to be another
is refused, or its answer broken off, so no client takes wrong octets for right ones. Digests: RFC 9530 (`Repr-Digest`) and its predecessor RFC 3230.
"""

import base64
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

import structlog
from aiohttp import web

from api.context import control_of
from api.problems import Problem
from daemon.model.errors import MailError
from daemon.service.control.messages import RawMessage

CONTENT_TYPE: Final = "message/rfc822"

log = structlog.stdlib.get_logger("api")


async def get_raw(request: web.Request) -> web.StreamResponse:
    """The message, 304 where the client has it already."""
    message_id = request.match_info["id"]
    raw = await control_of(request).open_raw(message_id)
    etag = f'"{raw.sha256}"'
    try:
        if _is_known(request, etag):
            return web.Response(status=304, headers={"ETag": etag})
        digest = base64.b64encode(bytes.fromhex(raw.sha256)).decode("ascii")
        response = web.StreamResponse(
            headers={
                "Content-Type": CONTENT_TYPE,
                "Content-Length": str(raw.size),
                "Content-Disposition": f'attachment; filename="{message_id}.eml"',
                "ETag": etag,
                "Repr-Digest": f"sha-256=:{digest}:",
                "Digest": f"sha-256={digest}",
            }
        )
        if request.method == "HEAD":
            await response.prepare(request)
            return response
        return await _send(request, response, raw)
    finally:
        await _close(raw.chunks)


async def _send(request: web.Request, response: web.StreamResponse, raw: RawMessage) -> web.StreamResponse:
    """Stream the chunks, each behind the next: the last one leaves only when length and digest are right.

    What is wrong before the head was sent is a problem; afterwards, the line is broken.
    """
    digest = hashlib.sha256()
    length = 0
    held = b""
    try:
        async for chunk in raw.chunks:
            digest.update(chunk)
            length += len(chunk)
            if length > raw.size:
                break
            if held:
                await response.prepare(request)
                await response.write(held)
            held = chunk
        if length != raw.size or digest.hexdigest() != raw.sha256:
            raise Problem("message_changed")
    except (MailError, Problem) as error:
        if not response.prepared:
            raise
        log.warning("api.raw_broken", reason=error.reason if isinstance(error, MailError) else error.code)
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the file is not what the index says") from error
    await response.prepare(request)
    await response.write_eof(held)
    return response


def _is_known(request: web.Request, etag: str) -> bool:
    """RFC 9110 §13.1.2; our tags have no commas, so a plain split will do."""
    given = request.headers.get("If-None-Match", "")
    return given.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in given.split(",")}


async def _close(chunks: AsyncIterator[bytes]) -> None:
    if isinstance(chunks, AsyncGenerator):
        await chunks.aclose()
