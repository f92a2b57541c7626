"""How far long work is: one line on a terminal, refreshed a few times a second, gone when the work is done.

Nothing at all in a pipe and under systemd, where each refresh would be a line of the log.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, TextIO

from daemon.cli import words
from daemon.model.ids import AccountId
from daemon.model.passes import Progress

REFRESH_SECONDS: Final = 0.25
RATE_WINDOW_SECONDS: Final = 5.0  # long enough to smooth batches, short enough to follow the line
TRUST_RATE_SECONDS: Final = 1.0  # the first batch alone says nothing of the rest
_CLEAR: Final = "\r\x1b[K"


def is_wanted(stream: TextIO, env: Mapping[str, str]) -> bool:
    """Whether a person sits before the stream."""
    under_systemd = "NOTIFY_SOCKET" in env or "JOURNAL_STREAM" in env
    return stream.isatty() and env.get("TERM") != "dumb" and not under_systemd


class ProgressLine:
    """The sum over all accounts, with rate and time left."""

    def __init__(self, stream: TextIO, *, monotonic: Callable[[], float], width: Callable[[], int]) -> None:
        self._stream = stream
        self._monotonic = monotonic
        self._width = width
        self._of_account: dict[AccountId, Progress] = {}
        self._samples: deque[tuple[float, int, int]] = deque()
        self._drawn_at = float("-inf")
        self._is_drawn = False

    def show(self, progress: Progress) -> None:
        """Take what an account has done; draws when the last drawing is old enough."""
        self._of_account[progress.account] = progress
        now = self._monotonic()
        if now - self._drawn_at < REFRESH_SECONDS:
            return
        self._drawn_at = now
        self._stream.write(_CLEAR + self._line(now)[: max(10, self._width() - 1)])
        self._stream.flush()
        self._is_drawn = True

    def clear(self) -> None:
        """Take the line away, so that something else can be written; the next `show` draws it again."""
        if self._is_drawn:
            self._stream.write(_CLEAR)
            self._stream.flush()
            self._is_drawn = False

    def _line(self, now: float) -> str:
        all_of = self._of_account.values()
        messages, messages_all = sum(p.messages_done for p in all_of), sum(p.messages_total for p in all_of)
        octets, octets_all = sum(p.bytes_done for p in all_of), sum(p.bytes_total for p in all_of)
        self._samples.append((now, messages, octets))
        while now - self._samples[0][0] > RATE_WINDOW_SECONDS and len(self._samples) > 2:
            self._samples.popleft()
        parts = [
            f"{messages:,} of {words.count(messages_all, 'message')}",
            f"{words.size(octets)} of {words.size(octets_all)}",
        ]
        began, messages_then, octets_then = self._samples[0]
        if now - began >= REFRESH_SECONDS:
            per_second = (messages - messages_then) / (now - began)
            octets_per_second = (octets - octets_then) / (now - began)
            parts.append(f"{per_second:,.0f}/s, {words.size(max(0.0, octets_per_second))}/s")
            if octets_per_second > 0 and octets_all > octets and now - began >= TRUST_RATE_SECONDS:
                parts.append(f"{words.duration((octets_all - octets) / octets_per_second + 1)} left")
        return ", ".join(parts)
