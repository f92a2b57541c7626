"""Messages: RETR with a full pipe and a bounded amount under way, small ones in memory, large ones into sinks.

Where the server offers PIPELINING several RETRs are in flight; what was asked for and not yet taken by the caller stays
under `OUTSTANDING_BYTES`, and reading pauses when a server sends more than it listed or a sink falls behind. Answers come
in the order of the questions and a message is complete at its lone dot, whatever LIST said. RFC 1939 §5, RFC 2449 §6.6.
"""

from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from daemon.model.errors import MailError, ServerRefused, Throttled
from daemon.model.sink import Sink
from daemon.net.pop3.session import Session
from daemon.net.pop3.values import FetchedMessage
from daemon.wire.pop3 import commands
from daemon.wire.pop3.commands import Command
from daemon.wire.pop3.events import CommandDone, MessageBegin, MessageData
from daemon.wire.pop3.responses import Streamed

DEPTH: Final = 16
"""RETRs in flight unless the caller says otherwise (protocol.md 3)."""

MOST_DEPTH: Final = 64
"""Most RETRs in flight: under a kilobyte of questions, which fits any socket buffer, so neither side can be stuck."""

OUTSTANDING_BYTES: Final = 6 * 1024 * 1024
SINK_BACKLOG_BYTES: Final = 1024 * 1024
UNKNOWN_SIZE: Final = 32 * 1024
_OVERHEAD: Final = 128  # an empty message is not free: the answer around it counts
_MOST_REFUSALS: Final = 25  # refused one after the other: then it is the maildrop, not the message

SinkFor = Callable[[int, int], Sink]


@dataclass(slots=True)
class _Arrived:
    """A message for the caller; `cost` is given back when it was taken."""

    number: int
    cost: int
    octets: bytes | None = None
    sink: Sink | None = None
    refusal: str | None = None


class MessageFetch:
    """One run of `fetch_messages`: what is to be asked for, what is in flight and what has arrived.

    `depth` 1 asks for a message only when the caller has taken the one before, for servers where RETR itself changes the
    maildrop (sync.md 25: Gmail).
    """

    def __init__(
        self,
        session: Session,
        numbers: Iterable[int],
        sizes: Mapping[int, int | None],
        sink_for: SinkFor,
        depth: int,
    ) -> None:
        self._session = session
        self._sink_for = sink_for
        self._sizes = sizes
        self._waiting = deque(numbers)
        self._depth = max(1, min(depth, MOST_DEPTH)) if session.connection.is_pipelining else 1
        self._is_lockstep = depth <= 1
        self._pending: deque[tuple[int, int]] = deque()
        self._arrived: deque[_Arrived] = deque()
        self._untaken = 0
        self._outstanding = 0
        self._held_bytes = 0
        self._sink: Sink | None = None
        self._late_sink: Sink | None = None
        self._refusals_in_a_row = 0
        self._error: ServerRefused | None = None
        self._is_over = False

    async def run(self) -> AsyncGenerator[FetchedMessage, None]:
        """All messages in order. Closing the iterator early lets what is in flight pass by unread."""
        session = self._session
        session.message_listener = self._take_part
        try:
            while self._arrived or self._pending or self._waiting:
                self._fill()
                while self._arrived:
                    one = self._arrived.popleft()
                    self._held_bytes -= len(one.octets or b"")
                    if one.sink is not None:
                        if one.sink is self._late_sink:
                            self._late_sink = None
                        await one.sink.end()
                    yield FetchedMessage(one.number, one.octets, one.sink, one.refusal)
                    self._untaken -= 1
                    self._outstanding -= one.cost
                    self._fill()
                if self._error is not None:
                    raise self._error
                await self._wait()
        except (GeneratorExit, ServerRefused):
            await self._let_pass()
            raise
        except BaseException:
            session.abort()
            raise
        finally:
            self._stop()

    async def _wait(self) -> None:
        session = self._session
        sink = self._late_sink
        if sink is not None:
            await sink.drain()
            self._late_sink = None
        if self._held_bytes <= OUTSTANDING_BYTES and session.error is None:
            session.stream.resume_reading()
        if not self._arrived and (self._pending or session.error is not None):
            try:
                await session.stir()
            except MailError:
                if not self._arrived:
                    raise  # else what came first is given first

    async def _let_pass(self) -> None:
        """Read to the end of what was asked for, and drop it: the connection stays usable."""
        self._is_over = True
        self._drop_sink()
        self._drop_arrived()
        while self._pending and self._session.error is None:
            self._session.stream.resume_reading()
            try:
                await self._session.stir()
            except MailError:
                return  # nothing is left to read

    def _stop(self) -> None:
        session = self._session
        if session.message_listener == self._take_part:  # a later download may have taken the place
            session.message_listener = None
        self._drop_sink()
        self._drop_arrived()
        if session.error is None:
            session.stream.resume_reading()

    def _drop_arrived(self) -> None:
        for one in self._arrived:
            if one.sink is not None:
                one.sink.abort()
        self._arrived.clear()

    # Asking

    def _fill(self) -> None:
        """Send further RETRs while there is room, several in one write; the first always goes."""
        if self._error is not None or self._session.error is not None or self._is_over:
            return
        if len(self._pending) > self._depth // 2:
            return
        wanted: list[Command] = []
        while self._waiting and len(self._pending) < self._depth:
            number = self._waiting[0]
            size = self._sizes.get(number)
            cost = self._cost_of(number)
            is_room = not self._is_lockstep and self._outstanding + cost <= OUTSTANDING_BYTES
            if self._untaken and not is_room:
                break
            self._waiting.popleft()
            self._untaken += 1
            self._outstanding += cost
            if size is not None and size > self._session.limits.max_message_bytes:
                words = (
                    f"listed with {size} bytes, at most {self._session.limits.max_message_bytes} are taken"
                )
                self._arrived.append(_Arrived(number, cost, refusal=words))
                continue
            self._pending.append((number, cost))
            wanted.append(commands.retr(number))
        if wanted:
            self._session.send(wanted, self._end)

    def _cost_of(self, number: int) -> int:
        size = self._sizes.get(number)
        reckoned = UNKNOWN_SIZE if size is None else size
        return min(reckoned, self._session.limits.gathered_message_bytes) + _OVERHEAD

    # Receiving, called while octets are parsed

    def _take_part(self, event: MessageBegin | MessageData) -> None:
        if isinstance(event, MessageBegin):
            self._drop_sink()
            number = event.sent.command.number
            if number is not None and self._pending and self._pending[0][0] == number and not self._is_over:
                listed = self._sizes.get(number) or 0
                self._sink = self._sink_for(number, max(listed, self._session.limits.gathered_message_bytes))
            return
        sink = self._sink
        if sink is not None:
            sink.write(memoryview(event.data))
            if sink.backlog_bytes > SINK_BACKLOG_BYTES:
                self._late_sink = sink
                self._session.pause_reading()

    def _end(self, done: CommandDone) -> None:
        number, cost = self._pending.popleft()
        if self._is_over:
            self._drop_sink()
            return
        result = done.result
        if not done.status.is_ok:
            self._refuse(number, cost, done)
            return
        self._refusals_in_a_row = 0
        if isinstance(result, Streamed):
            sink, self._sink = self._sink, None
            self._arrived.append(_Arrived(number, cost, sink=sink))
        elif isinstance(result, bytes):
            self._arrived.append(_Arrived(number, cost, octets=result))
            self._held_bytes += len(result)
            if self._held_bytes > OUTSTANDING_BYTES:
                self._session.pause_reading()

    def _refuse(self, number: int, cost: int, done: CommandDone) -> None:
        """P9: one message that cannot be had stops no other; a server that refuses all of them stops the download."""
        refusal = self._session.refusal(done)
        self._refusals_in_a_row += 1
        if isinstance(refusal, Throttled) or self._refusals_in_a_row >= _MOST_REFUSALS:
            self._error = refusal
            return
        self._arrived.append(_Arrived(number, cost, refusal=str(refusal)))

    def _drop_sink(self) -> None:
        if self._sink is not None:
            self._sink.abort()
        if self._late_sink is self._sink:
            self._late_sink = None
        self._sink = None
