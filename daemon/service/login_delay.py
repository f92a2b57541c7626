"""LOGIN-DELAY: how much time a server wants between two logins (RFC 2449 §6.5), whoever asks for the second.

Counted over errors, reconnects and restarts: it belongs to the server and ends with no session of ours. Kept by both
clocks, and the one that is through first decides: the steady one stands still in a suspend, the wall can be set back.
"""

from contextlib import suppress
from typing import Final

from daemon.model.clock import Clock
from daemon.model.errors import StoreError
from daemon.model.ids import AccountId
from daemon.store.store import Store

CAP_SECONDS: Final = 86400.0
"""More than a day is taken for a mistake: mail that is not fetched for longer might as well not be fetched."""

_KEY: Final = "login.not_before"


class LoginDelay:
    """One account's logins. A server without LOGIN-DELAY costs no read and no write but the one at the start."""

    def __init__(self, *, store: Store, account: AccountId, clock: Clock) -> None:
        self._store = store
        self._account = account
        self._clock = clock
        self._not_before_steady = self._not_before_wall = float("-inf")
        self._is_loaded = self._is_kept = False
        self.asked_seconds = 0.0
        """What the server said at the last login of this run; 0.0 for nothing."""

    async def load(self) -> None:
        """Know what an earlier run of the service has left to wait; once."""
        if self._is_loaded:
            return
        text = await self._store.facts.get(self._account, _KEY)
        if text is not None:
            self._is_kept = True
            self._begin(min(CAP_SECONDS, max(0.0, float(text) - self._clock.now())))
        self._is_loaded = True

    def wait_seconds(self) -> float:
        """How long until the next login is allowed; 0.0 when it is."""
        steady = self._not_before_steady - self._clock.monotonic()
        wall = self._not_before_wall - self._clock.now()
        return max(0.0, min(steady, wall))

    async def note_login(self, asked_seconds: float | None) -> None:
        """We are logged in, and this is what the server wants until the next time; None for nothing."""
        self.asked_seconds = asked_seconds or 0.0
        self._begin(min(CAP_SECONDS, self.asked_seconds))
        if self.asked_seconds or self._is_kept:
            self._is_kept = bool(self.asked_seconds)
            text = str(self._not_before_wall) if self._is_kept else None
            with suppress(StoreError):  # it is remembered in this run all the same
                await self._store.facts.set(self._account, _KEY, text)

    def _begin(self, seconds: float) -> None:
        self._not_before_steady = self._clock.monotonic() + seconds
        self._not_before_wall = self._clock.now() + seconds
