"""Decision 14: who is healthy, and for how long a state is given the benefit of the doubt."""

import pytest

from daemon.model.ids import AccountId
from daemon.model.service_status import is_healthy, last_sync_age_seconds
from daemon.model.states import AccountState as S
from daemon.model.states import AccountStatus


def status(state: S, *, last_sync: float | None = None) -> AccountStatus:
    return AccountStatus(
        account=AccountId("work"), protocol="imap", state=state, since=1000.0, last_sync=last_sync
    )


@pytest.mark.parametrize("state", [S.IDLE, S.POLLING, S.SYNCING, S.THROTTLED, S.PAUSED])
def test_working_and_wanted_states_are_healthy_for_ever(state: S) -> None:
    assert is_healthy(status(state), 1e9)


@pytest.mark.parametrize("state", [S.AUTH_FAILED, S.HELD, S.ERROR])
def test_states_that_need_a_person_are_unhealthy_at_once(state: S) -> None:
    assert not is_healthy(status(state), 1000.0)


@pytest.mark.parametrize(("state", "grace"), [(S.STARTING, 60), (S.OFFLINE, 300)])
def test_passing_states_are_healthy_for_a_while(state: S, grace: float) -> None:
    assert is_healthy(status(state), 1000.0 + grace)
    assert not is_healthy(status(state), 1000.0 + grace + 1)


def test_every_state_has_a_verdict() -> None:
    assert {is_healthy(status(state), 1e9) for state in S} == {True, False}


def test_age_is_none_before_the_first_sync_and_never_negative() -> None:
    assert last_sync_age_seconds(status(S.IDLE), 1000.0) is None
    assert last_sync_age_seconds(status(S.IDLE, last_sync=990.0), 1000.0) == 10.0
    assert last_sync_age_seconds(status(S.IDLE, last_sync=2000.0), 1000.0) == 0.0
