"""Deadlines of a line: how long each phase may take, and the watch over silence and progress. No I/O; it only counts.

One timer per line, armed only while something is due, so an idle line costs nothing. It reads the loop's own clock,
because that is the clock its timer runs on. sync.md 23 has the rules.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from daemon.model.errors import ConnectionLost

_LEAST_TICK_SECONDS: Final = 0.01
_MOST_TICK_SECONDS: Final = (
    5.0  # the transport does not say when it sent something, so progress is looked for
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timers:
    """How long each phase may take (faults.md, "Timers").

    `silence_seconds`: no octet in either direction while an answer is due. `floor_bytes` in each
    `floor_window_seconds` is the least progress inside a literal or an unfinished line. While an answer is due, none and less
    than `answer_floor_bytes` in `answer_seconds` is no progress either: "Still working" may be said for ever.
    """

    resolve_seconds: float = 30.0
    connect_seconds: float = 30.0
    stagger_seconds: float = 0.25  # RFC 8305 §5: the next address is tried after 250 ms
    handshake_seconds: float = 30.0
    greeting_seconds: float = 30.0
    silence_seconds: float = 60.0
    floor_window_seconds: float = 30.0
    floor_bytes: int = 1024
    answer_seconds: float = 3600.0
    answer_floor_bytes: int = 64 * 1024
    leave_idle_seconds: float = 15.0
    logout_seconds: float = 2.0


DEFAULT_TIMERS = Timers()


class Deadlines:
    """Calls `give_up` once when the line has been dead or useless for too long. `count_unsent` gives octets queued."""

    __slots__ = (
        "_count_unsent",
        "_due_octets",
        "_due_since",
        "_give_up",
        "_inside_octets",
        "_inside_since",
        "_is_due",
        "_is_paused",
        "_is_stopped",
        "_last_activity",
        "_last_sent",
        "_loop",
        "_received",
        "_timer",
        "_timers",
        "_unsent",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timers: Timers,
        *,
        count_unsent: Callable[[], int],
        give_up: Callable[[ConnectionLost], None],
    ) -> None:
        self._loop = loop
        self._timers = timers
        self._count_unsent = count_unsent
        self._give_up = give_up
        self._timer: asyncio.TimerHandle | None = None
        self._is_due = self._is_paused = self._is_stopped = False
        self._last_activity = self._last_sent = loop.time()
        self._unsent = 0
        self._received = 0
        self._due_since = 0.0
        self._due_octets = 0
        self._inside_since: float | None = None
        self._inside_octets = 0

    def note_received(self, octets: int, *, is_inside_unit: bool) -> None:
        """Octets came; afterwards the receiver is, or is not, inside a line or literal."""
        self._last_activity = now = self._loop.time()
        self._received += octets
        if not is_inside_unit:
            self._inside_since = None
        elif self._inside_since is None:
            self._inside_since = now
            self._inside_octets = self._received
            self._arm()

    def note_sending(self) -> None:
        """Octets were handed to the transport."""
        self._last_activity = now = self._loop.time()
        if not self._unsent:
            self._last_sent = now
        self._arm()

    def set_due(self, *, is_due: bool) -> None:
        """Whether an answer is due: only then does silence end the line."""
        if is_due and not self._is_due:
            self._forgive()
            self.note_answered()
        self._is_due = is_due
        if is_due:
            self._arm()

    def note_answered(self) -> None:
        """A command was answered: what is still due is waited for anew."""
        self._due_since = self._loop.time()
        self._due_octets = self._received

    def pause(self) -> None:
        """We stopped reading: until `resume` the server cannot be blamed for silence."""
        self._is_paused = True

    def resume(self) -> None:
        self._is_paused = False
        self._forgive()

    def stop(self) -> None:
        """No deadline any more."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _forgive(self) -> None:
        self._last_activity = now = self._loop.time()
        if self._inside_since is not None:
            self._inside_since = now
            self._inside_octets = self._received

    def _arm(self) -> None:
        if self._timer is None and not self._is_stopped:
            self._timer = self._loop.call_later(self._next_tick(), self._tick)

    def _next_tick(self) -> float:
        now = self._loop.time()
        due = min(_MOST_TICK_SECONDS, self._last_activity + self._timers.silence_seconds - now)
        if self._inside_since is not None:
            due = min(due, self._inside_since + self._timers.floor_window_seconds - now)
        return max(due, _LEAST_TICK_SECONDS)

    def _tick(self) -> None:
        self._timer = None
        now = self._loop.time()
        unsent = self._count_unsent()
        if unsent < self._unsent:
            self._last_activity = self._last_sent = now
        elif not unsent:
            self._last_sent = now
        self._unsent = unsent
        silence = self._timers.silence_seconds
        if unsent and now - self._last_sent >= silence:
            self._give_up(ConnectionLost("the server takes nothing of what is sent", reason="timeout"))
        elif self._is_due and not self._is_paused and now - self._last_activity >= silence:
            self._give_up(ConnectionLost("the server has stopped answering", reason="timeout"))
        elif self._is_too_slow(now) or self._is_put_off(now):
            self._give_up(
                ConnectionLost(
                    "the server sends too slowly to be of use",
                    reason="too_slow",
                    remedy="check the network; the transfer goes on where it stopped",
                )
            )
        elif unsent or self._is_due or self._inside_since is not None:
            self._arm()

    def _is_too_slow(self, now: float) -> bool:
        if self._is_paused or self._inside_since is None:
            return False
        if now - self._inside_since < self._timers.floor_window_seconds:
            return False
        if self._received - self._inside_octets < self._timers.floor_bytes:
            return True
        self._inside_since = now
        self._inside_octets = self._received
        return False

    def _is_put_off(self, now: float) -> bool:
        if self._is_paused or not self._is_due or now - self._due_since < self._timers.answer_seconds:
            return False
        if self._received - self._due_octets < self._timers.answer_floor_bytes:
            return True
        self.note_answered()
        return False
