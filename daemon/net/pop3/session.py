"""The running connection: octets from `net.stream` into `wire.pop3`, its events to whoever waits for them.

It owns the stream, hands each answer to its future and portions of answers to listeners. It issues no command by itself.
Everything runs in the loop's thread.
"""

import asyncio
import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, assert_never

from daemon.model.errors import ConnectionLost, LocalProtocolError, MailError, ServerRefused
from daemon.net.deadlines import Timers
from daemon.net.stream import Stream, again
from daemon.wire.pop3 import refusals
from daemon.wire.pop3.capabilities import Capabilities
from daemon.wire.pop3.commands import Command
from daemon.wire.pop3.connection import Pop3Connection
from daemon.wire.pop3.events import (
    Challenge,
    CommandDone,
    Event,
    Farewell,
    Greeting,
    MessageBegin,
    MessageData,
)
from daemon.wire.pop3.limits import DEFAULT_LIMITS, Limits
from daemon.wire.pop3.responses import SizeLines, Status, UidlLines

Answer = asyncio.Future[CommandDone]
OnDone = Callable[[CommandDone], None]
MOST_IN_FLIGHT: Final = 64  # under a kilobyte of commands, which fits any socket buffer
LinesListener = Callable[[SizeLines | UidlLines], None]
MessageListener = Callable[[MessageBegin | MessageData], None]


class Session:
    """One connection after `Stream.open`. `error` says why it ended; nothing revives it."""

    def __init__(self, timers: Timers, limits: Limits = DEFAULT_LIMITS) -> None:
        self.timers = timers
        self.limits = limits
        self.connection = Pop3Connection(limits=limits, max_in_flight=MOST_IN_FLIGHT)
        self.greeting: Greeting | None = None
        self.error: MailError | None = None
        self.is_leaving = False
        self.lines_listener: LinesListener | None = None
        self.message_listener: MessageListener | None = None
        self._farewell: Status | None = None
        self._challenge: bytes | None = None
        self._stream: Stream | None = None
        self._answers: dict[int, tuple[Answer | None, OnDone | None]] = {}
        self._stirred = asyncio.Event()
        self._awaited = 0

    # The stream

    @property
    def stream(self) -> Stream:
        if self._stream is None:
            raise LocalProtocolError("the connection is not open yet")
        return self._stream

    def attach(self, stream: Stream) -> None:
        """Take the stream whose receiver this is."""
        self._stream = stream

    @property
    def caps(self) -> Capabilities:
        """What the server says it can do; empty where it does not say."""
        return self.connection.capabilities

    # Receiver of the stream

    @property
    def is_inside_unit(self) -> bool:
        return self.connection.is_mid_response

    def receive(self, data: memoryview) -> None:
        try:
            events = self.connection.receive(data)
        except MailError:
            self._take(self.connection.events_before_fault)
            raise
        self._take(events)
        if self._farewell is not None and not self.is_leaving:
            raise turned_away(self._farewell)
        self.flush()

    def lose(self, error: MailError) -> None:
        self.error = error
        for answer, _ in self._answers.values():
            if answer is not None and not answer.done():
                answer.set_exception(_copy_of(error))
        self._answers.clear()
        self._stirred.set()

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            match event:
                case CommandDone(sent=sent):
                    answer, on_done = self._answers.pop(sent.index, (None, None))
                    if on_done is not None:
                        on_done(event)
                    if answer is not None and not answer.done():
                        answer.set_result(event)
                case MessageData() | MessageBegin():
                    if self.message_listener is not None:
                        self.message_listener(event)
                case SizeLines() | UidlLines():
                    if self.lines_listener is not None:
                        self.lines_listener(event)
                case Greeting():
                    self.greeting = event
                case Challenge(data=challenge):
                    self._challenge = challenge
                case Farewell(status=status):
                    self._farewell = status
                case _:
                    assert_never(event)
        if events:
            self._stirred.set()

    # Commands

    def send(self, commands: Iterable[Command], on_done: OnDone) -> None:
        """Send commands, in one write where the window lets them; `on_done` gets each answer as it is parsed."""
        self.check()
        for command in commands:
            self._answers[self.connection.submit(command).index] = (None, on_done)
        self.flush()

    def start(self, command: Command) -> Answer:
        """Send a command, or queue it behind those in flight; its answer comes in the future."""
        self.check()
        answer: Answer = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_mark_retrieved)
        self._answers[self.connection.submit(command).index] = (answer, None)
        self.flush()
        return answer

    async def finish(self, answer: Answer) -> CommandDone:
        """The answer, +OK or not.

        Cancellation: the line is dropped, because what the answer would have meant is lost with the waiter.
        """
        try:
            with self._unpaused():
                return await answer
        except asyncio.CancelledError:
            self.abort()
            raise

    async def ask(self, command: Command) -> CommandDone:
        """The answer of a command, +OK or not."""
        return await self.finish(self.start(command))

    async def run(self, command: Command) -> CommandDone:
        """The +OK of a command; Throttled or ServerRefused otherwise."""
        done = await self.ask(command)
        if not done.status.is_ok:
            raise self.refusal(done)
        return done

    def refusal(self, done: CommandDone) -> ServerRefused:
        """The error for an -ERR."""
        return refusals.refusal(done.status, doing=done.sent.command.kind.value, caps=self.caps)

    @contextmanager
    def _unpaused(self) -> Iterator[None]:
        """Read whatever comes while an answer is awaited.

        A download whose iterator was left lying would otherwise hold up every later command for ever.
        """
        self._awaited += 1
        if self._stream is not None:
            self._stream.resume_reading()
        try:
            yield
        finally:
            self._awaited -= 1

    def pause_reading(self) -> None:
        """Let the server wait, unless someone waits for an answer of it."""
        if not self._awaited:
            self.stream.pause_reading()

    def flush(self) -> None:
        """Write what the connection has to send."""
        data = self.connection.data_to_send()
        if self._stream is not None:
            if data:
                self._stream.write(data)
            self._stream.set_due(is_due=bool(self._answers))

    # Waiting

    async def stir(self) -> None:
        """Return once anything was received or the line was lost; check your condition first.

        Raises why the line is gone, in its own words: whoever waits is in the middle of something.
        """
        if self.error is None:
            self._stirred.clear()
            await self._stirred.wait()
        if self.error is not None:
            raise _copy_of(self.error)

    def take_challenge(self) -> bytes | None:
        """The challenge of AUTH that came last, once."""
        challenge, self._challenge = self._challenge, None
        return challenge

    def check(self) -> None:
        """Raise ConnectionLost (or TlsFailed) if the line is gone."""
        if self.error is not None:
            raise again(self.error)

    def abort(self, error: MailError | None = None) -> None:
        """Drop the line at once."""
        if self._stream is not None:
            self._stream.abort(error)
        elif self.error is None:
            self.lose(error or ConnectionLost("the connection was dropped by us", reason="closed"))


def turned_away(status: Status) -> MailError:
    """Why the server wants us no longer, in its words: Throttled where it is busy."""
    if refusals.is_busy(status):
        return refusals.throttled(status)
    return ConnectionLost(f"the server said goodbye: {status.text}", reason="closed")


def _mark_retrieved(answer: Answer) -> None:
    if not answer.cancelled():
        answer.exception()


def _copy_of(error: MailError) -> MailError:
    """The same error for another waiter: one instance raised twice would pile up tracebacks."""
    fresh = copy.copy(error) if type(error).__init__ is MailError.__init__ else error
    fresh.__cause__ = error.__cause__
    return fresh
