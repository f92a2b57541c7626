"""One pair of buffers a loop, however many lines there are."""

import asyncio

from daemon.net.buffers import RECEIVE_BYTES, buffers_of
from daemon.net.tls import RECORD_ROOM


async def test_lines_of_one_loop_share_their_buffers():
    loop = asyncio.get_running_loop()
    found = buffers_of(loop)
    assert buffers_of(loop) is found
    assert len(found.cipher) == RECEIVE_BYTES
    assert len(found.plain) == RECEIVE_BYTES + RECORD_ROOM


def test_another_loop_has_its_own():
    one, other = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        assert buffers_of(one) is not buffers_of(other)
    finally:
        one.close()
        other.close()
