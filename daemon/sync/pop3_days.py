"""The days of `leave_on_server`, counted by what polls bear witness of and not by the wall clock alone.

A clock may be wrong when a message is first seen, and right a minute later: a dead battery says 1970. So the time between
two polls counts as one day at most, a step back counts as nothing, and so does all before a clock can be right. What is
too much is added to `first_seen` of all that is there: a message stays longer than its days when in doubt, never
shorter. Durable; no network.
"""

from typing import Final

from daemon.model.clock import Clock
from daemon.model.ids import AccountId
from daemon.store.store import Store

_EARLIEST: Final = 1_767_225_600.0  # 2026-01-01: this program is younger than any time before
_DAY: Final = 86400.0
_NOTED_EVERY_SECONDS: Final = 3600.0  # a poll without news writes nothing
_LOOKED_AT: Final = "pop3.looked_at"


class Days:
    """Keeps the sightings of one account on a time that only runs as far as it is sure."""

    def __init__(
        self,
        *,
        account: AccountId,
        leave_on_server: bool | int,
        poll_interval_seconds: float,
        store: Store,
        clock: Clock,
    ) -> None:
        self._account = account
        self._store = store
        self._clock = clock
        self._last: float | None = None
        # of a short leave_on_server no more than a quarter
        most = _DAY if isinstance(leave_on_server, bool) else min(_DAY, leave_on_server / 4)
        self._most_seconds = max(most, 2 * poll_interval_seconds)

    async def count(self) -> None:
        """Take the time since the last poll for what it is worth. To be called before each listing is compared."""
        now = self._clock.now()
        if self._last is None:
            text = await self._store.facts.get(self._account, _LOOKED_AT)
            self._last = float(text) if text is not None else None
        last = self._last
        if last is not None and 0.0 <= now - last <= min(_NOTED_EVERY_SECONDS, self._most_seconds):
            return
        uncounted = self._uncounted(last, now)
        # in the order in which a stop between the two has mail stay longer: a shift ahead may be made twice, one back not
        if uncounted > 0.0:
            await self._shift(uncounted, now)
        await self._store.facts.set(self._account, _LOOKED_AT, repr(now))
        self._last = now
        if uncounted < 0.0:
            await self._shift(uncounted, now)

    async def _shift(self, seconds: float, now: float) -> None:
        await self._store.maildrop.shift_first_seen(self._account, seconds, latest=now)

    def _uncounted(self, last: float | None, now: float) -> float:
        """Seconds of what passed on the wall that did not pass for us; negative where the clock went back."""
        if last is None:
            return now  # nobody knows what those times were: count from now
        counted = 0.0 if last < _EARLIEST <= now else min(max(now - last, 0.0), self._most_seconds)
        return now - last - counted
