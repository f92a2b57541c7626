"""Chatter: a server that keeps saying "changed" when nothing is ever found.

It would keep a processor busy, as would a mailbox that cannot be looked at. Real news end it.
"""

from collections import deque
from typing import Final

from daemon.model.clock import Clock

LIMIT: Final = 20  # "changed" with nothing found; echoes of our own changes are fewer
WINDOW_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 1.0


class Chatter:
    """Counts what came to nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times: deque[float] = deque(maxlen=LIMIT)

    def note(self) -> None:
        """The server said that something changed."""
        self._times.append(self._clock.monotonic())

    def clear(self) -> None:
        """There was something in it."""
        self._times.clear()

    @property
    def is_noisy(self) -> bool:
        """Whether to wait for `PAUSE_SECONDS` before listening again."""
        times = self._times
        return len(times) == LIMIT and self._clock.monotonic() - times[0] <= WINDOW_SECONDS
