"""One line to a server: TCP, TLS, deflate, deadlines and back-pressure. It knows octets and time, and no protocol.

Octets go to a `Receiver` as a view into a buffer that all lines of one loop share; the receiver copies what it keeps.
That relies on `get_buffer`, the read and `buffer_updated` running without a gap, which holds for asyncio's selector
loop and for uvloop on Unix. Foreign errors become ours here (`net.foreign`). A line that is lost stays lost.
"""

import asyncio
import ssl
import time
from typing import Final, cast

from daemon.model.errors import ConnectionLost, LocalProtocolError, MailError, TlsFailed
from daemon.model.settings import Tls
from daemon.net import foreign
from daemon.net.buffers import RECEIVE_BYTES, buffers_of
from daemon.net.deadlines import DEFAULT_TIMERS, Deadlines, Timers
from daemon.net.deflate import Deflate
from daemon.net.dialling import dial
from daemon.net.endpoint import Endpoint
from daemon.net.foreign import again
from daemon.net.receiver import Receiver
from daemon.net.tls import TlsPump, load_context
from daemon.net.turns import Turns

__all__ = ["WRITE_BUFFER_BYTES", "WRITE_PIECE_BYTES", "Receiver", "Stream", "again"]

WRITE_BUFFER_BYTES: Final = 1024 * 1024
"""Most octets waiting to be sent (faults.md N6); a writer beyond it waits in `drain`."""

WRITE_PIECE_BYTES: Final = 64 * 1024


class Stream(asyncio.BufferedProtocol):
    """A connected line. Owned by one receiver; all methods belong to the loop's thread."""

    def __init__(
        self, endpoint: Endpoint, receiver: Receiver, timers: Timers, context: ssl.SSLContext | None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._endpoint = endpoint
        self._timers = timers
        self._receiver = receiver
        self._buffers = buffers_of(self._loop)
        self._transport: asyncio.Transport | None = None
        self._context = context
        self._pump: TlsPump | None = None
        self._shaking: asyncio.Future[None] | None = None
        self._deflate: Deflate | None = None
        if endpoint.tls is Tls.IMPLICIT:
            self._prepare_tls()
        self._room = asyncio.Event()
        self._room.set()
        self._error: MailError | None = None
        self._closed = asyncio.Event()
        self._is_reading = True
        self._turns = Turns(RECEIVE_BYTES)
        self.deadlines = Deadlines(self._loop, timers, count_unsent=self._count_unsent, give_up=self._lose)
        self.bytes_received = 0
        self.bytes_sent = 0

    @classmethod
    async def open(cls, endpoint: Endpoint, receiver: Receiver, timers: Timers = DEFAULT_TIMERS) -> "Stream":
        """A connected line; encrypted already where TLS is implicit, else `start_tls` does it.

        Raises:
            ConnectionLost: dns, refused, unreachable, timeout, not_imap.
            TlsFailed: No trust in the line; nothing was sent over it.
            LocalProtocolError: Plaintext to another machine.
        Cancellation:
            Safe; the line is dropped.
        """
        is_plain = endpoint.tls is Tls.NONE
        # Read beforehand: between the server's consent and our hello there must be no await (STARTTLS injection).
        context = None if is_plain else await load_context(endpoint.ca_file)
        stream = cls(endpoint, receiver, timers, context)
        sock = await dial(endpoint, timers)
        try:
            await asyncio.get_running_loop().create_connection(lambda: stream, sock=sock)
        except OSError as exc:
            sock.close()
            raise foreign.map_connect_error(exc, endpoint.host, endpoint.port) from exc
        except BaseException:
            sock.close()
            raise
        if endpoint.tls is Tls.IMPLICIT:
            await stream._finish_handshake()
        return stream

    # State

    @property
    def error(self) -> MailError | None:
        """Why the line is gone; None while it lives."""
        return self._error

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS session, for channel binding; None in plaintext."""
        return self._pump.tls if self._pump else None

    @property
    def peer_address(self) -> str:
        """The address we are connected to."""
        if self._transport is None:
            return ""
        name = self._transport.get_extra_info("peername")
        return str(name[0]) if name else ""

    # TLS

    async def start_tls(self, receiver: Receiver) -> None:
        """Encrypt the line from the next octet on and give it to `receiver`, which has seen no plaintext.

        The caller has made sure that nothing arrived after the server's consent (RFC 9051 §6.2.1).

        Raises:
            TlsFailed: No trust in the line; it is closed and no credential was sent.
            ConnectionLost: not_imap, when a web page answers.
        Cancellation:
            Safe; the line is dropped.
        """
        self._check()
        if self._pump is not None or self._context is None:
            raise LocalProtocolError("TLS is on already, or was not asked for")
        self._receiver = receiver
        self._prepare_tls()
        self._shake()
        await self._finish_handshake()

    def _prepare_tls(self) -> None:
        if self._context is None:
            raise LocalProtocolError("TLS without a context")
        host = self._endpoint.host.partition("%")[0]
        try:
            self._pump = TlsPump(self._context, host)
        except (UnicodeError, ValueError) as exc:
            raise TlsFailed(f"no certificate can be for {host}", reason="tls_hostname") from exc
        self._shaking = self._loop.create_future()

    async def _finish_handshake(self) -> None:
        shaking = self._shaking
        if shaking is None:
            return
        try:
            async with asyncio.timeout(self._timers.handshake_seconds):
                await shaking
        except TimeoutError as exc:
            self._lose(error := foreign.map_tls_error(exc, self._endpoint.host))
            raise error from exc
        except BaseException:
            self.abort()
            raise

    def _shake(self) -> None:
        pump, shaking = self._pump, self._shaking
        if pump is None or shaking is None or shaking.done():
            return
        try:
            is_done = pump.shake()
        except ssl.SSLError as exc:
            self._flush()  # the alert tells the server why
            self._fail_handshake(self._tls_error(exc))
            return
        self._flush()
        if is_done:
            shaking.set_result(None)

    # Deflate

    @property
    def is_compressed(self) -> bool:
        """Whether both sides deflate."""
        return self._deflate is not None

    def start_compression(self, already: bytes = b"") -> None:
        """Deflate from the next octet on (RFC 4978 §3). `already`: octets of that kind that came with the server's consent.

        The caller has made sure that nothing before it is still to be read or written.
        """
        self._check()
        if self._deflate is not None:
            raise LocalProtocolError("the line is compressed already")
        self._deflate = Deflate()
        if already:
            self._deliver(memoryview(already))

    # Receiving

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's, they only behave like them.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(
            high=WRITE_BUFFER_BYTES - 4 * WRITE_PIECE_BYTES, low=256 * 1024
        )
        self._shake()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffers.cipher[: self._turns.portion_bytes]

    def buffer_updated(self, nbytes: int) -> None:
        began = time.perf_counter()
        self._take_received(nbytes)
        must_wait = self._turns.note(nbytes, time.perf_counter() - began)
        if must_wait and self._transport is not None and self._error is None:
            self._transport.pause_reading()
            self._loop.call_soon(self._begin_turn)

    def _begin_turn(self) -> None:
        if self._is_reading and self._transport is not None and self._error is None:
            self._transport.resume_reading()

    def _take_received(self, nbytes: int) -> None:
        self.bytes_received += nbytes
        data = self._buffers.cipher[:nbytes]
        if self._error is not None:
            return
        pump = self._pump
        if pump is None:
            self._deliver(data)
        elif self._shaking is not None and not self._shaking.done():
            self._continue_handshake(pump, data)
        else:
            self._decrypt(pump, data)
        self.deadlines.note_received(nbytes, is_inside_unit=self._receiver.is_inside_unit)

    def _continue_handshake(self, pump: TlsPump, data: memoryview) -> None:
        if self.bytes_received == len(data) and bytes(data[:5]) == b"HTTP/":
            self._fail_handshake(foreign.web_page_error(self._endpoint.host))
            return
        pump.feed(data)
        self._shake()
        if self._shaking is not None and self._shaking.done() and self._error is None:
            self._decrypt(pump, data[:0])  # the first records may have come with the end of the handshake

    def _tls_error(self, exc: ssl.SSLError) -> MailError:
        error = foreign.map_tls_error(exc, self._endpoint.host)
        error.__cause__ = exc
        return error

    def _fail_handshake(self, error: MailError) -> None:
        if self._shaking is not None and not self._shaking.done():
            self._shaking.set_exception(error)
        self._lose(error)

    def _decrypt(self, pump: TlsPump, data: memoryview) -> None:
        try:
            count = pump.decrypt(data, self._buffers.plain)
        except ssl.SSLError as exc:
            self._lose(self._tls_error(exc))
            return
        self._flush()
        if count:
            self._deliver(self._buffers.plain[:count])
        if pump.is_closed:
            self._lose(foreign.map_line_error(None))

    def _deliver(self, data: memoryview) -> None:
        if self._deflate is None:
            self._hand_over(data)
        else:
            self._deflate.feed(data)
            self._inflate()

    def _inflate(self) -> None:
        """Hand over what can be inflated; a reader that pauses keeps the rest deflated."""
        try:
            while self._deflate is not None and self._is_reading and self._error is None:
                piece = self._deflate.read()
                if not piece:
                    break
                self._hand_over(memoryview(piece))
        except ConnectionLost as exc:
            self._lose(exc)

    def _go_on(self) -> None:
        self._inflate()
        if self._is_reading and self._transport is not None and self._error is None:
            self._transport.resume_reading()

    def _hand_over(self, data: memoryview) -> None:
        try:
            self._receiver.receive(data)
        except MailError as exc:
            self._lose(exc)

    def eof_received(self) -> bool:
        if self._shaking is not None and not self._shaking.done():
            self._fail_handshake(foreign.map_tls_error(ConnectionResetError(), self._endpoint.host))
        self._lose(foreign.map_line_error(None))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._shaking is not None and not self._shaking.done():
            self._fail_handshake(foreign.map_tls_error(exc or ConnectionResetError(), self._endpoint.host))
        error = foreign.map_line_error(exc)
        error.__cause__ = exc
        self._lose(error)
        self._transport = None
        self._closed.set()

    def pause_reading(self) -> None:
        """Take nothing more from the socket until `resume_reading`: the server feels it through TCP."""
        if self._is_reading and self._transport is not None and self._error is None:
            self._is_reading = False
            self.deadlines.pause()
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Undo `pause_reading`; time spent paused counts for no deadline."""
        if not self._is_reading and self._transport is not None and self._error is None:
            self._is_reading = True
            self.deadlines.resume()
            if self._deflate is None:
                self._transport.resume_reading()
            else:
                self._loop.call_soon(self._go_on)  # not from here: the receiver is in the middle of something

    # Sending

    def write(self, data: bytes) -> None:
        """Send octets, or queue them; await `drain` between pieces. Raises why the line is gone."""
        self._check()
        transport = self._transport
        if transport is None:
            raise ConnectionLost("the connection is closed", reason="closed")
        if self._deflate is not None:
            data = self._deflate.pack(data)
        if self._pump is not None:
            self._pump.encrypt(data)
            self._flush()
            return
        self.bytes_sent += len(data)
        self.deadlines.note_sending()
        transport.write(data)

    def _flush(self) -> None:
        if self._pump is None or self._transport is None:
            return
        records = self._pump.take()
        if records:
            self.bytes_sent += len(records)
            self.deadlines.note_sending()
            self._transport.write(records)

    def _count_unsent(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    async def drain(self) -> None:
        """Return once there is room to write again; raises why the line is gone, a stuck server included."""
        self._check()
        if not self._room.is_set():
            await self._room.wait()
            self._check()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    # The end

    def abort(self, error: MailError | None = None) -> None:
        """Drop the line at once; what was queued is lost."""
        self._lose(error or ConnectionLost("the connection was dropped by us", reason="closed"))

    async def close(self, within_seconds: float) -> None:
        """Close in good order, or drop the line when that takes longer.

        Cancellation: safe; the line is dropped.
        """
        transport = self._transport
        if transport is None or self._error is not None:
            return
        try:
            if self._pump is not None:
                self._pump.say_goodbye()
                self._flush()
            transport.close()
            async with asyncio.timeout(within_seconds):
                await self._closed.wait()
        except TimeoutError:
            return
        finally:
            self.abort()

    def _check(self) -> None:
        if self._error is not None:
            raise again(self._error)

    def _lose(self, error: MailError) -> None:
        if self._error is not None:
            return
        self._error = error
        self.deadlines.stop()
        if self._transport is not None:
            self._transport.abort()
        self._room.set()
        self._receiver.lose(error)
