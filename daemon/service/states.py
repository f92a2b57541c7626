"""The life of an account as one table: (state, what happened) -> state.

Pure. An illegal move is a missing key and raises `LocalProtocolError`: it is our bug, and the supervisor restarts the
account. Words are the contract's. A retry that was not asked for changes nothing: an account that cannot be reached
stays offline, with the time since when, until a login succeeds.
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from daemon.model.errors import LocalProtocolError
from daemon.model.states import AccountState


class AccountEvent(StrEnum):
    """What happens to an account."""

    LOGGED_IN = "logged_in"
    WORK_FOUND = "work_found"
    IDLING = "idling"
    POLLING = "polling"
    LINE_LOST = "line_lost"
    FAULTED = "faulted"
    THROTTLED = "throttled"
    LOGIN_REFUSED = "login_refused"
    HELD = "held"
    PAUSED = "paused"
    RESTARTED = "restarted"
    CRASHED = "crashed"


_S = AccountState
_E = AccountEvent

_SETBACKS: Final = {
    _E.LINE_LOST: _S.OFFLINE,
    _E.FAULTED: _S.ERROR,
    _E.THROTTLED: _S.THROTTLED,
    _E.LOGIN_REFUSED: _S.AUTH_FAILED,
    _E.HELD: _S.HELD,
    _E.PAUSED: _S.PAUSED,
    _E.RESTARTED: _S.STARTING,
    _E.CRASHED: _S.ERROR,
}
"""Possible wherever something runs; `RESTARTED` is a person's wish, or a machine that woke up."""

_WATCHES: Final = {_E.IDLING: _S.IDLE, _E.POLLING: _S.POLLING}

_ROWS: Final = {
    _S.STARTING: {_E.LOGGED_IN: _S.SYNCING},
    _S.SYNCING: {**_WATCHES, _E.WORK_FOUND: _S.SYNCING},
    _S.IDLE: {**_WATCHES, _E.WORK_FOUND: _S.SYNCING},
    _S.POLLING: {**_WATCHES, _E.WORK_FOUND: _S.SYNCING},
    # Held deletions do not stop the rest: the account works on and shows the hold until it is lifted.
    _S.HELD: {**_WATCHES, _E.WORK_FOUND: _S.HELD, _E.LOGGED_IN: _S.SYNCING},
    _S.OFFLINE: {_E.LOGGED_IN: _S.SYNCING},
    _S.THROTTLED: {_E.LOGGED_IN: _S.SYNCING},
    _S.AUTH_FAILED: {_E.LOGGED_IN: _S.SYNCING},
    _S.ERROR: {_E.LOGGED_IN: _S.SYNCING},
}

TRANSITIONS: Final = MappingProxyType(
    {
        **{
            (state, event): target
            for state, row in _ROWS.items()
            for event, target in {**_SETBACKS, **row}.items()
        },
        # A paused account has no line that could fail: only these can happen to it.
        (_S.PAUSED, _E.PAUSED): _S.PAUSED,
        (_S.PAUSED, _E.RESTARTED): _S.STARTING,
        (_S.PAUSED, _E.CRASHED): _S.ERROR,
    }
)


def move(state: AccountState, event: AccountEvent) -> AccountState:
    """The state after `event`. Raises LocalProtocolError for a move that is not in the table."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise LocalProtocolError(f"an account that is {state} cannot be {event}") from None
