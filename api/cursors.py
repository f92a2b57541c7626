"""Cursors: a place in a list of messages as opaque text.

A cursor holds the place where a page ended and a check over that place and the query it belongs to. The check finds
mistakes (a cursor used with another filter, cut or altered text); it is no secret and needs none, for a forged place
shows nothing that the query without a cursor would not.
"""

import base64
import hashlib
import re
import struct
from typing import Final

from api.problems import Problem
from daemon.model.ids import MessageId
from daemon.model.message import MessageQuery

_FORM: Final = re.compile(r"[A-Za-z0-9_-]{44}\Z")
_LAYOUT: Final = struct.Struct(">Bq16s8s")
_VERSION: Final = 1


def format_cursor(query: MessageQuery, after: tuple[int, MessageId]) -> str:
    """The cursor for going on with `query` behind `after`."""
    at, message_id = after
    raw = bytes.fromhex(message_id)
    return base64.urlsafe_b64encode(_LAYOUT.pack(_VERSION, at, raw, _check(query, at, raw))).decode("ascii")


def parse_cursor(query: MessageQuery, text: str) -> tuple[int, MessageId]:
    """The place a cursor stands for; `cursor_invalid` when it is none of ours or of another query."""
    if not _FORM.match(text):
        raise Problem("cursor_invalid")
    version, at, raw, check = _LAYOUT.unpack(base64.urlsafe_b64decode(text))
    if version != _VERSION or check != _check(query, at, raw):
        raise Problem("cursor_invalid")
    return at, MessageId(raw.hex())


def _check(query: MessageQuery, at: int, raw: bytes) -> bytes:
    """Covers what decides which messages are listed; the page's size may change from page to page."""
    text = repr((query.account, query.mailbox, query.unread, at, raw))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
