"""The line itself: octets in and out, TLS, back-pressure, deadlines and how each kind of loss is told."""

import asyncio
import contextlib
import socket
import struct
import time
import zlib

import pytest

from daemon.model.errors import ConnectionLost, LocalProtocolError, MailError, RemoteProtocolError, TlsFailed
from daemon.model.settings import Tls
from daemon.net import stream as stream_module
from daemon.net.deadlines import Timers
from daemon.net.endpoint import Endpoint
from daemon.net.stream import Stream

QUICK = Timers(silence_seconds=0.3, floor_window_seconds=0.3, handshake_seconds=0.5, connect_seconds=0.5)


class Collector:
    """A receiver that keeps everything; units are lines."""

    def __init__(self) -> None:
        self.octets = bytearray()
        self.error: MailError | None = None
        self.lost = asyncio.Event()
        self.came = asyncio.Event()
        self.raises: MailError | None = None

    @property
    def is_inside_unit(self) -> bool:
        return bool(self.octets) and not self.octets.endswith(b"\n")

    def receive(self, data: memoryview) -> None:
        if self.raises:
            raise self.raises
        self.octets += data
        self.came.set()

    def lose(self, error: MailError) -> None:
        assert self.error is None
        self.error = error
        self.lost.set()

    async def until(self, count: int) -> bytes:
        async with asyncio.timeout(10):
            while len(self.octets) < count:
                self.came.clear()
                await self.came.wait()
        return bytes(self.octets)

    async def end(self) -> MailError:
        async with asyncio.timeout(10):
            await self.lost.wait()
        assert self.error is not None
        return self.error


async def echo(reader, writer) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def silent(reader, writer) -> None:
    await asyncio.sleep(60)


@pytest.mark.parametrize("tls", [Tls.NONE, Tls.IMPLICIT])
async def test_octets_go_both_ways(serve, certificates, endpoint_of, tls):
    server = await serve(echo, tls=certificates.server_context() if tls is Tls.IMPLICIT else None)
    got = Collector()
    line = await Stream.open(endpoint_of(server, tls), got)
    sent = bytes(range(256)) * 8192
    for start in range(0, len(sent), stream_module.WRITE_PIECE_BYTES):
        line.write(sent[start : start + stream_module.WRITE_PIECE_BYTES])
        await line.drain()
    assert await got.until(len(sent)) == sent
    assert line.bytes_received >= len(sent)
    assert line.bytes_sent >= len(sent)
    assert line.peer_address == "127.0.0.1"
    await line.close(1)
    assert isinstance(got.error, ConnectionLost)


async def test_tls_version_is_at_least_1_2_and_session_is_visible(serve, certificates, endpoint_of):
    server = await serve(echo, tls=certificates.server_context())
    line = await Stream.open(endpoint_of(server, Tls.IMPLICIT), Collector())
    assert line.tls is not None
    assert line.tls.version() in {"TLSv1.2", "TLSv1.3"}
    line.abort()


async def test_paused_reading_stops_the_server_and_counts_for_no_deadline(serve, endpoint_of):
    """Back-pressure must reach the peer through TCP."""
    sent = 0

    async def flood(reader, writer) -> None:
        nonlocal sent
        while True:
            writer.write(b"x" * 65535 + b"\n")
            await writer.drain()
            sent += 65536

    server = await serve(flood)
    got = Collector()
    line = await Stream.open(endpoint_of(server), got, QUICK)
    line.deadlines.set_due(is_due=True)
    await got.until(1)
    line.pause_reading()
    await asyncio.sleep(0.5)
    held, at_server = len(got.octets), sent
    await asyncio.sleep(0.2)
    assert len(got.octets) == held
    assert sent == at_server
    assert line.error is None
    line.resume_reading()
    await got.until(held + 1)
    line.abort()


async def test_silence_while_an_answer_is_due_ends_the_line(serve, endpoint_of):
    server = await serve(silent)
    got = Collector()
    line = await Stream.open(endpoint_of(server), got, QUICK)
    line.deadlines.set_due(is_due=True)
    error = await got.end()
    assert isinstance(error, ConnectionLost)
    assert error.reason == "timeout"


async def test_silence_without_an_open_command_is_no_fault(serve, endpoint_of):
    server = await serve(silent)
    got = Collector()
    line = await Stream.open(endpoint_of(server), got, QUICK)
    line.deadlines.set_due(is_due=True)
    line.deadlines.set_due(is_due=False)
    await asyncio.sleep(0.6)
    assert line.error is None
    line.abort()


async def test_drip_inside_a_line_is_too_slow(serve, endpoint_of):
    """N5: one octet now and then defeats a silence deadline, not the progress floor."""

    async def drip(reader, writer) -> None:
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.05)

    server = await serve(drip)
    got = Collector()
    await Stream.open(endpoint_of(server), got, QUICK)
    error = await got.end()
    assert error.reason == "too_slow"


async def test_slow_but_complete_lines_are_no_fault(serve, endpoint_of):
    async def lines(reader, writer) -> None:
        while True:
            writer.write(b"*\n")
            await asyncio.sleep(0.05)

    server = await serve(lines)
    got = Collector()
    line = await Stream.open(endpoint_of(server), got, QUICK)
    line.deadlines.set_due(is_due=True)
    await asyncio.sleep(0.8)
    assert line.error is None
    line.abort()


async def test_server_that_stops_reading_is_found_and_the_buffer_stays_bounded(serve, endpoint_of):
    """N6."""

    async def chatty(reader, writer) -> None:
        reader._transport.pause_reading()
        while True:
            writer.write(b"* still here\n")
            await asyncio.sleep(0.05)

    server = await serve(chatty)
    got = Collector()
    line = await Stream.open(endpoint_of(server), got, QUICK)
    line.deadlines.set_due(is_due=True)
    most = 0

    async def write_on() -> None:
        nonlocal most
        while True:
            line.write(b"y" * stream_module.WRITE_PIECE_BYTES)
            most = max(most, line._transport.get_write_buffer_size())
            await line.drain()

    with pytest.raises(ConnectionLost) as caught:
        await write_on()
    assert caught.value.reason == "timeout"
    assert most <= stream_module.WRITE_BUFFER_BYTES


@pytest.mark.parametrize("how", ["fin", "rst"])
async def test_lost_line_is_told_once_and_every_later_call_raises(serve, endpoint_of, how):
    async def leave(reader, writer) -> None:
        writer.write(b"half")
        await writer.drain()
        await asyncio.sleep(0.05)
        if how == "rst":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    server = await serve(leave)
    got = Collector()
    line = await Stream.open(endpoint_of(server), got)
    error = await got.end()
    assert isinstance(error, ConnectionLost)
    assert error.reason == "closed"
    with pytest.raises(ConnectionLost):
        line.write(b"x")
    with pytest.raises(ConnectionLost):
        await line.drain()


async def test_tls_end_without_close_notify_loses_the_line(serve, certificates, endpoint_of):
    """N12."""

    async def cut(reader, writer) -> None:
        writer.write(b"{3000}\npart")
        await writer.drain()
        await reader.read(1)
        writer.transport.abort()

    server = await serve(cut, tls=certificates.server_context())
    got = Collector()
    line = await Stream.open(endpoint_of(server, Tls.IMPLICIT), got)
    await got.until(11)
    line.write(b"x")
    assert (await got.end()).reason == "closed"


async def test_protocol_error_of_the_receiver_ends_the_line_with_that_error(serve, endpoint_of):
    server = await serve(echo)
    got = Collector()
    got.raises = RemoteProtocolError("nonsense")
    line = await Stream.open(endpoint_of(server), got)
    line.write(b"x")
    assert await got.end() is got.raises
    with pytest.raises(ConnectionLost):
        line.write(b"x")


async def test_plaintext_beyond_this_machine_is_refused(monkeypatch):
    with pytest.raises(LocalProtocolError) as caught:
        await Stream.open(Endpoint(host="192.0.2.1", port=143, tls=Tls.NONE), Collector())
    assert caught.value.reason == "tls_required"


async def test_handshake_that_stalls_ends_in_time(serve, endpoint_of):
    """N11."""
    server = await serve(silent)
    began = time.monotonic()
    with pytest.raises(TlsFailed) as caught:
        await Stream.open(endpoint_of(server, Tls.IMPLICIT), Collector(), QUICK)
    assert caught.value.reason == "tls_handshake"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (b"* OK IMAP4 ready\r\n", TlsFailed, "tls_handshake"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", ConnectionLost, "not_imap"),
        (b"", TlsFailed, "tls_handshake"),
    ],
)
async def test_plain_answer_to_the_hello_is_told_apart(serve, endpoint_of, answer, kind, reason):
    """N11 and N13: text before or instead of TLS never reaches the receiver."""

    async def talk(reader, writer) -> None:
        writer.write(answer)
        await writer.drain()
        await reader.read(10)

    server = await serve(talk)
    got = Collector()
    with pytest.raises(kind) as caught:
        await Stream.open(endpoint_of(server, Tls.IMPLICIT), got, QUICK)
    assert caught.value.reason == reason
    assert not got.octets


async def test_starttls_encrypts_and_the_new_receiver_sees_no_plaintext(serve, certificates, endpoint_of):
    context = certificates.server_context()

    async def upgrade(reader, writer) -> None:
        writer.write(b"* OK plain\n")
        await reader.readline()
        writer.write(b"go\n")
        await writer.start_tls(context)
        writer.write(b"* secret\n")
        await writer.drain()
        await reader.read(10)

    server = await serve(upgrade)
    before, after = Collector(), Collector()
    line = await Stream.open(endpoint_of(server, Tls.STARTTLS), before)
    await before.until(11)
    line.write(b"STARTTLS\n")
    await before.until(14)
    await line.start_tls(after)
    assert await after.until(9) == b"* secret\n"
    assert bytes(before.octets) == b"* OK plain\ngo\n"
    with pytest.raises(LocalProtocolError):
        await line.start_tls(after)
    line.abort()


async def test_cancelled_handshake_drops_the_line(serve, endpoint_of):
    server = await serve(silent)
    task = asyncio.create_task(Stream.open(endpoint_of(server, Tls.IMPLICIT), got := Collector()))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert isinstance(await got.end(), ConnectionLost)


async def test_two_lines_share_one_buffer_and_mix_nothing(serve, endpoint_of):
    """The shared buffer relies on no gap between the read and `buffer_updated`."""

    def sender(letter: bytes):
        async def send(reader, writer) -> None:
            for _ in range(64):
                writer.write(letter * 65536)
                await writer.drain()
            await reader.read(1)

        return send

    servers = [await serve(sender(letter)) for letter in (b"a", b"b")]
    got = [Collector(), Collector()]
    lines = [await Stream.open(endpoint_of(server), one) for server, one in zip(servers, got, strict=True)]
    assert lines[0].get_buffer(-1).obj is lines[1].get_buffer(-1).obj
    size = 64 * 65536
    assert set(await got[0].until(size)) == set(b"a")
    assert set(await got[1].until(size)) == set(b"b")
    for line in lines:
        line.abort()


async def test_close_of_a_stuck_line_ends_in_time(serve, endpoint_of):
    async def stuck(reader, writer) -> None:
        reader._transport.pause_reading()
        await asyncio.sleep(60)

    server = await serve(stuck)
    line = await Stream.open(endpoint_of(server), Collector())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.3):
            while True:
                line.write(b"z" * 65536)
                await line.drain()
    began = time.monotonic()
    await line.close(0.2)
    assert time.monotonic() - began < 2
    await line.close(0.2)


async def test_paused_reader_keeps_what_is_deflated_and_loses_nothing(serve, endpoint_of):
    """A little on the wire may be a lot of text: a reader that pauses gets no more of it until it goes on."""
    plain = b"".join(b"%d a line that deflates well\n" % number for number in range(200_000))

    async def script(reader, writer):
        packer = zlib.compressobj(wbits=-15)
        writer.write(packer.compress(plain) + packer.flush(zlib.Z_SYNC_FLUSH))
        await writer.drain()
        assert zlib.decompressobj(-15).decompress(await reader.read(100)) == b"hello"
        writer.write(packer.compress(b"bye\n") + packer.flush(zlib.Z_SYNC_FLUSH))
        await reader.read()

    got = Collector()
    line = await Stream.open(endpoint_of(await serve(script)), got)
    line.start_compression()
    assert line.is_compressed
    with pytest.raises(LocalProtocolError):
        line.start_compression()
    receive = got.receive

    def pausing(data) -> None:
        receive(data)
        line.pause_reading()

    got.receive = pausing
    held = []
    while len(got.octets) < len(plain):
        await got.until(len(got.octets) + 1)
        held.append(len(got.octets))
        await asyncio.sleep(0)
        assert len(got.octets) == held[-1]
        line.resume_reading()
    assert len(held) > 10
    line.write(b"hello")
    line.resume_reading()
    assert await got.until(len(plain) + 4) == plain + b"bye\n"
    assert line.bytes_received < len(plain) / 4
    line.abort()
