"""How long to wait before trying again.

Pure: chance and time are handed in. Full jitter: a random point between 0 and a bound that doubles, so that clients
that lost a server together do not come back together.
"""

from collections.abc import Callable

from daemon.model.clock import Clock


class Backoff:
    """A bound that doubles with each failure from `first_seconds` to `cap_seconds`."""

    __slots__ = ("_bound", "_cap", "_first", "_random")

    def __init__(self, *, first_seconds: float, cap_seconds: float, random: Callable[[], float]) -> None:
        self._first = first_seconds
        self._cap = cap_seconds
        self._random = random
        self._bound = first_seconds

    def next_delay(self) -> float:
        """Seconds to wait now; the next wait may be twice as long."""
        delay = self._random() * self._bound
        self._bound = min(self._cap, self._bound * 2)
        return delay

    def reset(self) -> None:
        """Begin again at the first bound."""
        self._bound = self._first


class TokenBucket:
    """`burst` tokens, one more every `refill_seconds`: limits what each single wait would allow too often."""

    __slots__ = ("_burst", "_clock", "_refill", "_tokens", "_touched")

    def __init__(self, *, burst: int, refill_seconds: float, clock: Clock) -> None:
        self._burst = burst
        self._refill = refill_seconds
        self._clock = clock
        self._tokens = float(burst)
        self._touched = clock.monotonic()

    def wait_seconds(self, *, keep: int = 0) -> float:
        """How long until there is a token beside `keep` others; 0.0 when there is one. Takes none.

        A bucket that never holds so many does not make one wait for ever: full is enough.
        """
        self._catch_up()
        return max(0.0, min(1.0 + keep, self._burst) - self._tokens) * self._refill

    def take(self) -> None:
        """Use one. Who takes without waiting runs up no debt: the next is never further away than one refill."""
        self._catch_up()
        self._tokens = max(0.0, self._tokens - 1.0)

    def give_one(self) -> None:
        """Allow one more at once: a person asked for it."""
        self._catch_up()
        self._tokens = min(self._burst, self._tokens + 1.0)

    def fill(self) -> None:
        """All tokens are back."""
        self._tokens = float(self._burst)
        self._touched = self._clock.monotonic()

    def _catch_up(self) -> None:
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._touched) / self._refill)
        self._touched = now
