"""One thread, many jobs, few commits."""

import asyncio
import threading

import pytest

from daemon.model.errors import NotFound, StoreError
from daemon.model.ids import INBOX
from daemon.model.message import MessageQuery
from daemon.store import writer
from tests.store.samples import ARCHIVE, VALIDITY, WORK, arrival, event, fill, mailbox, message_id


class Held:
    """The writer kept busy inside a transaction until it is let go."""

    def __init__(self, store):
        self._go = threading.Event()
        self._is_in = threading.Event()
        self._task = asyncio.create_task(store._writer.index(self._work))

    def _work(self, tx):
        tx.add_events([event()])
        self._is_in.set()
        assert self._go.wait(30)

    async def __aenter__(self):
        while not self._is_in.is_set():
            await asyncio.sleep(0.001)
        return self

    async def __aexit__(self, *_):
        self._go.set()
        await self._task


async def test_jobs_that_wait_are_committed_together(store):
    await store.mailboxes.save(mailbox())
    async with Held(store):
        jobs = [
            asyncio.create_task(store.base.confirm(WORK, INBOX, VALIDITY, [arrival(number)]))
            for number in range(1, 101)
        ]
        await asyncio.sleep(0.01)
        before = store.commit_count
    await asyncio.gather(*jobs)
    assert store.counts_of(WORK).total == 100
    assert store.commit_count - before == 2  # the one that was held, and one for a hundred


async def test_state_and_index_jobs_share_one_batch(store):
    await store.mailboxes.save(mailbox())
    async with Held(store):
        jobs = [asyncio.create_task(store.facts.set(WORK, f"k{n}", "v")) for n in range(20)]
        jobs += [asyncio.create_task(store.events.append(event())) for _ in range(20)]
        await asyncio.sleep(0.01)
        before = store.commit_count
    await asyncio.gather(*jobs)
    assert store.commit_count - before == 3


async def test_failing_job_undoes_only_itself(store):
    await store.mailboxes.save(mailbox())

    def fails_late(tx):
        tx.add_events([event()])
        raise ValueError("on purpose")

    async with Held(store):
        jobs = [
            asyncio.create_task(store.base.confirm(WORK, INBOX, VALIDITY, [arrival(1)])),
            asyncio.create_task(store._writer.index(fails_late)),
            asyncio.create_task(store.base.confirm(WORK, ARCHIVE, VALIDITY, [arrival(2)])),
            asyncio.create_task(store.base.confirm(WORK, INBOX, VALIDITY, [arrival(3)])),
        ]
        await asyncio.sleep(0.01)
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert isinstance(results[1], ValueError)
    assert isinstance(results[2], NotFound)
    assert store.counts_of(WORK).total == 2
    assert len(await store.events.since(None)) == 1  # the held job's own


async def test_failing_state_job_hands_nothing_over(store):
    def work(tx):
        tx.connection.exec_driver_sql("INSERT INTO fact VALUES ('', 'x', 'y')")
        tx.connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(StoreError) as refused:
        await store._writer.state(work)
    assert refused.value.reason == "store_io"
    assert refused.value.__cause__ is not None
    assert await store.facts.get(None, "x") is None


async def test_readers_do_not_wait_for_the_writer(store):
    await fill(store, [1, 2])
    async with Held(store):
        page = await asyncio.wait_for(store.messages.page(MessageQuery()), 5)
        assert len(page.items) == 2
        assert await asyncio.wait_for(store.facts.get(None, "k"), 5) is None
        assert store.busy_since is not None


async def test_cancelled_caller_returns_and_the_job_is_done(store):
    async with Held(store):
        job = asyncio.create_task(store.facts.set(None, "k", "v"))
        await asyncio.sleep(0.01)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
    await store.events.append(event())
    assert await store.facts.get(None, "k") == "v"


async def test_more_callers_than_may_queue_are_all_served(store):
    count = writer.MOST_JOBS_WAITING + 200
    await asyncio.gather(*(store.facts.set(None, f"k{n}", "v") for n in range(count)))
    assert await store.facts.get(None, f"k{count - 1}") == "v"


async def test_queued_jobs_are_done_before_closing(open_store):
    store = await open_store()
    async with Held(store):
        jobs = [asyncio.create_task(store.facts.set(None, f"k{n}", "v")) for n in range(5)]
        await asyncio.sleep(0.01)
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0.01)
    await asyncio.gather(*jobs, closing)
    store = await open_store()
    assert [await store.facts.get(None, f"k{n}") for n in range(5)] == ["v"] * 5


async def test_distrusted_connection_is_opened_anew(store):
    await fill(store, [1])
    store._writer._index.distrust()
    await fill(store, [2])
    assert store.counts_of(WORK).total == 2
    assert (await store.messages.get(message_id(2))).uid == 2
