"""One connection's limits (faults.md A8, A9)."""

import asyncio
import contextlib
import re
import time

import pytest

from api import limits
from api.connection import Lobby


def statuses(answer):
    return [int(status) for status in re.findall(rb"HTTP/[0-9.]+ ([0-9]{3}) ", answer)]


async def test_head_that_never_ends_is_given_up(still, monkeypatch):
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.3)
    began = time.monotonic()
    answer = await still.exchange(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: ")
    assert statuses(answer) == [408]
    assert 0.2 < time.monotonic() - began < 2


async def test_dripping_head_gets_no_more_time(still, monkeypatch):
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.5)
    reader, writer = await still.connect()
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while not reader.at_eof() and time.monotonic() - began < 3:
            writer.write(b"X")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await reader.read(1)
                    break
    writer.close()
    assert time.monotonic() - began < 2


async def test_silent_connection_is_closed_without_a_word(still, monkeypatch):
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.2)
    assert await still.exchange(b"", seconds=3) == b""


async def test_head_of_the_next_request_has_its_own_deadline(still, monkeypatch):
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.3)
    reader, writer = await still.connect()
    one = f"GET /livez HTTP/1.1\r\nHost: {still.host}\r\n\r\n".encode()
    for _ in range(3):
        writer.write(one)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2)
        assert head.startswith(b"HTTP/1.1 200 ")
        await reader.readexactly(17)
        await asyncio.sleep(0.2)
    await asyncio.sleep(0.3)
    writer.write(b"GET /li")
    answer = await asyncio.wait_for(reader.read(), 2)
    assert statuses(answer) == [408]
    writer.close()


async def test_connections_over_the_limit_are_refused_and_places_come_back(still, monkeypatch):
    still.server._lobby.most = 5
    held = [await still.connect() for _ in range(5)]
    await asyncio.sleep(0.05)
    assert statuses(await still.exchange(b"", seconds=2)) == [503]
    control = await still.call("GET", "/v1/status", with_token=False, socket=still.server.control_path)
    assert control.status == 200
    for _, writer in held:
        writer.close()
    await asyncio.sleep(0.05)
    assert (await still.call("GET", "/livez")).status == 200
    assert still.server._lobby.open <= 1


async def test_many_idle_connections_slow_nobody(still):
    held = [await still.connect() for _ in range(200)]
    began = time.monotonic()
    assert (await still.call("GET", "/livez")).status == 200
    assert time.monotonic() - began < 1
    for _, writer in held:
        writer.close()


async def test_pipelined_requests_are_answered_in_order(still):
    one = f"GET /livez HTTP/1.1\r\nHost: {still.host}\r\n\r\n".encode()
    answer = await still.exchange(one * 500 + still.head("GET /nothing HTTP/1.1"))
    assert statuses(answer) == [200] * 500 + [404]


@pytest.mark.parametrize(
    "data",
    [
        b"GET /livez\r\n\r\n",
        b"GET /livez HTTP/0.9\r\nHost: {host}\r\n\r\n",
        b"GET /livez HTTP/2.0\r\nHost: {host}\r\n\r\n",
        b"GET /livez HTTP/1.1\nHost: {host}\n\n",
        b"GET /livez HTTP/1.1\r\nHost : {host}\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: {host}\r\n X: folded\r\n\r\n",
        b"POST /livez HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /livez HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /livez HTTP/1.1\r\nHost: {host}\r\nContent-Length: +3\r\n\r\nabc",
        b"POST /livez HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: {host}\r\nX: a\x00b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: {host}\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: {host}\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: {host}\r\n" + b"X: a\r\n" * 1000 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\r\n" * 3 + b"nonsense\r\n\r\n",
    ],
)
async def test_malformed_request_is_refused_without_repeating_it(still, data, capsys):
    answer = await still.exchange(data.replace(b"{host}", still.host.encode()), seconds=2)
    assert statuses(answer)[0] in (400, 404, 405, 414, 431), answer
    assert b"alive" not in answer
    assert b"Traceback" not in answer
    assert b"nonsense" not in answer
    assert "Traceback" not in "".join(capsys.readouterr())


def test_control_socket_has_its_own_reserve():
    assert limits.MAX_CONTROL_CONNECTIONS > 0
    assert Lobby(limits.MAX_CONTROL_CONNECTIONS).open == 0
