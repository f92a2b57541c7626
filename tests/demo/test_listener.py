"""What the demo's servers share: a port, and a task for each client."""

import asyncio
import contextlib
import socket

import pytest

from daemon.demo import listener
from daemon.demo.listener import Listener


async def echo(reader, writer):
    while line := await reader.readline():
        writer.write(line)


async def connect(server):
    return await asyncio.open_connection("127.0.0.1", server.port)


async def test_each_client_is_served_and_the_port_is_kept_for_another_start():
    server = Listener("echo", echo, line_bytes=1000)
    async with server:
        port = server.port
        pairs = [await connect(server) for _ in range(3)]
        for number, (reader, writer) in enumerate(pairs):
            writer.write(b"%d\n" % number)
            assert await reader.readline() == b"%d\n" % number
        assert server.client_count == 3
    assert [await reader.read() for reader, _ in pairs] == [b""] * 3
    with pytest.raises(ConnectionRefusedError):
        await connect(server)
    async with server:
        assert server.port == port
    for _, writer in pairs:
        writer.close()


@pytest.mark.parametrize("steps", range(6))
async def test_client_that_comes_just_before_the_end_is_dropped_too(steps):
    async with Listener("echo", echo, line_bytes=1000) as server:
        client = socket.create_connection(("127.0.0.1", server.port))
        for _ in range(steps):
            await asyncio.sleep(0)
    with client:
        client.setblocking(False)
        with contextlib.suppress(ConnectionResetError):
            async with asyncio.timeout(5):
                assert await asyncio.get_running_loop().sock_recv(client, 1) == b""
    assert server.client_count == 0


async def test_one_client_too_many_is_turned_away(monkeypatch):
    monkeypatch.setattr(listener, "MOST_CLIENTS", 1)
    async with Listener("echo", echo, line_bytes=1000) as server:
        _, first = await connect(server)
        first.write(b"a\n")
        await asyncio.sleep(0.05)
        reader, second = await connect(server)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        for writer in (first, second):
            writer.close()
