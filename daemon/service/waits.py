"""An account's waiting times: which rule applies after which error, and what resets it.

Pure but for clock and chance, which are handed in.
"""

from collections.abc import Callable

from daemon.model.clock import Clock
from daemon.service.backoff import Backoff, TokenBucket
from daemon.service.pace import Pace
from daemon.service.verdicts import Verdict, Wait


class Waits:
    """When to try again. `bucket` limits logins, whatever the other rules say."""

    def __init__(self, *, pace: Pace, clock: Clock, random: Callable[[], float]) -> None:
        self._pace = pace
        self._backoff = Backoff(
            first_seconds=pace.retry_first_seconds, cap_seconds=pace.retry_cap_seconds, random=random
        )
        self._patience = Backoff(
            first_seconds=pace.throttle_first_seconds,
            cap_seconds=pace.throttle_cap_seconds,
            random=_always_all,  # a server that asks for patience does not mean a part of it
        )
        self.bucket = TokenBucket(
            burst=pace.login_burst, refill_seconds=pace.login_refill_seconds, clock=clock
        )

    def delay_after(self, verdict: Verdict) -> float:
        """Seconds to wait after this error; the same error again may wait longer."""
        match verdict.wait:
            case Wait.BACKOFF | Wait.LOGIN:
                return self._backoff.next_delay()
            case Wait.TRUST:
                return self._pace.trust_retry_seconds
            case Wait.THROTTLE:
                own = self._patience.next_delay()
                asked = own if verdict.asked_seconds is None else verdict.asked_seconds
                return min(self._pace.throttle_cap_seconds, asked)
            case Wait.STORE:
                return self._pace.store_retry_seconds
            case Wait.HELD:
                return self._pace.held_retry_seconds
            case Wait.CREDENTIAL:
                return self._pace.secret_retry_seconds
            case Wait.LASTING:
                return self._pace.lasting_retry_seconds
            case Wait.PERSON:
                return self._pace.secret_check_seconds

    def note_life(self, seconds: float) -> None:
        """A connection lived this long; only a long life wipes the slate clean."""
        if seconds >= self._pace.settled_after_seconds:
            self._backoff.reset()
            self._patience.reset()
            self.bucket.fill()

    def start_over(self) -> None:
        """A person wants it tried now."""
        self._backoff.reset()
        self._patience.reset()
        self.bucket.give_one()


def _always_all() -> float:
    return 1.0
