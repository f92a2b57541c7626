import hashlib

import pytest

from daemon.model.errors import LocalProtocolError, StoreError
from daemon.model.sink import Sink

BIG = b"Subject: big\r\n\r\n" + b"".join(b"line %d\r\n" % number for number in range(300_000))


async def feed(sink: Sink, octets: bytes, step: int = 100_000) -> None:
    view = memoryview(octets)
    for at in range(0, len(octets), step):
        sink.write(view[at : at + step])
        if sink.backlog_bytes > 1 << 20:
            await sink.drain()
            assert sink.backlog_bytes == 0


async def test_large_literal_arrives_whole(garden):
    async with garden.tree.open_batch(".") as batch:
        sink = batch.sink(len(BIG), 1_600_000_000)
        await feed(sink, BIG)
        await sink.end()
        staged = sink.result
        assert staged.content.file_sha256 == hashlib.sha256(BIG).digest()
        assert staged.content.envelope.subject == "big"
        name = garden.tree.new_name(size=len(BIG), wire_size=len(BIG))
        (entry,) = await garden.tree.publish(".", [staged], [name], [frozenset()])
    path = garden.root / entry.path
    assert path.read_bytes() == BIG
    assert path.stat().st_mtime == 1_600_000_000
    assert garden.names("tmp") == []


async def test_write_copies_because_the_buffer_is_reused(garden):
    buffer = bytearray(b"abc")
    async with garden.tree.open_batch(".") as batch:
        sink = batch.sink(3, None)
        sink.write(memoryview(buffer))
        buffer[:] = b"xyz"
        await sink.end()
        assert sink.result.content.file_sha256 == hashlib.sha256(b"abc").digest()


async def test_empty_literal_is_a_message_too(garden):
    async with garden.tree.open_batch(".") as batch:
        sink = batch.sink(0, None)
        await sink.end()
        assert sink.result.content.file_size == 0


async def test_literal_of_another_length_is_refused(garden):
    async with garden.tree.open_batch(".") as batch:
        sink = batch.sink(5, None)
        sink.write(memoryview(b"abcd"))
        with pytest.raises(StoreError):
            await sink.end()
    assert garden.names("tmp") == []


async def test_aborted_literal_is_removed_with_its_batch(garden):
    async with garden.tree.open_batch(".") as batch:
        sink = batch.sink(100, None)
        sink.write(memoryview(b"abcd"))
        await sink.drain()
        sink.write(memoryview(b"efgh"))
        sink.abort()
        assert sink.backlog_bytes == 0
        with pytest.raises(LocalProtocolError):
            _ = sink.result
    assert garden.names("tmp") == []
