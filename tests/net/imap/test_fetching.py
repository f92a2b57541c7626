"""Bodies: chunks, sinks, back-pressure, and every way in which a server answers less or other than asked."""

import asyncio
import contextlib

import pytest

from daemon.model.errors import ConnectionLost, RemoteProtocolError, ServerRefused, StoreError, Throttled
from daemon.model.uidset import UidSet
from daemon.net.deadlines import Timers
from daemon.net.download import SINK_BACKLOG_BYTES
from daemon.net.imap import fetching
from daemon.net.imap.fetching import plan_chunks
from tests.net.playing import MemorySink

MIB = 1024 * 1024


def no_sink(uid, size):
    raise AssertionError("no sink expected")


def body(uid: int, octets: bytes, extra: bytes = b"") -> bytes:
    return b"* %d FETCH (UID %d %sBODY[] {%d}\r\n%s)" % (uid, uid, extra, len(octets), octets)


async def collect(client, uids, sizes=None, sink_for=no_sink) -> dict:
    sizes = sizes if sizes is not None else dict.fromkeys(uids, 10)
    return {one.uid: one async for one in client.fetch_bodies(UidSet(uids), sizes, sink_for=sink_for)}


def test_chunks_are_made_by_bytes_and_large_messages_stand_alone():
    sizes = {1: 400_000, 2: 400_000, 3: 400_000, 4: 5 * MIB, 5: 10}
    chunks = [list(chunk.waiting) for chunk in plan_chunks(UidSet(sizes), sizes, 8000)]
    assert chunks == [[1, 2], [3], [4], [5]]


def test_chunks_respect_the_length_of_a_command_line():
    uids = UidSet(range(1_000_000, 1_010_000, 2))
    for chunk in plan_chunks(uids, dict.fromkeys(uids, 1), 700):
        assert len(str(UidSet(chunk.waiting))) <= 700


async def test_bodies_come_as_octets(play):
    async def script(part):
        await part.answer(b"UID FETCH 1:3 (UID BODY.PEEK[])", *(body(uid, b"m%d" % uid) for uid in (1, 2, 3)))
        await part.stay()

    client = await play(script, selected=True)
    got = await collect(client, [1, 2, 3])
    assert {uid: one.octets for uid, one in got.items()} == {1: b"m1", 2: b"m2", 3: b"m3"}
    assert await collect(client, []) == {}


async def test_empty_message_is_a_message(play):
    async def script(part):
        await part.answer(b"UID FETCH", b'* 1 FETCH (UID 1 BODY[] "")')
        await part.stay()

    client = await play(script, selected=True)
    assert (await collect(client, [1]))[1].octets == b""


@pytest.mark.parametrize(
    "answer",
    [
        (b"* 2 FETCH (UID 2 BODY[] NIL)",),
        (),
        (b"* 9 FETCH (UID 9 BODY[] {3}\r\nbad)",),
        (b"* 2 FETCH (BODY[] {3}\r\nbad)",),
    ],
)
async def test_message_not_answered_is_asked_once_more_by_itself_and_then_refused(play, answer):
    """S11 and S13: NIL, nothing, another UID or no UID at all."""

    async def script(part):
        await part.answer(b"UID FETCH 1:3 ", body(1, b"a"), *answer, body(3, b"c"))
        await part.answer(b"UID FETCH 2 ", *answer)
        await part.stay()

    client = await play(script, selected=True)
    got = await collect(client, [1, 2, 3])
    assert got[1].octets == b"a"
    assert got[3].octets == b"c"
    assert got[2].octets is None
    assert got[2].refusal
    assert set(got) == {1, 2, 3}


async def test_message_missing_in_the_chunk_comes_when_asked_alone(play):
    async def script(part):
        await part.answer(b"UID FETCH 1:2 ", body(1, b"a"), with_=b"NO Some messages could not be FETCHed")
        await part.answer(b"UID FETCH 2 ", body(2, b"b"))
        await part.stay()

    client = await play(script, selected=True)
    got = await collect(client, [1, 2])
    assert got[2].octets == b"b"


async def test_expunged_message_is_not_asked_again(play):
    async def script(part):
        await part.answer(b"UID FETCH 1:2 ", body(1, b"a"), b"* VANISHED 2")
        await part.stay()

    client = await play(script, selected=True)
    got = await collect(client, [1, 2])
    assert got[2].refusal
    assert client.drain_heard().vanished == UidSet([2])


async def test_message_sent_twice_is_yielded_once(play):
    async def script(part):
        await part.answer(b"UID FETCH 1 ", body(1, b"a"), body(1, b"other"))
        await part.stay()

    client = await play(script, selected=True)
    count = 0
    async for one in client.fetch_bodies(UidSet([1]), {1: 1}, sink_for=no_sink):
        assert one.octets == b"a"
        count += 1
    assert count == 1


async def test_flags_told_on_the_way_are_kept(play):
    async def script(part):
        await part.answer(
            b"UID FETCH 1:2 ",
            b"* 2 FETCH (UID 2 FLAGS (\\Seen))",
            body(1, b"a", extra=b"FLAGS (\\Seen) "),
            body(2, b"b"),
            b"* 4 EXISTS",
        )
        await part.stay()

    client = await play(script, selected=True)
    assert len(await collect(client, [1, 2])) == 2
    assert client.has_own_news
    assert client.selection.exists == 4


async def test_refusal_of_one_message_after_the_other_is_the_mailboxs(play):
    async def script(part):
        while True:
            tag = await part.hear()
            await part.say(tag + b" NO [UNAVAILABLE] backend down")

    client = await play(script, selected=True)
    with pytest.raises(ServerRefused) as caught:
        await collect(client, range(1, 200))
    assert caught.value.code == "UNAVAILABLE"
    assert not client.is_lost


async def test_throttling_stops_the_download(play):
    async def script(part):
        await part.answer(b"UID FETCH", with_=b"NO [THROTTLED] slow down")
        await part.stay()

    client = await play(script, selected=True)
    with pytest.raises(Throttled):
        await collect(client, [1, 2])


async def test_bye_amid_the_download_keeps_what_came(play):
    """S1."""

    async def script(part):
        await part.hear(b"UID FETCH")
        await part.say(body(1, b"a"), b"* BYE shutting down")
        await part.stay()

    client = await play(script, selected=True)
    bodies = client.fetch_bodies(UidSet([1, 2]), {1: 1, 2: 1}, sink_for=no_sink)
    assert (await anext(bodies)).octets == b"a"
    with pytest.raises(ConnectionLost) as caught:
        await anext(bodies)
    assert "shutting down" in str(caught.value)


async def test_line_lost_while_nothing_is_in_flight_is_told_after_what_came(play):
    asked_ahead = fetching.OUTSTANDING_BYTES // MIB - 1  # each costs a little more than its octets

    async def script(part):
        for _ in range(asked_ahead):
            line = await part.reader.readline()
            await part.say(body(int(line.split()[3]), b"x" * MIB), line.split()[0] + b" OK")
        await part.say(b"* BYE enough")
        await part.stay()

    client = await play(script, selected=True, timers=Timers())
    uids = range(1, 11)
    bodies = client.fetch_bodies(UidSet(uids), dict.fromkeys(uids, MIB), sink_for=no_sink)
    got = [(await anext(bodies)).uid]
    async with asyncio.timeout(10):
        while not client.is_lost:
            await asyncio.sleep(0.02)
    got += [(await anext(bodies)).uid for _ in range(asked_ahead - 1)]
    assert got == list(range(1, asked_ahead + 1))
    with pytest.raises(ConnectionLost):
        await anext(bodies)


async def test_line_cut_inside_a_literal_gives_no_partial_message(play):
    """N1 and N12."""

    async def script(part):
        await part.hear(b"UID FETCH")
        part.writer.write(b"* 1 FETCH (UID 1 BODY[] {100}\r\nonly half")
        await part.writer.drain()

    client = await play(script, selected=True)
    with pytest.raises(ConnectionLost):
        await collect(client, [1])


async def test_drip_inside_a_literal_is_too_slow(play):
    """N5."""

    async def script(part):
        await part.hear(b"UID FETCH")
        await part.say(b"* 1 FETCH (UID 1 BODY[] {100000}")
        while True:
            part.writer.write(b"x")
            await asyncio.sleep(0.05)

    client = await play(script, selected=True)
    with pytest.raises(ConnectionLost) as caught:
        await collect(client, [1])
    assert caught.value.reason == "too_slow"


async def test_large_literal_streams_into_a_sink(play):
    octets = bytes(range(256)) * 12 * 1024

    async def script(part):
        await part.answer(b"UID FETCH 1 ", body(1, octets))
        await part.answer(b"UID FETCH 2 ", body(2, b"small"))
        await part.stay()

    sinks = {}

    def sink_for(uid, size):
        assert size == len(octets)
        sinks[uid] = MemorySink(lag=True)
        return sinks[uid]

    client = await play(script, selected=True)
    got = await collect(client, [1, 2], {1: len(octets), 2: 5}, sink_for)
    assert got[1].sink is sinks[1]
    assert got[1].octets is None
    assert sinks[1].octets == octets
    assert sinks[1].ends == 1
    assert sinks[1].most_backlog <= SINK_BACKLOG_BYTES + 512 * 1024
    assert got[2].octets == b"small"


async def test_uid_behind_a_large_body_is_found_on_the_second_try(play):
    octets = b"y" * (MIB + 1)
    late = b"* 1 FETCH (BODY[] {%d}\r\n%s UID 1)" % (len(octets), octets)

    async def script(part):
        await part.answer(b"UID FETCH 1 ", late)
        await part.answer(b"UID FETCH 1 ", late)
        await part.stay()

    client = await play(script, selected=True)
    got = await collect(client, [1], {1: len(octets)}, lambda uid, size: MemorySink())
    assert got[1].sink.octets == octets


async def test_large_literal_of_a_message_not_asked_for_reaches_no_sink(play):
    octets = b"y" * (MIB + 1)

    async def script(part):
        await part.answer(b"UID FETCH 1 ", body(9, octets), body(1, b"mine"))
        await part.stay()

    client = await play(script, selected=True)
    assert (await collect(client, [1]))[1].octets == b"mine"


async def test_cut_large_literal_aborts_its_sink(play):
    sink = MemorySink()

    async def script(part):
        await part.hear(b"UID FETCH")
        part.writer.write(b"* 1 FETCH (UID 1 BODY[] {%d}\r\n" % (3 * MIB) + b"x" * 100_000)
        await part.writer.drain()

    client = await play(script, selected=True)
    with pytest.raises(ConnectionLost):
        await collect(client, [1], {1: 3 * MIB}, lambda uid, size: sink)
    assert (sink.ends, sink.aborts) == (0, 1)


async def test_disk_error_of_a_sink_reaches_the_caller_and_drops_the_line(play):
    sink = MemorySink(lag=True, fails=True)

    async def script(part):
        await part.answer(b"UID FETCH", body(1, b"x" * (3 * MIB)))
        await part.stay()

    client = await play(script, selected=True)
    with pytest.raises(StoreError) as caught:
        await collect(client, [1], {1: 3 * MIB}, lambda uid, size: sink)
    assert caught.value.reason == "disk_full"
    assert sink.aborts == 1
    assert client.is_lost


async def test_announced_size_beyond_any_limit_is_refused_before_allocation(play):
    """S15."""

    async def script(part):
        await part.hear(b"UID FETCH")
        await part.say(b"* 1 FETCH (UID 1 BODY[] {999999999999999999999}")
        await part.stay()

    client = await play(script, selected=True)
    with pytest.raises(RemoteProtocolError):
        await collect(client, [1])
    with pytest.raises(ConnectionLost):
        await client.noop()


async def test_several_commands_are_in_flight_and_their_octets_bounded(play):
    """The pipe is full, and a caller that takes nothing stops further requests."""
    size = 200_000
    asked = []

    async def script(part):
        while True:
            line = await part.reader.readline()
            if not line:
                raise ConnectionError
            tag, _, _, uids, *_ = line.split()
            asked.append(UidSet.parse(uids.decode()))
            await part.say(*(body(uid, b"z" * size) for uid in asked[-1]), tag + b" OK")

    client = await play(script, selected=True, timers=Timers())
    uids = list(range(1, 201))
    bodies = client.fetch_bodies(UidSet(uids), dict.fromkeys(uids, size), sink_for=no_sink)
    first = await anext(bodies)
    await asyncio.sleep(0.3)
    requested = sum(len(part) for part in asked) * size
    assert 2 <= len(asked) <= fetching.MOST_COMMANDS
    assert requested <= fetching.OUTSTANDING_BYTES
    got = [first.uid] + [one.uid async for one in bodies]
    assert sorted(got) == uids


async def test_server_that_lies_about_sizes_is_held_back(play):
    """Reading pauses when more lies in memory than was reckoned with."""
    sent = 0

    async def script(part):
        nonlocal sent
        tag = await part.hear(b"UID FETCH")
        for uid in range(1, 61):
            await part.say(body(uid, b"z" * 900_000))
            sent += 900_000
        await part.say(tag + b" OK")
        await part.stay()

    client = await play(script, selected=True, timers=Timers())
    bodies = client.fetch_bodies(UidSet(range(1, 61)), dict.fromkeys(range(1, 61), 10), sink_for=no_sink)
    first = await anext(bodies)
    await asyncio.sleep(0.5)
    assert sent < 40 * 900_000
    got = [first.uid] + [one.uid async for one in bodies]
    assert sorted(got) == list(range(1, 61))


async def test_iterator_closed_early_leaves_the_connection_usable(play):
    async def script(part):
        await part.answer(b"UID FETCH", *(body(uid, b"m") for uid in range(1, 31)))
        await part.answer(b"NOOP")
        await part.stay()

    client = await play(script, selected=True)
    async with contextlib.aclosing(
        client.fetch_bodies(UidSet(range(1, 31)), dict.fromkeys(range(1, 31), 1), sink_for=no_sink)
    ) as bodies:
        async for _ in bodies:
            break
    await client.noop()
    assert not client.has_own_news


async def test_cancelled_download_drops_the_line(play):
    async def script(part):
        await part.hear(b"UID FETCH")
        await part.stay()

    client = await play(script, selected=True)
    task = asyncio.create_task(collect(client, [1]))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert client.is_lost


async def test_iterator_left_lying_holds_up_no_later_command(play):
    """Its sink lags and nobody drains it: reading is paused, and a command would wait for ever."""
    sink = MemorySink(lag=True)
    size = 20 * MIB

    async def script(part):
        await part.answer(b"UID FETCH 1 ", body(1, b"small"))
        await part.answer(b"UID FETCH 2 ", body(2, b"x" * size))
        await part.answer(b"NOOP")
        await part.stay()

    client = await play(script, selected=True, timers=Timers())
    bodies = client.fetch_bodies(UidSet([1, 2]), {1: 5, 2: size}, sink_for=lambda uid, size: sink)
    assert (await anext(bodies)).octets == b"small"
    await asyncio.sleep(0.3)
    assert len(sink.octets) < size
    await asyncio.wait_for(client.noop(), 10)
    assert len(sink.octets) == size
    await bodies.aclose()


async def test_messages_that_nobody_asked_for_end_the_line_when_they_are_many(play, monkeypatch):
    monkeypatch.setattr(fetching, "UNASKED_BYTES", 100_000)

    async def script(part):
        await part.hear(b"UID FETCH")
        while True:
            await part.say(body(9, b"x" * 30_000))

    client = await play(script, selected=True)
    with pytest.raises(RemoteProtocolError) as caught:
        _ = [one async for one in client.fetch_bodies(UidSet([1]), {1: 10}, sink_for=no_sink)]
    assert caught.value.reason == "flood"
