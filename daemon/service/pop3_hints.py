"""What a person should know of a POP3 account although it is well: shown as reason, detail and remedy of `polling`.

Pure. The most pressing gives reason and remedy, the sentences of all are the detail.
"""

from dataclasses import dataclass

from daemon.service.login_delay import CAP_SECONDS
from daemon.wire.pop3.capabilities import Expire

_DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """One thing to know; a `reason` of None is nothing to know."""

    reason: str | None = None
    detail: str | None = None
    remedy: str | None = None


def joined(*hints: Hint) -> Hint:
    """All in one, the most pressing first."""
    telling = [hint for hint in hints if hint.reason is not None]
    if not telling:
        return Hint()
    return Hint(
        reason=telling[0].reason,
        detail="; ".join(hint.detail for hint in telling if hint.detail is not None) or None,
        remedy=telling[0].remedy,
    )


def of_announced(count: int) -> Hint:
    """The first removal of many, said one poll before it begins (decisions.md 4)."""
    if not count:
        return Hint()
    return Hint(
        reason="removal_announced",
        detail=f"the next poll removes {count} messages on the server, which are stored here",
        remedy="pause the account or set leave_on_server = true if that is not what you want",
    )


def of_expiry(expire: Expire | None, leave_on_server: bool | int) -> Hint:
    """The server removes what we were told to leave there (RFC 2449 §6.7)."""
    if expire is None or expire.days is None or leave_on_server is False:
        return Hint()
    if leave_on_server is not True and leave_on_server <= expire.days * _DAY:
        return Hint()
    when = f"after {_days(expire.days)}" if expire.days else "once it was fetched"
    return Hint(
        reason="server_removes_mail",
        detail=f"the server removes mail by itself {when}, whatever leave_on_server says",
        remedy="what was fetched stays here; other devices find it only until then: ask the provider for more time",
    )


def of_delay(asked_seconds: float, poll_interval_seconds: float) -> Hint:
    """The server wants fewer logins than poll_interval asks for."""
    if asked_seconds > CAP_SECONDS:
        detail = f"the server asks for {_span(asked_seconds)} between two logins; polls are a day apart"
    elif asked_seconds > poll_interval_seconds:
        detail = (
            f"the server asks for {_span(asked_seconds)} between two logins, which is more than poll_interval"
        )
    else:
        return Hint()
    return Hint(
        reason="login_delay",
        detail=detail,
        remedy=f'polls are made as often as the server allows; poll_interval = "{asked_seconds:.0f}s" says the same',
    )


def of_wait(asked_seconds: float) -> Hint:
    """The login that is due has to wait, and nothing else is known of the account yet."""
    said = f"{_span(asked_seconds)} between two logins" if asked_seconds else "time between two logins"
    return Hint(
        reason="login_delay",
        detail=f"the server asks for {said}, and the last one was not long ago",
        remedy="nothing has to be done: the account goes on by itself",
    )


def _span(seconds: float) -> str:
    if seconds >= 2 * _DAY:
        return _days(round(seconds / _DAY))
    return f"{seconds / 60:.0f} minutes" if seconds >= 120.0 else f"{seconds:.0f} seconds"


def _days(count: int) -> str:
    return "a day" if count == 1 else f"{count} days"
