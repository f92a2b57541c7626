"""From a socket to an encrypted line whose capabilities are known, and the orderly way out.

Nothing said before TLS is believed (RFC 9051 §11.1): capabilities are asked again, a PREAUTH greeting in clear text is
refused (fetchmail CVE-2021-39272), and octets behind the OK of STARTTLS end the line. A line without the
STARTTLS that was asked for is never used. Referrals and ALERTs are quoted data and followed by nobody.
"""

import asyncio
from collections.abc import Iterable

from daemon.model.errors import MailError, TlsFailed
from daemon.model.settings import Tls
from daemon.net.deadlines import Timers
from daemon.net.endpoint import Endpoint
from daemon.net.greeting import await_greeting, no_encryption
from daemon.net.imap.session import Session
from daemon.net.imap.values import CompressWish
from daemon.net.stream import Stream
from daemon.wire.imap import commands, quirks
from daemon.wire.imap.responses import Greeting, Status
from daemon.wire.imap.trace import Write


async def open_session(
    endpoint: Endpoint,
    timers: Timers,
    *,
    compress: CompressWish = "off",
    distrust: Iterable[str] = (),
    trace: Write | None = None,
) -> Session:
    """A session in the state "not authenticated" (or authenticated, by PREAUTH over TLS)."""
    session = Session(
        timers, quirks.profile(host=endpoint.host), compress=compress, distrust=distrust, trace=trace
    )
    stream = await Stream.open(endpoint, session, timers)
    session.attach(stream)
    try:
        greeting = await _read_greeting(session, endpoint)
        if endpoint.tls is Tls.STARTTLS:
            await _start_tls(session, endpoint, greeting)
        if not session.caps:
            await session.run(commands.capability())
    except BaseException:
        session.abort()
        raise
    return session


async def _read_greeting(session: Session, endpoint: Endpoint) -> Greeting:
    await await_greeting(session, endpoint, protocol="an IMAP", has_come=lambda: session.greeting is not None)
    greeting = session.greeting
    assert greeting is not None  # noqa: S101 - for the type checker: it has come
    if greeting.status is Status.BYE:
        raise session.bye_error(greeting)
    return greeting


async def _start_tls(session: Session, endpoint: Endpoint, greeting: Greeting) -> None:
    if greeting.status is Status.PREAUTH:
        raise TlsFailed(
            f"{endpoint.host} says it has logged us in before the line is encrypted",
            reason="starttls_missing",
            remedy='set tls to "implicit" (port 993)',
        )
    if not session.caps:
        await session.run(commands.capability())
    if not session.caps.has("STARTTLS"):
        raise no_encryption(endpoint, "does not offer STARTTLS", implicit_port=993)
    tagged = await session.ask(commands.starttls())
    if not tagged.is_ok:
        raise no_encryption(endpoint, "refuses STARTTLS", implicit_port=993)
    await session.stream.start_tls(session)
    session.connection.tls_started()
    session.heard.forget()


async def close_session(session: Session) -> None:
    """LOGOUT, then close; at most `logout_seconds` altogether. Raises MailError if the line is gone before."""
    session.is_leaving = True
    try:
        async with asyncio.timeout(session.timers.logout_seconds):
            await session.ask(commands.logout())
    except (TimeoutError, MailError):
        return
    await session.stream.close(session.timers.logout_seconds)
