"""The running connection: octets from `net.stream` into `wire.pop3`, its events to whoever waits for them.

It owns the stream, hands each answer to its future and portions of answers to listeners. It issues no command by itself.
Everything runs in the loop's thread.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final, assert_never

from daemon.model.errors import ConnectionLost, MailError, ServerRefused
from daemon.net.conversation import Conversation
from daemon.net.deadlines import Timers
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


class Session(Conversation[CommandDone]):
    """One POP3 connection."""

    def __init__(self, timers: Timers, limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(timers)
        self.limits = limits
        self.connection = Pop3Connection(limits=limits, max_in_flight=MOST_IN_FLIGHT)
        self.greeting: Greeting | None = None
        self.lines_listener: LinesListener | None = None
        self.message_listener: MessageListener | None = None
        self._farewell: Status | None = None

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

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            match event:
                case CommandDone(sent=sent):
                    self._answered(sent.index, event)
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
        answer = self._expect(self.connection.submit(command).index)
        self.flush()
        return answer

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

    def flush(self) -> None:
        """Write what the connection has to send."""
        data = self.connection.data_to_send()
        if self._stream is not None:
            if data:
                self._stream.write(data)
            self._stream.deadlines.set_due(is_due=bool(self._answers))


def turned_away(status: Status) -> MailError:
    """Why the server wants us no longer, in its words: Throttled where it is busy."""
    if refusals.is_busy(status):
        return refusals.throttled(status)
    return ConnectionLost(f"the server said goodbye: {status.text}", reason="closed")
