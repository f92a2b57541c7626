r"""The client side of one POP3 connection as a state machine without I/O.

Bytes and commands in, events and bytes out. It gives each answer to the oldest command, keeps the state table and the
window of commands in flight, gathers or streams multi-line answers, forgets capabilities said before TLS, and refuses bytes
behind the +OK of STLS. It never reads a clock, never logs and never retries.

After RemoteProtocolError or TlsFailed the state is BROKEN and no later byte is parsed.
"""

from collections.abc import Callable, Sequence
from typing import Final

from daemon.model.errors import LocalProtocolError, MailError, RemoteProtocolError, TlsFailed
from daemon.wire.pop3 import listings, responses
from daemon.wire.pop3.capabilities import Capabilities, parse_capabilities
from daemon.wire.pop3.commands import Command, refuse_line_breaks
from daemon.wire.pop3.events import (
    Challenge,
    CommandDone,
    Event,
    Farewell,
    Greeting,
    MessageBegin,
    MessageData,
)
from daemon.wire.pop3.framing import Framer
from daemon.wire.pop3.limits import DEFAULT_LIMITS, Limits
from daemon.wire.pop3.listings import Lines, ListingReader
from daemon.wire.pop3.outbox import Outbox, Sent
from daemon.wire.pop3.responses import ACCEPTED, Result, Status, Streamed
from daemon.wire.pop3.states import MOVES, Kind, State

__all__ = ["Event", "Pop3Connection", "Sent"]

_PARSERS: Final[dict[Kind, Callable[[bytes], Lines]]] = {
    Kind.LIST: listings.parse_sizes,
    Kind.UIDL: listings.parse_uidls,
}
_MESSAGES: Final = frozenset({Kind.RETR, Kind.TOP})


class Pop3Connection:
    """One connection from greeting to close.

    Args:
        limits: What a server may send at most; a breach is terminal.
        max_in_flight: Commands sent and not yet answered, where the server offers PIPELINING; more wait in order.
    """

    def __init__(self, *, limits: Limits = DEFAULT_LIMITS, max_in_flight: int = 16) -> None:
        self._limits = limits
        self._quick_bytes = min(
            limits.gathered_message_bytes, limits.max_message_bytes, limits.capability_bytes
        )
        self._framer = Framer(limits)
        self._outbox = Outbox(max_in_flight=max_in_flight)
        self._state = State.AWAITING_GREETING
        self._capabilities = Capabilities()
        self._challenged = False
        self._has_answered = False
        self._answering: Sent | None = None
        self._listing: ListingReader | None = None
        self._gathered = bytearray()
        self._size = 0
        self._is_streaming = False
        self._fault: MailError | None = None
        self.events_before_fault: Sequence[Event] = ()
        """Events found before the fault in the call of `receive` that raised."""

    @property
    def state(self) -> State:
        return self._state

    @property
    def capabilities(self) -> Capabilities:
        """As last said; empty (falsy) when unknown: before CAPA, after STLS, and where CAPA is refused."""
        return self._capabilities

    @property
    def is_pipelining(self) -> bool:
        """Whether several commands may be in flight."""
        return self._outbox.is_pipelining

    @property
    def in_flight_count(self) -> int:
        """Commands submitted and not yet answered."""
        return len(self._outbox.in_flight) + len(self._outbox.waiting)

    @property
    def is_mid_response(self) -> bool:
        """Whether a line or multi-line answer has begun and is incomplete: the progress floor applies (sync.md 23)."""
        return self._framer.is_mid_unit

    def submit(self, command: Command) -> Sent:
        """A handle for the command, which is sent at once or when the window allows.

        The bytes are fetched with `data_to_send`.

        Raises:
            LocalProtocolError: Not legal in this state, or a command that changes the state is still under way.
        """
        if (self._state, command.kind) not in MOVES:
            raise LocalProtocolError(f"{command.kind} in state '{self._state}'")
        if self._outbox.is_changing:
            raise LocalProtocolError(f"{command.kind} while the state is about to change")
        if command.kind is Kind.STLS and self._outbox.in_flight:
            raise LocalProtocolError("STLS with commands unanswered")
        return self._outbox.put(command)

    def data_to_send(self) -> bytes:
        """Bytes to write now; empties the outgoing queue. Call after `submit`, `receive` and `answer_challenge`."""
        return self._outbox.take()

    def answer_challenge(self, answer_base64: bytes | None) -> None:
        """Answer the Challenge received last; None cancels with `*`."""
        if not self._challenged:
            raise LocalProtocolError("an answer without a challenge")
        if answer_base64 is not None:
            refuse_line_breaks(answer_base64)
        self._challenged = False
        self._has_answered = True
        self._outbox.add((b"*" if answer_base64 is None else answer_base64) + b"\r\n")

    def tls_started(self) -> None:
        """Say that the TLS handshake after STLS is done: capabilities learnt before are forgotten."""
        if self._state is not State.TLS_PENDING:
            raise LocalProtocolError("TLS started without STLS")
        self._state = State.AUTHORIZATION
        self._learn(Capabilities())

    def receive(self, data: bytes | bytearray | memoryview) -> Sequence[Event]:
        """Events made of what is complete so far, in the server's order.

        Raises:
            RemoteProtocolError: Limit breached, unreadable response, an answer to nothing; the connection is of no more
                use. Events found before the fault in the same call are in `events_before_fault`.
            TlsFailed: reason starttls_injection: bytes came in clear text behind the +OK of STLS.
        """
        if self._fault is not None:
            raise self._fault
        events: list[Event] = []
        try:
            if self._state is State.TLS_PENDING:
                self._refuse_injection()
            self._framer.feed(data)
            while self._read(events):
                continue
        except (RemoteProtocolError, TlsFailed) as exc:
            self._fault = exc
            self._state = State.BROKEN
            self.events_before_fault = events
            raise
        return events

    def _read(self, events: list[Event]) -> bool:
        """Take one line, or what there is of a multi-line answer; False when octets are missing."""
        if self._answering is None:
            line = self._framer.read_line()
            if line is None:
                return False
            self._take_line(line, events)
            return True
        octets, is_complete = self._framer.read_body()
        self._take_octets(self._answering, octets, events, is_complete=is_complete)
        return is_complete

    # Lines

    def _take_line(self, line: bytes, events: list[Event]) -> None:
        if self._state is State.AWAITING_GREETING:
            status = responses.parse_status(line)
            self._state = State.AUTHORIZATION if status.is_ok else State.UPDATE
            events.append(Greeting(status))
            return
        if not self._outbox.in_flight:
            self._take_unasked(line, events)
            return
        sent = self._outbox.in_flight[0]
        command = sent.command
        if command.is_multiline and responses.is_ok_line(line):
            # the line that every message of a maildrop has: its words say nothing that is used
            self._begin_answer(sent)
        elif command.kind is Kind.AUTH and self._is_challenge(sent, line):
            self._challenged = True
            data = b"" if responses.is_ok_line(line) else line[1:].strip()
            events.append(Challenge(sent, data))
        else:
            status = responses.parse_status(line)
            self._finish(sent, status, self._single_result(command, status, line), events)

    def _take_unasked(self, line: bytes, events: list[Event]) -> None:
        status = responses.parse_status(line)
        if status.is_ok:
            raise RemoteProtocolError("an answer that nothing waits for")
        self._state = State.UPDATE
        events.append(Farewell(status))

    def _is_challenge(self, sent: Sent, line: bytes) -> bool:
        """ABNF: continue-req = "+" SP [base64] CRLF (RFC 5034 §4)."""
        if responses.is_ok_line(line):
            # QUIRK `+OK` for `+ ` (MailKit): nobody can be logged in before anything was said
            return not (sent.command.has_initial or self._has_answered)
        return line[:1] == b"+"

    def _single_result(self, command: Command, status: Status, line: bytes) -> Result:
        if not status.is_ok:
            return None
        if command.kind is Kind.STAT:
            return listings.parse_stat(line)
        if command.kind in _PARSERS and command.number is not None:
            return listings.parse_one(_PARSERS[command.kind], line, command.number)
        return None

    def _finish(self, sent: Sent, status: Status, result: Result, events: list[Event]) -> None:
        kind = sent.command.kind
        move = MOVES[self._state, kind]
        following = move.on_ok if status.is_ok else move.on_err
        if following is not None:
            self._state = following
        if kind is Kind.CAPA:
            self._learn(result if isinstance(result, Capabilities) else Capabilities())
        if kind is Kind.AUTH:
            self._challenged = self._has_answered = False
        events.append(CommandDone(sent, status, result))
        if self._state is State.TLS_PENDING and self._framer.has_more:
            self._refuse_injection()
        self._outbox.answered()

    def _learn(self, said: Capabilities) -> None:
        self._capabilities = said
        self._outbox.is_pipelining = said.has("PIPELINING")

    # Multi-line answers

    def _begin_answer(self, sent: Sent) -> None:
        self._answering = sent
        kind = sent.command.kind
        if kind in _PARSERS:
            self._listing = ListingReader(_PARSERS[kind], self._limits)
        self._framer.begin_body(is_lax=kind not in _MESSAGES)

    def _take_octets(self, sent: Sent, octets: bytes, events: list[Event], *, is_complete: bool) -> None:
        result: Result = None
        if self._listing is not None:
            parts = (self._listing.take(octets), self._listing.end() if is_complete else None)
            events += [lines for lines in parts if lines is not None]
        elif is_complete and not self._size and len(octets) <= self._quick_bytes:
            result = octets  # in one piece: no copy is made
        else:
            result = self._gather(sent, octets, events, is_complete=is_complete)
        if not is_complete:
            return
        if sent.command.kind is Kind.CAPA and isinstance(result, bytes):
            result = parse_capabilities(result)
        self._answering = None
        self._listing = None
        self._finish(sent, ACCEPTED, result, events)

    def _gather(
        self, sent: Sent, octets: bytes, events: list[Event], *, is_complete: bool
    ) -> bytes | Streamed | None:
        limits = self._limits
        self._size += len(octets)
        is_message = sent.command.kind in _MESSAGES
        most = limits.max_message_bytes if is_message else limits.capability_bytes
        if self._size > most:
            reason = "message_too_large" if is_message else "flood"
            raise RemoteProtocolError(
                f"{sent.command.kind} answered with more than {most} bytes", reason=reason
            )
        if self._is_streaming:
            if octets:
                events.append(MessageData(octets))
        else:
            self._gathered += octets
            if is_message and self._size > limits.gathered_message_bytes:
                self._is_streaming = True
                events += (MessageBegin(sent), MessageData(bytes(self._gathered)))
                self._gathered = bytearray()
        if not is_complete:
            return None
        result = Streamed(self._size) if self._is_streaming else bytes(self._gathered)
        self._gathered = bytearray()
        self._size = 0
        self._is_streaming = False
        return result

    def _refuse_injection(self) -> None:
        raise TlsFailed("data in clear text behind the +OK of STLS", reason="starttls_injection")
