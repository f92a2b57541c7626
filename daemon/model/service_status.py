"""What the service says of itself: one snapshot of all accounts, and which of them are well.

Pure. Decision 14: healthy are idle, polling, syncing, throttled, paused, and starting for 60 s. Not healthy are
offline after 5 minutes, auth_failed, held and error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from daemon.model.ids import AccountId, EventId
from daemon.model.mailbox import MailboxCounts, MailboxRecord
from daemon.model.states import AccountState, AccountStatus, WatchMode

STARTING_GRACE_SECONDS: Final = 60.0  # a login over a slow line takes this long, not longer
OFFLINE_GRACE_SECONDS: Final = 300.0  # a router restarting is no alarm

_ALWAYS_HEALTHY: Final = frozenset(
    {
        AccountState.IDLE,
        AccountState.POLLING,
        AccountState.SYNCING,
        AccountState.THROTTLED,
        AccountState.PAUSED,
    }
)
_GRACE_SECONDS: Final = {
    AccountState.STARTING: STARTING_GRACE_SECONDS,
    AccountState.OFFLINE: OFFLINE_GRACE_SECONDS,
}


class ServiceState(StrEnum):
    """ok: every account is healthy. degraded: at least one is not; the others go on."""

    OK = "ok"
    DEGRADED = "degraded"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """The whole service at `at` (seconds since 1970, UTC).

    `last_sync` is the most recent one of any account; `event_id` is where a subscriber that reads this snapshot first
    goes on. `accounts` is in the order of the configuration.
    """

    at: float
    state: ServiceState
    version: str
    uptime_seconds: float
    unread: int
    total: int
    accounts_ok: int
    accounts_error: int
    last_sync: float | None
    event_id: EventId
    accounts: Mapping[AccountId, AccountStatus] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxStatus:
    """One mailbox: what is stored, what it holds, how changes are noticed.

    `watch` is this mailbox's own: accounts mix them. `lag_seconds` is the time since the mailbox was last known to be in
    step with the server: 0 while the server tells of its changes and the account waits with none outstanding; else since
    that was last so, or since the last pass that looked at the mailbox began. None before the first such pass of this run.
    """

    record: MailboxRecord
    counts: MailboxCounts
    watch: WatchMode
    lag_seconds: float | None


def is_healthy(status: AccountStatus, now: float) -> bool:
    """Whether nobody needs to look at this account."""
    if status.state in _ALWAYS_HEALTHY:
        return True
    grace = _GRACE_SECONDS.get(status.state)
    return grace is not None and now - status.since <= grace


def last_sync_age_seconds(status: AccountStatus, now: float) -> float | None:
    """Seconds since the account's last completed pass, never negative; None before the first."""
    return None if status.last_sync is None else max(0.0, now - status.last_sync)
