"""Receive buffers, one pair a loop and not one a line: a reader copies what it keeps before the next read can happen.

That holds because `get_buffer`, the read and `buffer_updated` run without a gap in asyncio's selector loop and in uvloop on Unix.
"""

import asyncio
from typing import Final
from weakref import WeakKeyDictionary

from daemon.net.tls import RECORD_ROOM

RECEIVE_BYTES: Final = 256 * 1024


class Buffers:
    """What the socket gave, and its plaintext."""

    __slots__ = ("cipher", "plain")

    def __init__(self) -> None:
        self.cipher = memoryview(bytearray(RECEIVE_BYTES))
        self.plain = memoryview(bytearray(RECEIVE_BYTES + RECORD_ROOM))


_buffers: WeakKeyDictionary[asyncio.AbstractEventLoop, Buffers] = WeakKeyDictionary()


def buffers_of(loop: asyncio.AbstractEventLoop) -> Buffers:
    """The pair that all lines of this loop share."""
    found = _buffers.get(loop)
    if found is None:
        found = _buffers[loop] = Buffers()
    return found
