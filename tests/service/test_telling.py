"""What is told of a pass."""

import pytest
import structlog

from daemon.model.errors import ConnectionLost
from daemon.model.events import EventName
from daemon.model.ids import AccountId
from daemon.model.passes import PassResult, Progress
from daemon.model.states import AccountState
from daemon.service.standing import Standing
from daemon.service.states import AccountEvent
from daemon.service.telling import PassTelling
from tests.store.samples import HandClock

WORK = AccountId("work")


@pytest.fixture
def told():
    return []


@pytest.fixture
def clock():
    return HandClock()


def telling(told, clock, *, is_one_way=False):
    log = structlog.get_logger()
    standing = Standing(account=WORK, protocol="imap", clock=clock, log=log, announce=lambda event: None)
    standing.apply(AccountEvent.LOGGED_IN)
    standing.apply(AccountEvent.IDLING)
    made = PassTelling(
        account=WORK,
        standing=standing,
        announce=told.append,
        clock=clock,
        pause_seconds=1.0,
        is_one_way=is_one_way,
        log=log,
    )
    return made, standing


def progress(done, total=10):
    return Progress(account=WORK, messages_done=done, messages_total=total, bytes_done=0, bytes_total=0)


def test_pass_that_finds_nothing_says_nothing(told, clock):
    made, standing = telling(told, clock)
    made.begin()
    made.note_progress(progress(0, total=0))
    made.end()
    made.note_result(PassResult(), 0.1)
    assert told == []
    assert standing.state is AccountState.IDLE


def test_work_is_told_at_its_begin_and_once_in_a_while(told, clock):
    made, standing = telling(told, clock)
    made.begin()
    for done in range(3):
        made.note_progress(progress(done))
    assert standing.state is AccountState.SYNCING
    assert [event.name for event in told] == [EventName.SYNC_STARTED, EventName.SYNC_PROGRESS]
    clock.steady += 1.0
    made.note_progress(progress(9))
    assert told[-1].data["messages_done"] == 9
    made.end()
    made.note_progress(progress(10))
    made.note_result(PassResult(), 0.1)
    assert [event.name for event in told[2:]] == [EventName.SYNC_PROGRESS, EventName.SYNC_FINISHED]


def test_what_cannot_happen_on_a_one_way_street_is_not_counted(told, clock):
    made, _ = telling(told, clock, is_one_way=True)
    made.begin()
    made.note_result(PassResult(downloaded=1), 0.1)
    assert told[0].data["downloaded"] == 1
    assert not {"uploaded", "held"} & told[0].data.keys()


def test_failure_is_told_with_its_reason(told, clock):
    made, _ = telling(told, clock)
    made.note_failed(ConnectionLost("gone", reason="timeout"))
    assert (told[0].name, told[0].data["reason"]) == (EventName.SYNC_FAILED, "timeout")
