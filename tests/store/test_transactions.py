"""What a job may do in its transaction."""

import pytest

from daemon.store.transactions import EventNumbers, read_meta, write_meta


def test_event_numbers_are_reserved_before_they_are_given():
    reserved = []
    numbers = EventNumbers(10, reserved.append)
    assert list(numbers.take(2)) == [11, 12]
    assert reserved == [10 + EventNumbers.BLOCK]
    numbers.take(EventNumbers.BLOCK - 2)
    assert len(reserved) == 1
    assert list(numbers.take(1)) == [11 + EventNumbers.BLOCK]
    assert len(reserved) == 2
    assert len(numbers.take(5000)) == 5000
    assert reserved[-1] >= 11 + EventNumbers.BLOCK + 5000


def test_numbers_whose_reservation_failed_are_not_given():
    def refuse(_):
        raise OSError("full")

    numbers = EventNumbers(0, refuse)
    for _ in range(2):
        with pytest.raises(OSError, match="full"):
            numbers.take(1)


async def test_numbers_of_a_name_ascend_from_one(store):
    assert list(await store._writer.state(lambda tx: tx.take_numbers("test", 3))) == [1, 2, 3]
    assert list(await store._writer.state(lambda tx: tx.take_numbers("test", 1))) == [4]


async def test_chores_are_done_with_the_next_state_transaction(store):
    done = []
    await store._writer.index(lambda tx: tx.later(lambda state: done.append(state.now_ms)))
    assert done == []
    await store.facts.set(None, "k", "v")
    assert len(done) == 1


async def test_facts_about_the_file_are_kept(store):
    await store._writer.index(lambda tx: write_meta(tx.connection, "k", "v"))
    meta = await store._readers.index(read_meta)
    assert (meta["k"], meta["store_id"], meta["generation"]) == ("v", store.store_id, "1")
