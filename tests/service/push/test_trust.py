"""A claim is believed until it proves false, and then not for a while."""

import pytest
import structlog
from structlog.testing import LogCapture

from daemon.service.push.trust import Claim, Trust


@pytest.fixture
def log():
    return LogCapture()


@pytest.fixture
def trust(fake_clock, log):
    logger = structlog.wrap_logger(None, processors=[log], wrapper_class=structlog.BoundLogger)
    return Trust(clock=fake_clock, doubt_seconds=100, log=logger)


def test_withdrawn_claim_is_left_out_with_its_reason_and_comes_back(trust, fake_clock, log):
    trust.withdraw(Claim.IDLE, reason="idle_refused", detail="not today")
    assert trust.distrusted == {"IDLE"}
    assert (trust.breach(Claim.IDLE).reason, trust.breach(Claim.IDLE).detail) == ("idle_refused", "not today")
    assert trust.breach(Claim.NOTIFY) is None
    assert [entry["event"] for entry in log.entries] == ["capability.distrusted"]
    fake_clock.advance(101)
    assert trust.breach(Claim.IDLE) is None
    assert trust.distrusted == frozenset()


def test_silence_is_proved_by_the_second_untold_change(trust):
    assert not trust.note_untold(Claim.NOTIFY, "INBOX")
    assert trust.is_suspect(Claim.NOTIFY)
    assert trust.breach(Claim.NOTIFY) is None
    assert trust.note_untold(Claim.NOTIFY, "INBOX")
    assert trust.breach(Claim.NOTIFY).reason == "notify_silent"
    assert not trust.is_suspect(Claim.NOTIFY)


def test_change_told_in_between_acquits(trust):
    trust.note_untold(Claim.IDLE, "INBOX")
    trust.note_told(Claim.IDLE)
    assert not trust.note_untold(Claim.IDLE, "INBOX")
    assert trust.breach(Claim.IDLE) is None


def test_suspicion_alone_never_proves_anything(trust):
    for _ in range(5):
        trust.suspect(Claim.NOTIFY)
    assert trust.is_suspect(Claim.NOTIFY)
    assert trust.breach(Claim.NOTIFY) is None
    assert not trust.note_untold(Claim.NOTIFY, "a")
    trust.suspect(Claim.NOTIFY)
    assert trust.note_untold(Claim.NOTIFY, "a")


def test_what_broke_on_a_line_is_kept_for_good_but_claims_of_push_are_not(trust, fake_clock):
    trust.learn({"COMPRESS=DEFLATE", "NOTIFY", "IDLE"})
    fake_clock.advance(1e9)
    assert trust.distrusted == {"COMPRESS=DEFLATE"}


def test_what_a_comparison_found_is_left_out_for_a_while_only(trust, fake_clock, log):
    trust.learn([], doubted={"QRESYNC", "CONDSTORE"})
    assert trust.distrusted == {"CONDSTORE", "QRESYNC"}
    assert [entry["reason"] for entry in log.entries] == ["changes_untold"] * 2
    fake_clock.advance(101)
    assert trust.distrusted == frozenset()
    trust.learn([], doubted={"QRESYNC"})
    assert trust.distrusted == {"QRESYNC"}, "found once more"


def test_what_was_doubted_and_then_breaks_a_line_is_left_out_for_good(trust, fake_clock):
    trust.learn([], doubted={"QRESYNC"})
    trust.learn({"QRESYNC"})
    trust.learn([], doubted={"QRESYNC"})
    fake_clock.advance(1e9)
    assert trust.distrusted == {"QRESYNC"}


def test_person_lets_everything_be_tried_again(trust):
    trust.learn({"COMPRESS=DEFLATE"})
    trust.withdraw(Claim.IDLE, reason="idle_refused", detail="no")
    trust.note_untold(Claim.NOTIFY, "a")
    trust.forget()
    assert trust.distrusted == frozenset()
    assert not trust.note_untold(Claim.NOTIFY, "a")
