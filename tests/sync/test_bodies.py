"""Digests of messages on the server; large ones pass through without being held."""

import hashlib

from daemon.model.uidset import UidSet
from daemon.sync.bodies import HEADERS_AT_ONCE, DigestSink, header_digests, wire_digests
from tests.sync.stage import letter


async def digests_of(bridge, stage, *octets):
    uids = stage.deliver(*octets)
    client = await bridge.connect()
    await client.select(b"INBOX")
    return await wire_digests(client, {uid: len(one) for uid, one in zip(uids, octets, strict=True)})


async def test_digests_are_of_the_octets_whatever_their_size(stage):
    big = b"Subject: big\r\n\r\n" + b"x" * 3_000_000
    async with stage.bridge() as bridge:
        found = await digests_of(bridge, stage, letter(1), big)
        assert list(found.values()) == [hashlib.sha256(one).digest() for one in (letter(1), big)]


async def test_wrong_sizes_change_nothing(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1))
        client = await bridge.connect()
        await client.select(b"INBOX")
        assert await wire_digests(client, {1: 0}) == {1: hashlib.sha256(letter(1)).digest()}


async def test_message_that_is_gone_is_left_out(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1))
        client = await bridge.connect()
        await client.select(b"INBOX")
        assert set(await wire_digests(client, {1: 10, 7: 10})) == {1}


async def test_sink_keeps_nothing_but_the_digest():
    sink = DigestSink()
    sink.write(memoryview(b"ab"))
    sink.write(memoryview(b"c"))
    await sink.drain()
    await sink.end()
    assert sink.sha256 == hashlib.sha256(b"abc").digest()
    assert sink.backlog_bytes == 0


async def test_headers_are_digested_part_by_part(stage):
    count = HEADERS_AT_ONCE + 1
    async with stage.bridge() as bridge:
        stage.deliver(*(letter(number) for number in range(count)))
        client = await bridge.connect()
        await client.select(b"INBOX")
        found = await header_digests(client, UidSet(range(1, count + 3)))
        assert set(found) == set(range(1, count + 1))
        header = letter(4).partition(b"hello")[0]
        assert found[5] == hashlib.sha256(header).digest()
