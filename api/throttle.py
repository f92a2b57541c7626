"""Failed logins by peer: who failed often waits a little longer for the next refusal.

Only refusals wait, so a peer that shares its address with a guesser (everybody on loopback) is not slowed.
"""

import secrets
from typing import Final

from daemon.model.clock import Clock

FREE_FAILURES: Final = 5
FORGET_SECONDS: Final = 300.0
MAX_PEERS: Final = 1024
DELAY_FLOOR_MS: Final = 100
DELAY_SPREAD_MS: Final = 100


class FailedLogins:
    """Counts refusals by peer, for the last five minutes and the last thousand peers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: dict[str, tuple[int, float]] = {}
        self.total = 0

    def count(self, peer: str) -> float:
        """Record one refusal; the seconds for which its answer is to be held back."""
        self.total += 1
        now = self._clock.monotonic()
        count, last = self._failures.pop(peer, (0, now))
        count = 1 if now - last > FORGET_SECONDS else count + 1
        self._failures[peer] = (count, now)
        if len(self._failures) > MAX_PEERS:
            del self._failures[next(iter(self._failures))]
        if count <= FREE_FAILURES:
            return 0.0
        return (DELAY_FLOOR_MS + secrets.randbelow(DELAY_SPREAD_MS + 1)) / 1000
