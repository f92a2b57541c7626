"""The table of an account's life: every state, every event, no move that is not meant."""

import pytest

from daemon.model.errors import LocalProtocolError
from daemon.model.states import AccountState as S
from daemon.service.states import TRANSITIONS, move
from daemon.service.states import AccountEvent as E

SETBACKS = {
    E.LINE_LOST: S.OFFLINE,
    E.FAULTED: S.ERROR,
    E.THROTTLED: S.THROTTLED,
    E.LOGIN_REFUSED: S.AUTH_FAILED,
    E.HELD: S.HELD,
    E.PAUSED: S.PAUSED,
    E.RESTARTED: S.STARTING,
}
UNPAUSED = [state for state in S if state is not S.PAUSED]


@pytest.mark.parametrize("state", UNPAUSED)
@pytest.mark.parametrize(("event", "target"), SETBACKS.items())
def test_setback_is_possible_in_every_state_but_paused(state: S, event: E, target: S) -> None:
    assert move(state, event) is target


@pytest.mark.parametrize("state", [S.STARTING, S.OFFLINE, S.THROTTLED, S.AUTH_FAILED, S.ERROR, S.HELD])
def test_login_leads_to_syncing(state: S) -> None:
    assert move(state, E.LOGGED_IN) is S.SYNCING


@pytest.mark.parametrize("state", [S.SYNCING, S.IDLE, S.POLLING, S.HELD])
def test_watch_follows_a_pass_and_another_watch(state: S) -> None:
    assert move(state, E.IDLING) is S.IDLE
    assert move(state, E.POLLING) is S.POLLING


@pytest.mark.parametrize("state", [S.SYNCING, S.IDLE, S.POLLING])
def test_work_shows_as_syncing(state: S) -> None:
    assert move(state, E.WORK_FOUND) is S.SYNCING


def test_hold_stays_visible_while_other_work_goes_on() -> None:
    assert move(S.HELD, E.WORK_FOUND) is S.HELD


@pytest.mark.parametrize("state", [S.STARTING, S.OFFLINE, S.PAUSED, S.THROTTLED, S.AUTH_FAILED, S.ERROR])
@pytest.mark.parametrize("event", [E.IDLING, E.POLLING, E.WORK_FOUND])
def test_watching_without_a_line_is_our_bug(state: S, event: E) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        move(state, event)
    assert caught.value.reason == "internal"


@pytest.mark.parametrize("state", [S.SYNCING, S.IDLE, S.POLLING, S.PAUSED])
def test_second_login_is_our_bug(state: S) -> None:
    with pytest.raises(LocalProtocolError):
        move(state, E.LOGGED_IN)


def test_paused_account_only_resumes_or_crashes() -> None:
    assert {event for state, event in TRANSITIONS if state is S.PAUSED} == {E.PAUSED, E.RESTARTED, E.CRASHED}


@pytest.mark.parametrize("state", list(S))
def test_crash_can_be_shown_in_every_state(state: S) -> None:
    assert move(state, E.CRASHED) is S.ERROR


def test_every_state_is_reachable_and_can_be_left() -> None:
    reachable = {S.STARTING}
    while True:
        grown = reachable | {TRANSITIONS[key] for key in TRANSITIONS if key[0] in reachable}
        if grown == reachable:
            break
        reachable = grown
    assert reachable == set(S)
    for state in S:
        assert any(target is not state for (source, _), target in TRANSITIONS.items() if source is state)
