"""One error out of a task group: the one that a caller can act on, a defect before all others."""

import asyncio

import pytest

from daemon.model.errors import ConnectionLost, StoreError
from daemon.sync.task_errors import one_error, to_its_end


async def fail(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


async def group(*errors: BaseException) -> None:
    with one_error():
        async with asyncio.TaskGroup() as tasks:
            for error in errors:
                tasks.create_task(fail(error))


async def test_mail_error_comes_out_by_itself():
    with pytest.raises(ConnectionLost, match="first"):
        await group(ConnectionLost("first"), StoreError("second"))


async def test_defect_takes_precedence():
    with pytest.raises(KeyError):
        await group(StoreError("expected"), KeyError("defect"))


async def test_nested_groups_are_opened():
    with pytest.raises(StoreError, match="deep"), one_error():
        raise ExceptionGroup("outer", [ExceptionGroup("inner", [StoreError("deep")])])


async def test_cancellation_stays_what_it_is():
    task = asyncio.create_task(group(asyncio.CancelledError()))
    waiting = asyncio.create_task(asyncio.sleep(30))

    async def wait() -> None:
        with one_error():
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(asyncio.sleep(30))

    waiter = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiter.cancel()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    await task


async def test_no_error_is_no_error():
    with one_error():
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.sleep(0))


async def test_cancelled_work_is_done_before_the_cancellation_is_heard():
    steps = []

    async def work() -> None:
        steps.append("begun")
        await asyncio.sleep(0.05)
        steps.append("done")

    task = asyncio.ensure_future(to_its_end(work()))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["begun", "done"]


async def test_error_of_the_work_is_raised_as_it_is():
    async def work() -> None:
        raise ConnectionLost("gone")

    with pytest.raises(ConnectionLost):
        await to_its_end(work())
