"""An account that is not served says why, and refuses politely."""

import pytest

from daemon.model.jobs import JobState
from daemon.model.states import AccountState as S
from daemon.model.states import WatchMode


@pytest.mark.parametrize("wish", ["request_sync", "pause", "resume", "reconnect"])
async def test_every_wish_is_refused_with_the_reason(open_house, pop3_account, wish: str) -> None:
    house = await open_house(pop3_account)
    job = await getattr(house.control, wish)(pop3_account.id, wait_seconds=1)
    assert (job.state, job.reason) == (JobState.FAILED, "protocol_unsupported")


async def test_reason_is_a_plain_sentence_with_a_remedy(open_house, pop3_account) -> None:
    house = await open_house(pop3_account)
    await house.reaches(S.ERROR, account=pop3_account.id)
    status = house.control.account_status(pop3_account.id)
    assert "POP3" in status.detail
    assert status.remedy
    assert status.retry_at is None
    assert house.control.held_deletions(pop3_account.id) == ()


async def test_clock_jump_and_schedule_leave_it_alone(open_house, pop3_account, jumping_clock, until) -> None:
    house = await open_house(pop3_account, clock=jumping_clock)
    await house.reaches(S.ERROR, account=pop3_account.id)
    jumping_clock.jump = 3600.0
    await until(lambda: any(entry["event"] == "clock.jumped" for entry in house.log.entries))
    assert house.state(pop3_account.id) is S.ERROR
    [runner] = house.service.supervisor._runners.values()
    assert runner.watch_of("INBOX") is WatchMode.POLL
    assert not runner.is_stuck()
