"""Octets on their way to being durable."""

import asyncio
import contextlib

import pytest

from daemon.model.errors import StoreError
from daemon.sync import filling
from daemon.sync.filling import Filling
from tests.sync.pop3_stage import letter, open_drop


@pytest.fixture
async def bridge(tmp_path):
    async with open_drop(tmp_path) as drop, drop.bridge() as bridge:
        await bridge.poll()
        yield bridge


@contextlib.asynccontextmanager
async def filled(bridge, commit):
    async with contextlib.AsyncExitStack() as batches, asyncio.TaskGroup() as tasks:
        yield Filling[int](
            tasks,
            batches,
            open_batch=lambda: bridge.tree.open_batch("."),
            commit=commit,
            date_of=lambda item: item,
        )


async def test_all_that_was_taken_is_committed_with_its_octets_facts_and_date(bridge, monkeypatch):
    monkeypatch.setattr(filling, "BATCH_MESSAGES", 3)
    monkeypatch.setattr(filling, "STAGE_MESSAGES", 2)
    batches: list[list[tuple[int, int, int]]] = []

    async def commit(staged):
        batches.append([(item, file.content.file_size, file.internal_date) for item, file in staged])

    async with filled(bridge, commit) as filling_:
        for number in range(1, 8):
            await filling_.take(number, letter(number))
        await filling_.close()
    assert [item for batch in batches for item, _, _ in batch] == list(range(1, 8))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert all(size == len(letter(item)) and date == item for batch in batches for item, size, date in batch)
    assert not list((bridge.tree.root / "tmp").iterdir()), "what was not published is removed"


async def test_settled_means_committed(bridge):
    done: list[int] = []

    async def commit(staged):
        await asyncio.sleep(0.01)
        done.extend(item for item, _ in staged)

    async with filled(bridge, commit) as filling_:
        await filling_.take(1, letter(1))
        assert done == []
        await filling_.settle()
        assert done == [1]
        await filling_.close()


async def test_failed_commit_ends_the_whole(bridge):
    async def commit(staged):
        raise StoreError("disk full", reason="disk_full")

    with pytest.raises(ExceptionGroup) as caught:
        async with filled(bridge, commit) as filling_:
            await filling_.take(1, letter(1))
            await filling_.close()
    assert caught.value.subgroup(StoreError) is not None


async def test_large_one_of_unknown_length_is_taken_through_its_sink(bridge):
    done: list[int] = []

    async def commit(staged):
        done.extend(file.content.file_size for _, file in staged)

    async with filled(bridge, commit) as filling_:
        sink = filling_.sink(5, None)
        sink.write(memoryview(b"Subject: x\r\n\r\n"))
        sink.write(memoryview(b"body\r\n"))
        await sink.end()
        assert await filling_.take_sunk(5)
        assert not await filling_.take_sunk(5)
        await filling_.close()
    assert done == [20]
