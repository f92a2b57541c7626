"""Advice on a server that no account knows yet: which of the two protocols fits.

Only the standard ports are knocked at, and no address of the link itself: a token for this service is no pass to
whatever this machine can reach. One consultation runs at a time. A login is made once over each protocol, on an encrypted
line only, and after one that was refused none is made for a while: this is no place to try passwords.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.model.advice import Consultation, Wants
from daemon.model.clock import Clock
from daemon.model.errors import InvalidRequest, MailError
from daemon.model.secret import Secret

if TYPE_CHECKING:
    from daemon.probe.candidates import Candidates

LOGIN_PAUSE_SECONDS: Final = 5.0


class AdviceControl:
    """Looks at servers for those who ask."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._is_looking = False
        self._login_from = 0.0

    async def consult(
        self, address: str, wants: Wants, login: tuple[str, Secret] | None = None
    ) -> Consultation:
        """The advice for an address or a host, after at most some twenty seconds; with `login` also how much mail there is.

        Raises:
            InvalidRequest: reason address_invalid.
            MailError: reason advice_busy: another consultation is running, or a login was refused a moment ago; ask again.
        """
        # Late: memory that a service needs only when it is asked.
        from daemon.probe.candidates import candidates_for  # noqa: PLC0415

        try:
            candidates = candidates_for(address, is_foreign=True)
        except ValueError as exc:
            raise InvalidRequest(str(exc), reason="address_invalid") from exc
        if self._is_looking:
            raise MailError("another server is being looked at", reason="advice_busy")
        if login is not None and self._clock.monotonic() < self._login_from:
            raise MailError("a login was refused a moment ago", reason="advice_busy")
        self._is_looking = True
        try:
            return await self._look(candidates, wants, login)
        finally:
            self._is_looking = False

    async def _look(
        self, candidates: Candidates, wants: Wants, login: tuple[str, Secret] | None
    ) -> Consultation:
        from daemon.probe.blocks import Owner  # noqa: PLC0415
        from daemon.probe.consultation import consult  # noqa: PLC0415

        owner = Owner(username=candidates.username if login is None else login[0])
        found = await consult(candidates, login, wants, owner, self._clock)
        if any(server is not None and server.login_error for server in (found.imap, found.pop3)):
            self._login_from = self._clock.monotonic() + LOGIN_PAUSE_SECONDS
        return found
