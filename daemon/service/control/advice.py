"""Advice on a server that no account knows yet: which of the two protocols fits.

Only the standard ports are knocked at, and no address of the link itself: a token for this service is no pass to
whatever this machine can reach. No login is made, and one consultation runs at a time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from daemon.model.advice import Consultation, ServerSeen, Wants
from daemon.model.clock import Clock
from daemon.model.errors import InvalidRequest, MailError

if TYPE_CHECKING:
    from daemon.probe.looks import ImapLook, Pop3Look, Silence


class AdviceControl:
    """Looks at servers for those who ask."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._is_looking = False

    async def consult(self, address: str, wants: Wants) -> Consultation:
        """The advice for an address or a host, after at most some twenty seconds.

        Raises:
            InvalidRequest: reason address_invalid.
            MailError: reason advice_busy: another consultation is running; ask again.
        """
        # Late: memory that a service needs only when it is asked.
        from daemon.probe.advice import Owner, advise  # noqa: PLC0415
        from daemon.probe.candidates import candidates_for  # noqa: PLC0415
        from daemon.probe.looks import look_at_imap, look_at_pop3  # noqa: PLC0415

        try:
            candidates = candidates_for(address, is_foreign=True)
        except ValueError as exc:
            raise InvalidRequest(str(exc), reason="address_invalid") from exc
        if self._is_looking:
            raise MailError("another server is being looked at", reason="advice_busy")
        self._is_looking = True
        try:
            imap, pop3 = await asyncio.gather(
                look_at_imap(candidates.imap, None, self._clock),
                look_at_pop3(candidates.pop3, None, self._clock),
            )
        finally:
            self._is_looking = False
        return Consultation(
            advice=advise(imap, pop3, wants, Owner(username=candidates.username)),
            imap=_seen(imap),
            pop3=_seen(pop3),
        )


def _seen(look: ImapLook | Pop3Look | Silence) -> ServerSeen | None:
    from daemon.probe.looks import Silence  # noqa: PLC0415

    if isinstance(look, Silence):
        return None
    return ServerSeen(
        host=look.endpoint.host,
        port=look.endpoint.port,
        tls=look.endpoint.tls.value,
        capabilities=tuple(sorted(look.capabilities)),
        mechanisms=tuple(sorted(look.mechanisms)),
    )
