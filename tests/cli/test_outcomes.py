"""daemon.cli.outcomes: one line an account, and whether all is done."""

import pytest

from daemon.cli.outcomes import Outcome, outcome_of, outcome_of_job
from daemon.model.errors import ConnectionLost
from daemon.model.passes import PassResult


@pytest.mark.parametrize(
    ("result", "is_done"),
    [
        (PassResult(), True),
        (PassResult(downloaded=3), True),
        (PassResult(failed=1), False),
        (PassResult(held=1), False),
    ],
)
def test_result_is_done_when_nothing_is_left(result, is_done):
    assert outcome_of("work", result).is_done is is_done


def test_error_has_reason_and_remedy_on_one_line():
    error = ConnectionLost("no\nanswer", reason="dns", remedy="look at the name")
    assert outcome_of("work", error) == Outcome(
        "work: failed (dns): no\ufffdanswer; look at the name", is_done=False
    )


def test_hint_is_told_behind_what_was_done():
    assert outcome_of("old", PassResult(downloaded=2), "more follows") == Outcome(
        "old: 2 downloaded; more follows", is_done=True
    )


def test_job_of_a_service_reads_as_a_result_of_ours():
    job = {"state": "done", "result": {"downloaded": 2, "failed": 0}}
    assert outcome_of_job("work", job) == outcome_of("work", PassResult(downloaded=2))


@pytest.mark.parametrize(
    "job", [{"state": "failed", "reason": "paused", "detail": "the account is paused"}, {"state": "failed"}]
)
def test_failed_job_is_not_done(job):
    assert not outcome_of_job("work", job).is_done
