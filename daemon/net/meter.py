"""How fast a line is while somebody waits for it. It counts; the caller says when a wait began and ended."""

from typing import Final

SLOW_BYTES_PER_SECOND: Final = 20_000_000
"""Below this the link is the limit and not a server's deflate, which does some 30 MB/s."""

LEAST_SECONDS: Final = 1.0
LEAST_BYTES: Final = 512 * 1024


class Meter:
    """Octets and the time they were waited for; time spent on the disk counts for nothing."""

    __slots__ = ("octets", "seconds")

    def __init__(self) -> None:
        self.octets = 0
        self.seconds = 0.0

    def note(self, octets: int, seconds: float) -> None:
        """One wait and what came in it."""
        self.octets += octets
        self.seconds += seconds

    @property
    def is_slow(self) -> bool:
        """Whether enough was seen to say that the link is slow."""
        return (
            self.seconds >= LEAST_SECONDS
            and self.octets >= LEAST_BYTES
            and self.octets < self.seconds * SLOW_BYTES_PER_SECOND
        )
