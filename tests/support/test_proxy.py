"""The proxy itself, between a client and a server that sends the alphabet for ever."""

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from tests.support.proxy import Fault, FaultKind, WireProxy

ALPHABET = bytes(range(97, 123))


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server that answers each line with the alphabet."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readline():
                writer.write(ALPHABET)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_both_directions_are_recorded_with_their_times(port):
    async with WireProxy(port) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"hello\n")
        assert await reader.readexactly(26) == ALPHABET
        (session,) = proxy.sessions
        assert (bytes(session.to_server), bytes(session.to_client)) == (b"hello\n", ALPHABET)
        assert session.time_of(b"z") is not None
        assert session.time_of(b"z", start=26) is None
        writer.transport.abort()


async def test_bodies_are_counted_when_they_are_whole():
    from tests.support.proxy import WireSession

    session = WireSession()
    session.to_client += b"* 1 FETCH (UID 4 BODY[] {3}\r\nabc)\r\n* 2 FETCH (UID 5 BODY[] {9}\r\nabc"
    assert len(session.bodies_fetched()) == 1


@pytest.mark.parametrize("kind", [FaultKind.FIN, FaultKind.RST])
@pytest.mark.parametrize("after", [1, 25, 26])
async def test_line_is_cut_after_exactly_so_many_octets(port, kind, after):
    async with WireProxy(port) as proxy:
        proxy.fault = Fault(after, kind)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"hello\n")
        async with asyncio.timeout(5):
            if kind is FaultKind.FIN:
                assert await reader.read() == ALPHABET[:after]
            else:
                with pytest.raises(ConnectionResetError):
                    while await reader.read(100):
                        pass
        assert bytes(proxy.sessions[0].to_client) == ALPHABET[:after]
        writer.transport.abort()


async def test_stalled_line_stays_open_and_silent(port):
    async with WireProxy(port) as proxy:
        proxy.fault = Fault(10, FaultKind.STALL)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"hello\n")
        assert await reader.readexactly(10) == ALPHABET[:10]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)
        writer.transport.abort()


async def test_fault_that_is_cleared_spares_the_next_line(port):
    async with WireProxy(port) as proxy:
        proxy.fault = Fault(0)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"hello\n")
        assert await reader.read() == b""
        writer.transport.abort()
        proxy.fault = None
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"hello\n")
        assert await reader.readexactly(26) == ALPHABET
        writer.transport.abort()


async def test_tls_ends_at_the_proxy_and_the_recording_is_in_clear(port):
    authority = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server_side)
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)
    async with WireProxy(port, tls=server_side) as proxy:
        reader, writer = await asyncio.open_connection("localhost", proxy.port, ssl=client_side)
        writer.write(b"hello\n")
        assert await reader.readexactly(26) == ALPHABET
        assert bytes(proxy.sessions[0].to_server) == b"hello\n"
        writer.transport.abort()


async def test_refusing_proxy_ends_every_new_line(port):
    async with WireProxy(port) as proxy:
        proxy.is_refusing = True
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await reader.read() == b""
        writer.transport.abort()
