"""GET /v1/events: long poll and stream over one journal."""

import asyncio
import json
import time

import pytest
import structlog

from api.context import STREAMS, WAITS

SYNCS = "&types=sync.started,sync.finished"
"""Accounts tell of their own states meanwhile; tests count what they announced."""


class Stream:
    """A client of the stream: frames as (id, event, data)."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.left = b""

    @classmethod
    async def open(cls, served, query="", *fields):
        reader, writer = await served.connect()
        writer.write(served.head(f"GET /v1/events{query} HTTP/1.1", "Accept: text/event-stream", *fields))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 3)
        assert head.startswith(b"HTTP/1.1 200 "), head
        assert b"Content-Type: text/event-stream" in head
        return cls(reader, writer)

    async def frames(self, count):
        found = []
        async with asyncio.timeout(5):
            while len(found) < count:
                size = int(await self.reader.readline(), 16)
                self.left += (await self.reader.readexactly(size + 2))[:-2]
                while b"\n\n" in self.left:
                    text, _, self.left = self.left.partition(b"\n\n")
                    fields = dict(line.split(": ", 1) for line in text.decode().splitlines())
                    if "data" in fields:
                        found.append((fields["id"], fields["event"], json.loads(fields["data"])))
        return found

    def close(self):
        self.writer.close()


async def test_poll_gives_what_followed(served, world):
    start = (await served.call("GET", "/v1/status")).json["event_id"]
    await world.announce("sync.started")
    await world.announce("sync.finished")
    reply = await served.call("GET", f"/v1/events?since={start}{SYNCS}")
    assert reply.status == 200
    assert [item["name"] for item in reply.json["items"]] == ["sync.started", "sync.finished"]
    assert set(reply.json["items"][0]) == {"id", "name", "account", "mailbox", "message_id", "at", "data"}
    assert reply.json["next"] >= reply.json["items"][-1]["id"]
    again = await served.call("GET", f"/v1/events?since={reply.json['next']}{SYNCS}")
    assert again.json["items"] == []
    assert again.json["next"] >= reply.json["next"]


async def test_poll_in_steps_gives_each_event_once(served, world):
    start = (await served.call("GET", "/v1/status")).json["event_id"]
    for _ in range(5):
        await world.announce("sync.started")
    seen, since = [], start
    while True:
        reply = (await served.call("GET", f"/v1/events?since={since}&limit=2{SYNCS}")).json
        if not reply["items"]:
            break
        seen += [item["id"] for item in reply["items"]]
        since = reply["next"]
    assert len(seen) == len(set(seen)) == 5
    assert seen == sorted(seen)


async def test_long_poll_ends_with_the_first_event(served, world):
    start = (await served.call("GET", "/v1/status")).json["event_id"]
    waiting = asyncio.create_task(
        served.call("GET", f"/v1/events?since={start}&timeout=10{SYNCS}"), name="poll"
    )
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await world.announce("sync.finished")
    reply = await waiting
    assert time.monotonic() - began < 2
    assert [item["name"] for item in reply.json["items"]] == ["sync.finished"]


async def test_long_poll_that_runs_out_is_empty(served):
    start = (await served.call("GET", "/v1/status")).json["event_id"]
    reply = await served.call("GET", f"/v1/events?since={start}&timeout=0.1&types=mailbox.reset")
    assert reply.status == 200
    assert reply.json["items"] == []


async def test_types_are_kept_and_others_passed_over(served, world):
    start = (await served.call("GET", "/v1/status")).json["event_id"]
    for name in ("sync.started", "sync.progress", "sync.finished"):
        await world.announce(name)
    reply = await served.call("GET", f"/v1/events?since={start}&types=sync.started,sync.finished")
    assert [item["name"] for item in reply.json["items"]] == ["sync.started", "sync.finished"]
    none = await served.call("GET", f"/v1/events?since={start}&types=mailbox.reset")
    assert none.json["items"] == []
    assert none.json["next"] >= reply.json["items"][-1]["id"]


@pytest.mark.parametrize("since", ["nonsense", "deadbeef-000000000001", "../../etc/passwd", "%25"])
async def test_place_that_is_no_more_is_410(served, since):
    reply = await served.call("GET", f"/v1/events?since={since}")
    assert reply.status == 410
    assert reply.json["code"] == "events_gone"


async def test_stream_tells_what_follows(served, world):
    start = (await served.call("GET", "/v1/status")).json["event_id"]
    await world.announce("sync.started")
    stream = await Stream.open(served, f"?since={start}&types=sync.started,sync.finished")
    first = (await stream.frames(1))[0]
    assert first[1] == "sync.started"
    assert first[2]["id"] == first[0]
    await world.announce("sync.finished")
    assert (await stream.frames(1))[0][1] == "sync.finished"
    stream.close()


async def test_stream_goes_on_from_the_last_id_seen(served, world):
    start = (await served.call("GET", "/v1/status")).json["event_id"]
    for _ in range(3):
        await world.announce("sync.started")
    stream = await Stream.open(served, f"?since={start}&types=sync.started")
    seen = await stream.frames(2)
    stream.close()
    stream = await Stream.open(served, f"?since={start}&types=sync.started", f"Last-Event-ID: {seen[0][0]}")
    assert (await stream.frames(2))[0][0] == seen[1][0]
    stream.close()


async def test_stream_from_a_place_that_is_no_more_is_reset(served, world):
    stream = await Stream.open(served, "?since=deadbeef-000000000001&types=sync.finished")
    frame = (await stream.frames(1))[0]
    assert frame[1] == "reset"
    assert frame[2] == {"event_id": frame[0]}
    await world.announce("sync.finished")
    assert (await stream.frames(1))[0][1] == "sync.finished"
    stream.close()


async def test_bad_last_event_id_is_refused(served):
    answer = await served.exchange(
        served.head("GET /v1/events HTTP/1.1", "Accept: text/event-stream", "Last-Event-ID: \xff" + "x" * 200)
    )
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_quiet_stream_has_a_heartbeat(served, monkeypatch):
    from api import events

    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.05)
    stream = await Stream.open(served, "?since=deadbeef-000000000001&types=mailbox.reset")
    async with asyncio.timeout(3):
        while b": still here" not in await stream.reader.readline():
            continue
    stream.close()


async def test_streams_over_the_limit_are_too_many(served):
    from api import limits

    streams = [await Stream.open(served, "?types=mailbox.reset") for _ in range(limits.MAX_STREAMS)]
    answer = await served.exchange(served.head("GET /v1/events HTTP/1.1", "Accept: text/event-stream"))
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"too_busy" in answer
    assert (await served.call("GET", "/v1/status")).status == 200
    for stream in streams:
        stream.close()


async def test_client_that_goes_away_leaves_its_place_and_no_error(served, world):
    """faults.md A16; a browser comes back every two seconds, and ghosts must not take the places of the living."""
    start = (await served.call("GET", "/v1/status")).json["event_id"]
    with structlog.testing.capture_logs() as lines:
        stream = await Stream.open(served, "?types=mailbox.reset")
        _, writer = await served.connect()
        writer.write(served.head(f"GET /v1/events?since={start}&timeout=60&types=mailbox.reset HTTP/1.1"))
        await asyncio.sleep(0.1)
        assert served.server._lobby.open == 2
        stream.writer.transport.abort()
        writer.transport.abort()
        await asyncio.sleep(0.1)
    assert served.server._lobby.open == 0
    assert served.server._runner.app[STREAMS].taken == served.server._runner.app[WAITS].taken == 0
    assert "api.failed" not in [line["event"] for line in lines]


async def test_stop_ends_streams_and_waits_at_once(served, world):
    stream = await Stream.open(served, "?types=mailbox.reset")
    start = (await served.call("GET", "/v1/status")).json["event_id"]
    reader, writer = await served.connect()
    writer.write(served.head(f"GET /v1/events?since={start}&timeout=60&types=mailbox.reset HTTP/1.1"))
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await served.server.stop()
    assert time.monotonic() - began < 1
    async with asyncio.timeout(1):
        assert await reader.read() == b""
        await stream.reader.read()
    writer.close()
    stream.close()
