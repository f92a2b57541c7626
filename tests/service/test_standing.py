"""What an account's changes of state tell, to whom, and what they keep to themselves."""

import pytest
import structlog
from structlog.testing import LogCapture

from daemon.model.errors import LocalProtocolError
from daemon.model.events import EventName, NewEvent
from daemon.model.ids import AccountId
from daemon.model.states import AccountState
from daemon.service.standing import Standing
from daemon.service.states import AccountEvent

WORK = AccountId("work")


class Told:
    """A standing with everything that it told."""

    def __init__(self, clock) -> None:
        self.events: list[NewEvent] = []
        self.log = LogCapture()
        self.standing = Standing(
            account=WORK,
            protocol="imap",
            clock=clock,
            log=structlog.wrap_logger(None, processors=[self.log], wrapper_class=structlog.BoundLogger).bind(
                account=WORK
            ),
            announce=self.events.append,
        )


@pytest.fixture
def told(fake_clock) -> Told:
    return Told(fake_clock)


def test_new_account_is_starting(told: Told) -> None:
    assert told.standing.state is AccountState.STARTING
    assert told.events == []


def test_change_of_state_is_one_event_and_one_line(told: Told, fake_clock) -> None:
    fake_clock.advance(5)
    told.standing.apply(
        AccountEvent.LINE_LOST, reason="dns", detail="no such host", retry_at=fake_clock.now() + 2
    )
    [event] = told.events
    assert (event.name, event.account) == (EventName.ACCOUNT_STATE, WORK)
    assert event.data == {
        "state": "offline",
        "previous": "starting",
        "reason": "dns",
        "detail": "no such host",
        "remedy": None,
        "retry_at": fake_clock.now() + 2,
    }
    [line] = [entry for entry in told.log.entries if entry["log_level"] == "info"]
    assert line["event"] == "account.state_changed"
    assert line["retry_in_seconds"] == 2.0


def test_servers_words_are_logged_at_debug_only(told: Told) -> None:
    """They may name a person: `user me@example.com is locked`."""
    told.standing.apply(AccountEvent.LOGIN_REFUSED, reason="auth_failed", detail="me@example.com is locked")
    for entry in told.log.entries:
        assert ("me@example.com" in str(entry)) == (entry["log_level"] == "debug")


def test_same_state_for_the_same_reason_is_no_news(told: Told, fake_clock) -> None:
    told.standing.apply(AccountEvent.LINE_LOST, reason="dns")
    since = told.standing.status.since
    fake_clock.advance(10)
    told.standing.apply(AccountEvent.LINE_LOST, reason="dns", retry_at=fake_clock.now() + 4)
    assert len(told.events) == 1
    assert told.standing.status.since == since
    assert told.standing.status.retry_at == fake_clock.now() + 4


def test_new_reason_is_news_but_the_state_is_as_old_as_it_was(told: Told, fake_clock) -> None:
    told.standing.apply(AccountEvent.LINE_LOST, reason="dns")
    since = told.standing.status.since
    fake_clock.advance(10)
    told.standing.apply(AccountEvent.LINE_LOST, reason="timeout")
    assert len(told.events) == 2
    assert told.standing.status.since == since


def test_recovery_clears_reason_and_words(told: Told) -> None:
    told.standing.apply(AccountEvent.LINE_LOST, reason="dns", detail="x", remedy="y", retry_at=1.0)
    told.standing.apply(AccountEvent.LOGGED_IN)
    status = told.standing.status
    assert (status.state, status.reason, status.detail, status.remedy, status.retry_at) == (
        AccountState.SYNCING,
        None,
        None,
        None,
        None,
    )


def test_illegal_move_changes_nothing(told: Told) -> None:
    with pytest.raises(LocalProtocolError):
        told.standing.apply(AccountEvent.IDLING)
    assert told.standing.state is AccountState.STARTING
    assert told.events == []


def test_completed_pass_is_dated(told: Told, fake_clock) -> None:
    fake_clock.advance(7)
    told.standing.note_sync()
    assert told.standing.status.last_sync == fake_clock.now()


def test_another_time_of_retry_is_no_news(told: Told, fake_clock) -> None:
    told.standing.apply(AccountEvent.LINE_LOST, reason="dns", detail="no such host", retry_at=1.0)
    before = told.standing.status
    told.standing.note_retry(2.0)
    assert told.standing.status.retry_at == 2.0
    assert (told.standing.state, told.standing.status.detail) == (before.state, before.detail)
    assert len(told.events) == 1
