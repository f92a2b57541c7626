"""How much one line may bring in one turn of the loop, so that a line with much to say does not hold up all others.

libuv reads a socket up to 32 times a turn while its buffer comes back full: eight MiB of lines, which take seconds to parse, come
before anything else is served. So after a full buffer the line waits for its next turn; and when taking one lasted too long,
the next ones are smaller. Pure counting; the time is read by the caller.
"""

from typing import Final

LONGEST_TURN_SECONDS: Final = 0.02
"""Beyond it the portions are halved. Bodies take a millisecond for a full buffer, lines of flags about ten."""

LEAST_BYTES: Final = 16 * 1024


class Turns:
    """The size of the next portion of one line, at most `most_bytes`."""

    __slots__ = ("_most_bytes", "portion_bytes")

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self.portion_bytes = most_bytes

    def note(self, size: int, seconds: float) -> bool:
        """A portion was taken and lasted so long. Whether the line must wait for its next turn."""
        is_full = size >= self.portion_bytes
        if seconds > LONGEST_TURN_SECONDS:
            self.portion_bytes = max(self.portion_bytes // 2, LEAST_BYTES)
        elif seconds < LONGEST_TURN_SECONDS / 4 and is_full:
            self.portion_bytes = min(self.portion_bytes * 2, self._most_bytes)
        return is_full
