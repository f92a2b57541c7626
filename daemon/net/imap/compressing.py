"""COMPRESS=DEFLATE: whether, and when. RFC 4978.

Off unless asked for: a server deflates some 30 MB/s, so compression pays on slow links only. `auto` measures first
(`net.meter`), and never compresses on loopback. A refusal is no error, and not repeated.
"""

import asyncio
from typing import Final

from daemon.net.endpoint import is_loopback
from daemon.net.imap.session import Session
from daemon.wire.imap import commands
from daemon.wire.imap.responses import Tagged

CAPABILITY: Final = "COMPRESS=DEFLATE"


async def measured_wait(session: Session) -> None:
    """`session.stir`, on the meter."""
    loop = asyncio.get_running_loop()
    began, before = loop.time(), session.stream.bytes_received
    try:
        await session.stir()
    finally:
        session.meter.note(session.stream.bytes_received - before, loop.time() - began)


async def consider(session: Session) -> None:
    """Compress from here on, if that was asked for, is offered and, with `auto`, would pay."""
    wish = session.compress_wish
    if wish == "off" or session.stream.is_compressed or not session.caps.has(CAPABILITY):
        return
    if wish == "auto" and (is_loopback(session.stream.peer_address) or not session.meter.is_slow):
        return
    session.compress_wish = "off"  # asked once, whatever the answer

    def done(tagged: Tagged) -> None:
        # Here and not after the await: what follows in the same packet is compressed already.
        if tagged.is_ok:
            session.stream.start_compression(session.connection.take_deflated())

    await session.ask(commands.compress(), done)
