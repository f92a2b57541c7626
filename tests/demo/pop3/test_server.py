"""The listener."""

import asyncio

from daemon.demo.mailbox import User
from daemon.demo.pop3.server import Pop3Server


async def converse(server, *lines: bytes) -> list[bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    said = [await reader.readline()]
    for line in lines:
        writer.write(line + b"\r\n")
        said.append(await reader.readline())
    writer.close()
    return said


async def test_answer_can_be_another_than_the_truth_or_none():
    async with Pop3Server(
        [User("a", "b")], intervene=lambda line: b"-ERR busy\r\n" if line == b"CAPA" else None
    ) as server:
        assert (await converse(server, b"CAPA"))[1] == b"-ERR busy\r\n"
        server.intervene = lambda line: b""
        assert (await converse(server, b"CAPA"))[1] == b""


async def test_what_is_left_out_is_not_understood():
    async with Pop3Server([User("a", "b")], without=["UIDL"]) as server:
        said = await converse(server, b"USER a", b"PASS b", b"UIDL")
        assert said[3].startswith(b"-ERR")


async def test_leaving_drops_clients_and_keeps_the_port():
    server = Pop3Server([User("a", "b")])
    async with server:
        port = server.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readline()
    assert await reader.read() == b""
    writer.close()
    async with server:
        assert server.port == port
