"""One line that only watches: it has one mailbox open for reading, waits in IDLE, and wakes the account for it.

All work is done by the main line. It never touches mail, and what it hears is only *that* something changed. RFC 2177.
"""

import asyncio

from daemon.model.clock import Clock
from daemon.model.mailbox import MailboxRecord
from daemon.net.imap.client import IdleEnd, ImapClient
from daemon.service.pace import Pace
from daemon.service.push.chatter import PAUSE_SECONDS, Chatter
from daemon.service.push.trust import Claim, Trust
from daemon.service.wakes import WakeReason, Wakes


class WatchLine:
    """Used once, on a client that is logged in; the caller ends the client."""

    def __init__(
        self,
        *,
        client: ImapClient,
        record: MailboxRecord,
        wakes: Wakes,
        trust: Trust,
        clock: Clock,
        pace: Pace,
    ) -> None:
        self._client = client
        self._record = record
        self._wakes = wakes
        self._trust = trust
        self._clock = clock
        self._pace = pace
        self._chatter = Chatter(clock)

    async def run(self) -> None:
        """Watch until cancelled, or until IDLE is no longer believed.

        Raises:
            MailError: The line is lost, or the server refuses the mailbox or IDLE.
        """
        await self._client.select(self._record.wire_name, read_only=True)
        self._wake()  # what came between the last look and now
        while self._trust.breach(Claim.IDLE) is None:
            if self._chatter.is_noisy:
                await asyncio.sleep(PAUSE_SECONDS)
            await self._listen()

    async def _listen(self) -> None:
        renew = self._pace.idle_renew_seconds
        began = self._clock.monotonic()
        end = await self._client.idle(renew_after=renew)
        lasted = self._clock.monotonic() - began
        if end is IdleEnd.CHANGED and lasted < renew:
            self._trust.note_told(Claim.IDLE)
            self._chatter.note()
            self._wake()
        else:
            await self._look_for_untold(lasted)
        self._client.drain_heard()

    async def _look_for_untold(self, lasted: float) -> None:
        """At the renewal: what NOOP brings was there all the time (QUIRK of servers that let IDLE do nothing).

        Flags alone prove nothing: a server may keep them back from IDLE, as Gmail does (RFC 9051 §5.2).
        """
        await self._client.noop()
        if not self._client.has_own_news:
            return
        self._wake()
        if self._client.has_comings_or_goings and lasted >= self._pace.tell_patience_seconds:
            self._trust.note_untold(Claim.IDLE, self._record.name)

    def _wake(self) -> None:
        self._wakes.wake(WakeReason.SERVER, self._record.name)
