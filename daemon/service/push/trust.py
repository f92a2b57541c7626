"""Trust in what a server claims: a capability that proved false is left out, with the reason at hand: for a while, or for
good where it breaks the line.

Belongs to an account and outlives its lines. A refusal is proof by itself. Silence is proof when a look finds what the
server should have told and did not, twice and with nothing told in between: a change that comes in the very moment of
a look is no lie.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.states import WatchMode

STRIKES: Final = 2  # one untold change may have come while we looked


class Claim(StrEnum):
    """Capabilities that are watched for their truth."""

    NOTIFY = "NOTIFY"
    IDLE = "IDLE"


CLAIM_OF: Final = {WatchMode.NOTIFY: Claim.NOTIFY, WatchMode.IDLE: Claim.IDLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """Why a claim is not believed: a stable code, a sentence, and until when (monotonic)."""

    reason: str
    detail: str
    until: float


class Trust:
    """What is believed of one account's server. The event loop's thread only."""

    def __init__(self, *, clock: Clock, doubt_seconds: float, log: FilteringBoundLogger) -> None:
        self._clock = clock
        self._doubt_seconds = doubt_seconds
        self._log = log
        self._breaches: dict[str, Breach] = {}
        self._strikes: dict[Claim, int] = {}

    @property
    def distrusted(self) -> frozenset[str]:
        """Capabilities to be left out of the next connection."""
        now = self._clock.monotonic()
        self._breaches = {name: one for name, one in self._breaches.items() if one.until > now}
        return frozenset(self._breaches)

    def breach(self, claim: Claim) -> Breach | None:
        """Why this claim is not believed now; None while it is."""
        found = self._breaches.get(claim)
        return found if found is not None and found.until > self._clock.monotonic() else None

    def is_suspect(self, claim: Claim) -> bool:
        """Whether something came untold, and nothing has been told since."""
        return claim in self._strikes

    def withdraw(self, claim: Claim, *, reason: str, detail: str) -> None:
        """Believe this claim no longer, until the time is over or a person reconnects; said in the log."""
        until = self._clock.monotonic() + self._doubt_seconds
        self._breaches[claim] = Breach(reason=reason, detail=detail, until=until)
        self._strikes.pop(claim, None)
        self._log.warning("capability.distrusted", capability=claim.value, reason=reason)

    def learn(self, broken: Iterable[str], *, doubted: Iterable[str] = ()) -> None:
        """Take over at the end of a line what proved false on it, besides the claims of push, which go by `withdraw`.

        What is `broken`, as a COMPRESS that sends no deflate, is left out for good: it would end the next line as well. What is
        `doubted`, because a comparison found what the server had kept back, is left out for a while, like silence.
        """
        doubt_until = self._clock.monotonic() + self._doubt_seconds
        for names, reason, until in (
            (broken, "capability_broken", inf),
            (doubted, "changes_untold", doubt_until),
        ):
            for name in sorted(set(names).difference(Claim)):
                earlier = self._breaches.get(name)
                if earlier is None or earlier.until < until:
                    self._breaches[name] = Breach(reason=reason, detail=name, until=until)
                    self._log.warning("capability.distrusted", capability=name, reason=reason)

    def note_told(self, claim: Claim) -> None:
        """The server told a change by itself: whatever came untold before came at a bad moment."""
        self._strikes.pop(claim, None)

    def suspect(self, claim: Claim) -> None:
        """Something came untold and may have come in the moment of the look: worth a closer one, and no proof."""
        self._strikes.setdefault(claim, 0)

    def note_untold(self, claim: Claim, mailbox: str) -> bool:
        """A look found what the server had had the time to tell; True when that was once too often."""
        self._strikes[claim] = self._strikes.get(claim, 0) + 1
        if self._strikes[claim] < STRIKES:
            return False
        self.withdraw(
            claim,
            reason=f"{claim.lower()}_silent",
            detail=f"the server accepts {claim} and does not tell of changes, in {mailbox} for one; "
            "it is asked by other means for a while",
        )
        return True

    def forget(self) -> None:
        """Believe everything again: a person wants it tried."""
        self._breaches.clear()
        self._strikes.clear()
