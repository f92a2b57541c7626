"""The pulse of an account: by when it must give a sign of life, so that a stuck one is found and restarted.

Pure but for the clock handed in. Bytes that move on the line are a sign of life too. An account that waits for a
person, for its turn or for its time of retry rests: it cannot be late.
"""

from collections.abc import Callable

from daemon.model.clock import Clock


class Pulse:
    """One deadline that is moved along."""

    __slots__ = ("_clock", "_counted", "_counter", "_deadline", "_within")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._within = 0.0
        self._deadline: float | None = None
        self._counter: Callable[[], int] | None = None
        self._counted = 0

    def expect(self, within_seconds: float, counter: Callable[[], int] | None = None) -> None:
        """From now on a sign of life is due every `within_seconds`; a `counter` that has moved is one."""
        self._within = within_seconds
        self._counter = counter
        self._counted = counter() if counter is not None else 0
        self.beat()

    def beat(self) -> None:
        """A sign of life."""
        if self._within > 0.0:
            self._deadline = self._clock.monotonic() + self._within

    def rest(self) -> None:
        """Nothing is due."""
        self._within = 0.0
        self._deadline = None
        self._counter = None

    def is_overdue(self) -> bool:
        """Whether the sign of life is late. Looking at the counter is what notices that it moved."""
        if self._counter is not None:
            counted = self._counter()
            if counted != self._counted:
                self._counted = counted
                self.beat()
        return self._deadline is not None and self._clock.monotonic() > self._deadline
