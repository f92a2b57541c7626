"""From a socket to an encrypted line whose capabilities are known, and the orderly way out.

Nothing is asked before TLS, so nothing said before it can be believed: STLS is the first command where it was asked for, a
line without it is never used, and octets behind its +OK end the line (RFC 2595 §4). A greeting's APOP timestamp is ignored.
"""

import asyncio

from daemon.model.errors import ConnectionLost, MailError, RemoteProtocolError, TlsFailed
from daemon.model.settings import Tls
from daemon.net.deadlines import Timers
from daemon.net.endpoint import Endpoint
from daemon.net.pop3.session import Session, turned_away
from daemon.net.stream import Stream
from daemon.wire.pop3 import commands


async def open_session(endpoint: Endpoint, timers: Timers) -> Session:
    """A session in the state AUTHORIZATION, over TLS where that was asked for."""
    session = Session(timers)
    stream = await Stream.open(endpoint, session, timers)
    session.attach(stream)
    try:
        await _read_greeting(session, endpoint)
        if endpoint.tls is Tls.STARTTLS:
            await _start_tls(session, endpoint)
        await session.ask(commands.capa())  # refused by servers older than RFC 2449: then nothing is known
    except BaseException:
        session.abort()
        raise
    return session


async def _read_greeting(session: Session, endpoint: Endpoint) -> None:
    try:
        async with asyncio.timeout(session.timers.greeting_seconds):
            while session.greeting is None:
                await session.stir()
    except TimeoutError as exc:
        if session.is_inside_unit:
            raise ConnectionLost("the server's greeting comes too slowly", reason="too_slow") from exc
        raise ConnectionLost("the server does not greet", reason="timeout") from exc
    except RemoteProtocolError as exc:
        raise ConnectionLost(
            f"{endpoint.host} port {endpoint.port} does not answer like a POP3 server",
            reason="not_pop3",
            remedy="check host and port; a captive portal or proxy may be in the way",
        ) from exc
    if not session.greeting.status.is_ok:
        raise turned_away(session.greeting.status)


async def _start_tls(session: Session, endpoint: Endpoint) -> None:
    done = await session.ask(commands.stls())
    if not done.status.is_ok:
        raise TlsFailed(
            f"{endpoint.host} refuses STLS, so the line cannot be encrypted",
            reason="starttls_missing",
            remedy='set tls to "implicit" (port 995), or ask the server\'s operator',
        )
    await session.stream.start_tls(session)
    session.connection.tls_started()


async def close_session(session: Session) -> None:
    """QUIT, then close. Raises ServerRefused or ConnectionLost unless QUIT was answered +OK."""
    session.is_leaving = True
    try:
        await session.run(commands.leave())
        await session.stream.close(session.timers.logout_seconds)
    except MailError:
        session.abort()
        raise
