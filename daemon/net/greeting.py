"""The first moments of a line: the server's greeting awaited, and the refusal to go on without encryption.

What a greeting means is for the protocols to say; here is only that one comes, in time and in their language.
"""

import asyncio
from collections.abc import Callable

from daemon.model.errors import ConnectionLost, RemoteProtocolError, TlsFailed
from daemon.net.conversation import AnswerT, Conversation
from daemon.net.endpoint import Endpoint


async def await_greeting(
    session: Conversation[AnswerT], endpoint: Endpoint, *, protocol: str, has_come: Callable[[], bool]
) -> None:
    """Return once the greeting is there.

    Raises:
        ConnectionLost: timeout, too_slow, closed; not_imap or not_pop3 where something else answers.
    """
    try:
        async with asyncio.timeout(session.timers.greeting_seconds):
            while not has_come():
                await session.stir()
    except TimeoutError as exc:
        if session.is_inside_unit:
            raise ConnectionLost("the server's greeting comes too slowly", reason="too_slow") from exc
        raise ConnectionLost("the server does not greet", reason="timeout") from exc
    except RemoteProtocolError as exc:
        raise ConnectionLost(
            f"{endpoint.host} port {endpoint.port} does not answer like {protocol} server",
            reason=f"not_{protocol.rpartition(' ')[2].lower()}",
            remedy="check host and port; a captive portal or proxy may be in the way",
        ) from exc


def no_encryption(endpoint: Endpoint, what: str, *, implicit_port: int) -> TlsFailed:
    """The error for a server that will not begin TLS: `what` it does, as words behind its name."""
    return TlsFailed(
        f"{endpoint.host} {what}, so the line cannot be encrypted",
        reason="starttls_missing",
        remedy=f'set tls to "implicit" (port {implicit_port}), or ask the server\'s operator',
    )
