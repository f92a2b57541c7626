"""The days of `leave_on_server`, counted by what polls bear witness of and not by the wall clock alone.

A clock may be wrong when a message is first seen, and right a minute later: a dead battery says 1970. So the time between
two polls counts as one day at most, a step back counts as nothing, and so does all before a clock can be right. What is
too much is added to `first_seen` of all that is there: a message stays longer than its days when in doubt, never
shorter. Durable; no network.
"""

from dataclasses import dataclass
from typing import Final

from daemon.model.clock import Clock
from daemon.model.ids import AccountId
from daemon.store.store import Store

EARLIEST: Final = 1_767_225_600.0  # 2026-01-01: this program is younger than any time before
_DAY: Final = 86400.0
_NOTED_EVERY: Final = 3600.0  # a poll without news writes nothing
_LOOKED_AT: Final = "pop3.looked_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Keeps the sightings of one account on a time that only runs as far as it is sure."""

    account: AccountId
    leave_on_server: bool | int
    poll_interval_seconds: float
    store: Store
    clock: Clock

    async def count(self) -> None:
        """Take the time since the last poll for what it is worth. To be called before each listing is compared."""
        now = self.clock.now()
        text = await self.store.facts.get(self.account, _LOOKED_AT)
        last = float(text) if text is not None else None
        if last is not None and 0.0 <= now - last <= min(_NOTED_EVERY, self._most):
            return
        # the shift before its note: should only it be kept, the next poll makes it once more, and mail stays longer
        await self.store.maildrop.shift_first_seen(self.account, self._uncounted(last, now), latest=now)
        await self.store.facts.set(self.account, _LOOKED_AT, repr(now))

    @property
    def _most(self) -> float:
        """Seconds that the time between two polls may count: of a short `leave_on_server` no more than a quarter."""
        most = _DAY if isinstance(self.leave_on_server, bool) else min(_DAY, self.leave_on_server / 4)
        return max(most, 2 * self.poll_interval_seconds)

    def _uncounted(self, last: float | None, now: float) -> float:
        """Seconds of what passed on the wall that did not pass for us; negative where the clock went back."""
        if last is None:
            return now  # nobody knows what those times were: count from now
        counted = 0.0 if last < EARLIEST <= now else min(max(now - last, 0.0), self._most)
        return now - last - counted
