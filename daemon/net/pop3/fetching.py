"""Messages: RETR with a full pipe and a bounded amount under way, small ones in memory, large ones into sinks.

Where the server offers PIPELINING several RETRs are in flight; what was asked for and not yet taken by the caller stays
under `OUTSTANDING_BYTES`, and reading pauses when a server sends more than it listed or a sink falls behind. Answers come
in the order of the questions and a message is complete at its lone dot, whatever LIST said. RFC 1939 §5, RFC 2449 §6.6.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from daemon.model.errors import Throttled
from daemon.model.sink import Sink
from daemon.net.download import MOST_REFUSALS, OVERHEAD, UNKNOWN_SIZE, Arrived, Download
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
SinkFor = Callable[[int, int], Sink]


class MessageFetch(Download[Session, int, FetchedMessage]):
    """One run of `fetch_messages`: what is to be asked for and what is in flight.

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
        super().__init__(session, most_held_bytes=OUTSTANDING_BYTES)
        self._sink_for = sink_for
        self._sizes = sizes
        self._waiting = deque(numbers)
        self._depth = max(1, min(depth, MOST_DEPTH)) if session.connection.is_pipelining else 1
        self._is_lockstep = depth <= 1
        self._pending: deque[tuple[int, int]] = deque()
        self._untaken = 0

    async def _listen(self) -> None:
        self._session.message_listener = self._take_part

    def _stop_listening(self) -> None:
        if self._session.message_listener == self._take_part:  # a later download may have taken the place
            self._session.message_listener = None

    def _fetched(self, one: Arrived[int]) -> FetchedMessage:
        return FetchedMessage(one.key, one.octets, one.sink, one.refusal)

    def _note_taken(self) -> None:
        self._untaken -= 1

    # Asking

    @property
    def _is_awaiting(self) -> bool:
        return bool(self._pending)

    @property
    def _is_more_planned(self) -> bool:
        return bool(self._waiting)

    def _fill(self) -> None:
        """Send further RETRs while there is room, several in one write; the first always goes."""
        if self._error is not None or self._session.error is not None or self._is_over:
            return
        if len(self._pending) > self._depth // 2:
            return
        wanted: list[Command] = []
        while self._waiting and len(self._pending) < self._depth:
            number = self._waiting[0]
            cost = self._cost_of(number)
            is_room = not self._is_lockstep and self._outstanding + cost <= OUTSTANDING_BYTES
            if self._untaken and not is_room:
                break
            self._waiting.popleft()
            self._untaken += 1
            self._outstanding += cost
            self._pending.append((number, cost))
            wanted.append(commands.retr(number))
        if wanted:
            self._session.send(wanted, self._end)

    def _cost_of(self, number: int) -> int:
        size = self._sizes.get(number)
        reckoned = UNKNOWN_SIZE if size is None else size
        return min(reckoned, self._session.limits.gathered_message_bytes) + OVERHEAD

    # Receiving, called while octets are parsed

    def _take_part(self, event: MessageBegin | MessageData) -> None:
        if isinstance(event, MessageBegin):
            self._drop_sink()
            number = event.sent.command.number
            if number is not None and self._pending and self._pending[0][0] == number and not self._is_over:
                listed = self._sizes.get(number) or 0
                self._sink = self._sink_for(number, max(listed, self._session.limits.gathered_message_bytes))
            return
        self._write(memoryview(event.data))

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
            self._arrive(Arrived(number, cost, sink=sink))
        elif isinstance(result, bytes):
            self._arrive(Arrived(number, cost, octets=result))

    def _refuse(self, number: int, cost: int, done: CommandDone) -> None:
        """P9: one message that cannot be had stops no other; a server that refuses all of them stops the download."""
        refusal = self._session.refusal(done)
        self._refusals_in_a_row += 1
        if isinstance(refusal, Throttled):
            self._error = refusal
            return
        if self._refusals_in_a_row >= MOST_REFUSALS:
            self._error = refusal
        self._arrive(Arrived(number, cost, refusal=str(refusal)))
