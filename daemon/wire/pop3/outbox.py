r"""Commands on their way out: order, and the window of commands in flight. Answers have no tags; they come in order.

Pure. One command at a time until the server offers PIPELINING (RFC 2449 §6.6), then as many as the window has room for. A
command that changes the state travels alone.
"""

from collections import deque
from dataclasses import dataclass

from daemon.wire.pop3.commands import Command
from daemon.wire.pop3.states import CHANGERS


@dataclass(frozen=True, slots=True)
class Sent:
    """The handle of a command: its place in the session and the command."""

    index: int
    command: Command


class Outbox:
    """Everything between `put` and the bytes; `in_flight` has what was sent and not answered, oldest first."""

    def __init__(self, *, max_in_flight: int) -> None:
        self.max_in_flight = max_in_flight
        self.is_pipelining = False
        self.in_flight: deque[Sent] = deque()
        self.waiting: deque[Sent] = deque()
        self._count = 0
        self._chunks: list[bytes] = []

    @property
    def is_changing(self) -> bool:
        """Whether a command that changes the state is under way; it is always the last one."""
        last = self.waiting or self.in_flight
        return bool(last) and last[-1].command.kind in CHANGERS

    def put(self, command: Command) -> Sent:
        """A handle for `command`, which is sent at once if it may be."""
        self._count += 1
        sent = Sent(self._count, command)
        self.waiting.append(sent)
        self.pump()
        return sent

    def add(self, data: bytes) -> None:
        """Bytes that are no command: the answer to a challenge."""
        self._chunks.append(data)

    def take(self) -> bytes:
        """The bytes to write, in order: what was put together leaves together."""
        data = b"".join(self._chunks)
        self._chunks.clear()
        return data

    def answered(self) -> None:
        """The oldest command has its answer."""
        self.in_flight.popleft()
        self.pump()

    def pump(self) -> None:
        """Send every waiting command that may go."""
        waiting = self.waiting
        in_flight = self.in_flight
        while waiting:
            most = self.max_in_flight if self.is_pipelining and waiting[0].command.kind not in CHANGERS else 1
            if len(in_flight) >= most:
                return
            sent = waiting.popleft()
            in_flight.append(sent)
            self._chunks.append(sent.command.line)
