"""COMPRESS=DEFLATE: only where it was asked for, never with garbage, and given up when it proves false. RFC 4978."""

import random
import zlib

import pytest

from daemon.model.clock import SystemClock
from daemon.model.errors import ConnectionLost
from daemon.model.secret import Secret
from daemon.model.settings import Tls
from daemon.model.uidset import UidSet
from daemon.net.endpoint import Endpoint
from daemon.net.imap import compressing
from daemon.net.imap.client import AppendItem, ImapClient

CAPS = b"IMAP4rev1 COMPRESS=DEFLATE"
GREETING = b"* PREAUTH [CAPABILITY " + CAPS + b"] ready\r\n"


class Deflating:
    """The server's two streams."""

    def __init__(self, reader, writer) -> None:
        self.reader, self.writer = reader, writer
        self.packer = zlib.compressobj(wbits=-15)
        self.unpacker = zlib.decompressobj(-15)

    def pack(self, *lines: bytes) -> bytes:
        return self.packer.compress(b"".join(line + b"\r\n" for line in lines)) + self.packer.flush(
            zlib.Z_SYNC_FLUSH
        )

    async def hear(self, word: bytes) -> bytes:
        line = b""
        while not line.endswith(b"\r\n"):
            line += self.unpacker.decompress(await self.reader.read(65536))
        assert word in line, line
        return line.split()[0]


async def connect(server, endpoint_of, **options) -> ImapClient:
    from tests.net.imap.conftest import QUICK

    client = await ImapClient.connect(endpoint_of(server), clock=SystemClock(), timers=QUICK, **options)
    await client.authenticate("ada", Secret("x"))
    return client


async def accept(reader, writer, *behind: bytes) -> Deflating:
    writer.write(GREETING)
    line = await reader.readline()
    assert line.endswith(b"COMPRESS DEFLATE\r\n")
    line_end = Deflating(reader, writer)
    writer.write(line.split()[0] + b" OK DEFLATE active\r\n" + (line_end.pack(*behind) if behind else b""))
    return line_end


@pytest.mark.parametrize("behind", [(), (b"* OK told in the same packet as the consent",)])
async def test_both_sides_deflate_behind_the_consent(serve, endpoint_of, behind):
    async def script(reader, writer):
        line = await accept(reader, writer, *behind)
        tag = await line.hear(b"NOOP")
        wire = line.pack(b"* CAPABILITY IMAP4rev1 X-NEW", tag + b" OK done")
        for at in range(len(wire)):
            writer.write(wire[at : at + 1])
            await writer.drain()
        await reader.read()

    client = await connect(await serve(script), endpoint_of, compress="on")
    assert client.is_compressed
    await client.noop()
    assert client.caps.has("X-NEW")
    client.abort()


@pytest.mark.parametrize("wish", ["off", "auto"])
async def test_nobody_asks_unless_told_to_and_never_on_loopback(serve, endpoint_of, wish):
    async def script(reader, writer):
        writer.write(GREETING)
        line = await reader.readline()
        assert b"NOOP" in line
        writer.write(line.split()[0] + b" OK done\r\n")
        await reader.read()

    client = await connect(await serve(script), endpoint_of, compress=wish)
    client._session.meter.note(10**6, 10.0)
    await compressing.consider(client._session)
    await client.noop()
    assert not client.is_compressed
    client.abort()


async def test_slow_link_elsewhere_is_compressed_by_auto(serve, endpoint_of, monkeypatch):
    monkeypatch.setattr(compressing, "is_loopback", lambda address: False)

    async def script(reader, writer):
        await accept(reader, writer)
        await reader.read()

    client = await connect(await serve(script), endpoint_of, compress="auto")
    await compressing.consider(client._session)
    assert not client.is_compressed  # nothing measured yet
    client._session.meter.note(10**6, 10.0)
    await compressing.consider(client._session)
    assert client.is_compressed
    client.abort()


@pytest.mark.parametrize("answer", [b" NO [COMPRESSIONACTIVE] TLS does", b" BAD what"])
async def test_refusal_is_no_error_and_not_repeated(serve, endpoint_of, answer):
    async def script(reader, writer):
        writer.write(GREETING)
        tag = (await reader.readline()).split()[0]
        writer.write(tag + answer + b"\r\n* OK plain text goes on\r\n")
        tag = (await reader.readline()).split()[0]
        writer.write(tag + b" OK done\r\n")
        await reader.read()

    client = await connect(await serve(script), endpoint_of, compress="on")
    await compressing.consider(client._session)
    await client.noop()
    assert not client.is_compressed
    client.abort()


@pytest.mark.parametrize("garbage", [b"* OK not deflated at all\r\n", b"\xff\xff\xff\xff\xff\xff"])
async def test_garbage_ends_the_line_and_the_next_does_without(serve, endpoint_of, garbage):
    """S29."""

    async def script(reader, writer):
        await accept(reader, writer)
        await reader.read(100)
        writer.write(garbage)
        await reader.read()

    client = await connect(await serve(script), endpoint_of, compress="on")
    with pytest.raises(ConnectionLost) as caught:
        await client.noop()
    assert caught.value.reason == "compress_broken"
    assert client.distrusted == {"COMPRESS=DEFLATE"}

    async def plainly(reader, writer):
        writer.write(GREETING)
        await reader.read()

    again = await connect(await serve(plainly), endpoint_of, compress="on", distrust=client.distrusted)
    assert not again.is_compressed
    again.abort()


async def test_inflate_bomb_costs_no_memory(serve, endpoint_of):
    """S29: a thousandfold growth is stopped after some megabytes."""

    async def script(reader, writer):
        line = await accept(reader, writer)
        await line.hear(b"NOOP")
        writer.write(
            line.packer.compress(b"* OK " + b"\0" * (64 << 20)) + line.packer.flush(zlib.Z_SYNC_FLUSH)
        )
        await reader.read()

    import tracemalloc

    client = await connect(await serve(script), endpoint_of, compress="on")
    tracemalloc.start()
    with pytest.raises(Exception) as caught:
        await client.noop()
    assert caught.value.reason in {"line_too_long", "compress_broken"}
    tracemalloc.stop()
    assert client.distrusted == {"COMPRESS=DEFLATE"}


ZLIB = """
mail_plugins = zlib
protocol imap {
  mail_plugins = zlib imap_zlib
}
"""


async def test_dovecot_downloads_and_uploads_compressed(dovecot_factory):
    server = dovecot_factory(extra=ZLIB)
    chance = random.Random(3)
    messages = [
        b"Subject: %d\r\n\r\n" % number + chance.randbytes(20).hex().encode() * 2000 + b"\r\n"
        for number in range(20)
    ]
    large = b"Subject: large\r\n\r\n" + b"".join(
        chance.randbytes(30).hex().encode() + b"\r\n" for _ in range(40_000)
    )
    server.fill("ada", "INBOX", [*messages, large])
    endpoint = Endpoint(host="localhost", port=server.imaps_port, tls=Tls.IMPLICIT, ca_file=server.ca_file)
    client = await ImapClient.connect(endpoint, clock=SystemClock(), compress="on")
    await client.authenticate("ada", Secret(server.password))
    assert client.is_compressed
    await client.select(b"INBOX")
    before = client.bytes_received
    got = {}
    sinks = {}

    class Keeper:
        backlog_bytes = 0

        def __init__(self) -> None:
            self.octets = b""

        def write(self, data) -> None:
            self.octets += data

        async def drain(self) -> None:
            return

        async def end(self) -> None:
            return

        def abort(self) -> None:
            raise AssertionError

    def sink_for(uid, size):
        return sinks.setdefault(uid, Keeper())

    async for body in client.fetch_bodies(UidSet(range(1, 22)), {}, sink_for=sink_for):
        got[body.uid] = body.octets if body.sink is None else sinks[body.uid].octets
    assert got == dict(enumerate([*messages, large], 1))
    assert client.bytes_received - before < sum(map(len, got.values())) * 0.7

    async def chunks():
        yield large

    (outcome,) = await client.append_many(
        b"INBOX", [AppendItem(size=len(large), open_chunks=chunks, internal_date=0)]
    )
    assert outcome.uid == 22
    await client.logout()
