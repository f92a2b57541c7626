"""Jobs: one waiting request answers for all of its kind; finished ones are kept in bounds."""

import asyncio

import pytest

from daemon.model.errors import ConnectionLost, NotFound
from daemon.model.ids import AccountId
from daemon.model.jobs import JobKind, JobState
from daemon.model.passes import PassResult
from daemon.service.jobs import FINISHED_JOBS_LIMIT, JobBook

WORK = AccountId("work")
HOME = AccountId("home")


def test_request_that_is_not_begun_answers_for_later_ones(fake_clock) -> None:
    book = JobBook(fake_clock)
    first = book.open(WORK, JobKind.SYNC)
    assert book.open(WORK, JobKind.SYNC).id == first.id
    assert book.open(HOME, JobKind.SYNC).id != first.id
    assert book.open(WORK, JobKind.PAUSE).id != first.id


def test_request_after_the_beginning_is_another_job(fake_clock) -> None:
    """A pass that has begun may have looked past what the second client just changed."""
    book = JobBook(fake_clock)
    first = book.open(WORK, JobKind.SYNC)
    assert book.begin(WORK, JobKind.SYNC) == first.id
    assert book.open(WORK, JobKind.SYNC).id != first.id


def test_done_job_has_result_and_time(fake_clock) -> None:
    book = JobBook(fake_clock)
    job = book.open(WORK, JobKind.SYNC)
    fake_clock.advance(3)
    book.finish(book.begin(WORK, JobKind.SYNC), PassResult(downloaded=2))
    done = book.get(job.id)
    assert (done.state, done.result) == (JobState.DONE, PassResult(downloaded=2))
    assert done.finished_at == done.created_at + 3


def test_failed_job_has_the_reason(fake_clock) -> None:
    book = JobBook(fake_clock)
    job = book.open(WORK, JobKind.SYNC)
    book.fail_waiting(WORK, JobKind.SYNC, ConnectionLost("gone", reason="timeout"))
    failed = book.get(job.id)
    assert (failed.state, failed.reason, failed.detail) == (JobState.FAILED, "timeout", "gone")


def test_no_job_is_finished_and_failed_without_effect(fake_clock) -> None:
    book = JobBook(fake_clock)
    book.finish(None)
    book.fail(None, ConnectionLost("x"))
    book.fail_waiting(WORK, JobKind.SYNC, ConnectionLost("x"))


def test_unknown_job_is_not_found(fake_clock) -> None:
    with pytest.raises(NotFound) as caught:
        JobBook(fake_clock).get("0" * 32)
    assert caught.value.reason == "job_unknown"


async def test_wait_returns_when_the_job_ends(fake_clock) -> None:
    book = JobBook(fake_clock)
    job = book.open(WORK, JobKind.SYNC)
    waiting = asyncio.create_task(book.wait(job.id, 10))
    await asyncio.sleep(0)
    book.finish(book.begin(WORK, JobKind.SYNC))
    assert (await waiting).state is JobState.DONE


async def test_wait_that_runs_out_returns_the_running_job(fake_clock) -> None:
    book = JobBook(fake_clock)
    job = book.open(WORK, JobKind.SYNC)
    assert (await book.wait(job.id, 0.01)).state is JobState.RUNNING
    assert (await book.wait(job.id, None)).state is JobState.RUNNING


def test_oldest_finished_jobs_are_forgotten_and_running_ones_kept(fake_clock) -> None:
    book = JobBook(fake_clock)
    running = book.open(HOME, JobKind.SYNC)
    first = book.open(WORK, JobKind.SYNC)
    book.finish(book.begin(WORK, JobKind.SYNC))
    for _ in range(FINISHED_JOBS_LIMIT + 1):
        book.open(WORK, JobKind.SYNC)
        book.finish(book.begin(WORK, JobKind.SYNC))
    assert book.get(running.id).state is JobState.RUNNING
    with pytest.raises(NotFound):
        book.get(first.id)
