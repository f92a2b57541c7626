"""What an account is doing, and whether that is well."""

from dataclasses import dataclass
from enum import StrEnum

from daemon.model.ids import AccountId


class AccountState(StrEnum):
    """The contract's words for `state`."""

    STARTING = "starting"
    SYNCING = "syncing"
    IDLE = "idle"
    POLLING = "polling"
    PAUSED = "paused"
    THROTTLED = "throttled"
    OFFLINE = "offline"
    AUTH_FAILED = "auth_failed"
    HELD = "held"
    ERROR = "error"


class WatchMode(StrEnum):
    """How changes of a mailbox are noticed."""

    NOTIFY = "notify"
    IDLE = "idle"
    POLL = "poll"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatus:
    """One account as the service sees it now. Times are seconds since 1970, UTC.

    `reason` is a stable code or None, `detail` the sentence, `remedy` what a person can do.
    """

    account: AccountId
    protocol: str
    state: AccountState
    since: float
    unread: int = 0
    total: int = 0
    last_sync: float | None = None
    reason: str | None = None
    detail: str | None = None
    remedy: str | None = None
    retry_at: float | None = None
