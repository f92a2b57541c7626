"""How many lines that only watch a server bears, learnt from what it refuses.

Pure but for the clock. A refused extra line costs nothing but that mailbox's push: the limit goes down to what is up
for a while. The main line is never at stake: when it is lost just after an extra line came up, the extra line counts as
refused too, because some servers make room for the newest by dropping the oldest.

A line that is lost without a word is no refusal: networks lose lines. Only when lines that were opened one after the
other are lost while the main line holds is there a limit that the server does not speak of.
"""

from typing import Final

from daemon.model.clock import Clock

BLAME_SECONDS: Final = 10.0  # a main line lost so soon after another came up was lost to it

LOSSES_BLAMED: Final = 3  # in a row; a network that drops idle lines may do so twice


class LineBudget:
    """The limit of one account; outlives its lines."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._limit = 0
        self._until = float("-inf")
        self._words = ""
        self._opened_at = float("-inf")
        self._count = 0
        self._losses = 0
        self._lost_at = float("-inf")

    def allowed(self, wished: int) -> int:
        """How many lines may be up, of so many that are wished for."""
        return min(wished, self._limit) if self._is_limited else wished

    @property
    def seconds_left(self) -> float:
        """How long the limit still holds; 0.0 where there is none."""
        return max(0.0, self._until - self._clock.monotonic())

    @property
    def words(self) -> str | None:
        """What the server said when it refused; None while nothing is refused."""
        return self._words if self._is_limited else None

    def refuse(self, count: int, words: str, seconds: float) -> None:
        """No more than `count` lines for the next `seconds`."""
        self._limit, self._words = count, words
        self._losses = 0
        self._until = self._clock.monotonic() + seconds

    def note_opened(self, count: int) -> None:
        """A line came up and makes it `count`."""
        self._opened_at, self._count = self._clock.monotonic(), count

    def note_lost(self, opened_at: float, lost_at: float) -> bool:
        """A line was lost soon while the main line held, which has answered since; True when that was once too often.

        What was up already when the one before was lost may have gone for the same reason, and does not count.
        """
        if opened_at < self._lost_at:
            return False
        self._losses += 1
        self._lost_at = lost_at
        return self._losses >= LOSSES_BLAMED

    def note_held(self) -> None:
        """A line held for long: what was lost before was no limit."""
        self._losses = 0

    def note_main_lost(self, seconds: float) -> bool:
        """The main line was lost; True when the last extra line is blamed for it and `seconds` go by with fewer."""
        self._losses = 0
        if self._clock.monotonic() - self._opened_at > BLAME_SECONDS:
            return False
        self.refuse(self._count - 1, "the main connection was lost when another one came up", seconds)
        return True

    def forget(self) -> None:
        """A person wants it tried again."""
        self._until = self._opened_at = float("-inf")
        self._losses = 0

    @property
    def _is_limited(self) -> bool:
        return self._clock.monotonic() < self._until
