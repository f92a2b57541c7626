"""The test of a NOTIFY that may be silent: list the mailboxes, wait a little, and see what is told of what changed.

QUIRK: NOTIFY may be advertised, accepted and silent (imapfilter PR 314). A look that finds a change proves nothing by
itself: it may have come in that very moment. So once something came untold, the next scheduled look begins with a
listing alone. It opens no mailbox, so that what has changed since the last full pass is still the server's to tell;
what it has not told after some seconds it will not tell. A word that came while the listing did is taken for a part of
it, so that one such test is no proof either. Work that comes meanwhile ends the test without a verdict.
"""

from collections.abc import Mapping

from daemon.model.clock import Clock
from daemon.model.ids import MailboxName
from daemon.model.mailbox import RemoteMailbox
from daemon.net.imap.client import IdleEnd, ImapClient
from daemon.service.pace import Pace
from daemon.service.push.trust import Claim, Trust
from daemon.service.wakes import Wakes


class SilenceTest:
    """One line's memory of what was listed, told and changed by ourselves since the last full pass."""

    def __init__(self, *, client: ImapClient, trust: Trust, wakes: Wakes, clock: Clock, pace: Pace) -> None:
        self._client = client
        self._trust = trust
        self._wakes = wakes
        self._clock = clock
        self._pace = pace
        self._before: Mapping[MailboxName, RemoteMailbox] = {}
        self._excused: set[MailboxName] = set()

    def suspect(self) -> None:
        """A scheduled pass found what had not been told."""
        self._trust.suspect(Claim.NOTIFY)

    def remember(self, listed: Mapping[MailboxName, RemoteMailbox]) -> None:
        """The listing with which a full pass ended that left nothing to do; empty where it did not end so."""
        self._before = dict(listed)
        self._excused.clear()

    def excuse(self, mailboxes: frozenset[MailboxName]) -> None:
        """These were worked on, so that their numbers may differ by our own doing."""
        self._excused |= mailboxes

    def note_told(self, mailboxes: frozenset[MailboxName]) -> None:
        """The server named these."""
        self._excused |= mailboxes

    async def test(self, covered: frozenset[MailboxName]) -> MailboxName | None:
        """A mailbox of those `covered` that changed and was not told of in time; None where there is none, or where a wake
        ended the test.

        What is heard meanwhile stays where it is, for the reader of `idle`. Takes `tell_patience_seconds` if need be.
        """
        listed = {mailbox.name: mailbox for mailbox in await self._client.list_mailboxes()}
        selection = self._client.selection
        changed = [
            name
            for name in sorted(covered & self._before.keys() & listed.keys())
            if name not in self._excused
            and _numbers(listed[name]) != _numbers(self._before[name])
            # STATUS of the selected mailbox tells what the session has seen (Dovecot 2.3)
            and (selection is None or selection.wire_name != listed[name].wire_name)
        ]
        if not changed or self._client.has_own_news:
            return None
        end = await self._listen()
        if end is IdleEnd.RENEW:
            return changed[0]
        if end is IdleEnd.CHANGED:
            self._trust.note_told(Claim.NOTIFY)
        return None

    async def _listen(self) -> IdleEnd:
        """How the server's time to tell ended; WOKEN where somebody wants something else than the schedule does."""

        def ring() -> None:
            if self._wakes.are_pressing:
                self._client.wake()

        until = self._clock.monotonic() + self._pace.tell_patience_seconds
        with self._wakes.ringing(ring):
            while True:
                left = max(0.0, until - self._clock.monotonic())
                end = await self._client.idle(renew_after=left)
                # A wish to wake may be left over from the wait before this one.
                if end is not IdleEnd.WOKEN or self._wakes.are_pressing:
                    return end


def _numbers(mailbox: RemoteMailbox) -> tuple[int | None, ...]:
    return (mailbox.uid_validity, mailbox.uid_next, mailbox.message_count, mailbox.highest_mod_seq)
