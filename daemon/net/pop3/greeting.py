"""From a socket to an encrypted line whose capabilities are known, and the orderly way out.

Nothing is asked before TLS, so nothing said before it can be believed: STLS is the first command where it was asked for, a
line without it is never used, and octets behind its +OK end the line (RFC 2595 §4). A greeting's APOP timestamp is ignored.
"""

from daemon.model.errors import MailError
from daemon.model.settings import Tls
from daemon.net.deadlines import Timers
from daemon.net.endpoint import Endpoint
from daemon.net.greeting import await_greeting, no_encryption
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
    await await_greeting(session, endpoint, protocol="a POP3", has_come=lambda: session.greeting is not None)
    assert session.greeting is not None  # noqa: S101 - for the type checker: it has come
    if not session.greeting.status.is_ok:
        raise turned_away(session.greeting.status)


async def _start_tls(session: Session, endpoint: Endpoint) -> None:
    done = await session.ask(commands.stls())
    if not done.status.is_ok:
        raise no_encryption(endpoint, "refuses STLS", implicit_port=995)
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
