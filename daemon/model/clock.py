"""Time as a value to be handed in: nobody below `daemon.app` asks the machine for it."""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time and a steady count."""

    def now(self) -> float:
        """Seconds since 1970, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never set back."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()
