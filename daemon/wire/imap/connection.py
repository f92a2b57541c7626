r"""The client side of one IMAP connection as a state machine without I/O.

Bytes and commands in, events and bytes out. It routes tags, keeps the state table, forgets capabilities when they
no longer hold, decides which commands may be in flight together (RFC 9051 §5.5), sends literals when they may be
sent, and refuses bytes behind the OK of STARTTLS. It never reads a clock, never logs and never retries.

After RemoteProtocolError or TlsFailed the state is BROKEN and no later byte is parsed.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from daemon.model.errors import LocalProtocolError, MailError, RemoteProtocolError, TlsFailed
from daemon.wire.imap import capabilities, fetch, grammar
from daemon.wire.imap import data as data_lines
from daemon.wire.imap.arguments import refuse_line_breaks
from daemon.wire.imap.budget import Budget
from daemon.wire.imap.capabilities import Capabilities
from daemon.wire.imap.commands import Command
from daemon.wire.imap.events import Challenge, CommandDone, Event, IdleStarted
from daemon.wire.imap.framing import Framer, Item, StreamBegin
from daemon.wire.imap.limits import DEFAULT_LIMITS, Limits
from daemon.wire.imap.number_lines import NumberLine
from daemon.wire.imap.outbox import LiteralWanted, Outbox, Sent
from daemon.wire.imap.responses import (
    Bye,
    CapabilityCode,
    CapabilityData,
    Code,
    Continuation,
    EnabledData,
    Exists,
    FetchData,
    LiteralData,
    LiteralEnd,
    Status,
    StatusLine,
    Tagged,
    Untagged,
)
from daemon.wire.imap.states import AFTER_NO, AFTER_OK, LEGAL, Kind, State

__all__ = ["Challenge", "CommandDone", "Event", "IdleStarted", "ImapConnection", "LiteralWanted", "Sent"]

_LOGINS: Final = frozenset({Kind.LOGIN, Kind.AUTHENTICATE})
_CHANGERS: Final = frozenset(AFTER_OK)
_GREETED: Final = {
    Status.OK: State.NOT_AUTHENTICATED,
    Status.PREAUTH: State.AUTHENTICATED,
    Status.BYE: State.LOGOUT,
}


class ImapConnection:
    """One connection from greeting to close.

    Args:
        limits: What a server may send at most; a breach is terminal.
        max_in_flight: Commands sent and not yet answered; more wait in order.
        tag_prefix: One letter before the tag's digits (163.com wants letter and digits).
        disabled: Capabilities that are never believed, whatever the server says.
    """

    def __init__(
        self,
        *,
        limits: Limits = DEFAULT_LIMITS,
        max_in_flight: int = 25,
        tag_prefix: str = "A",
        disabled: Iterable[str] = (),
    ) -> None:
        self._limits = limits
        self._framer = Framer(limits)
        self._outbox = Outbox(max_in_flight=max_in_flight, tag_prefix=tag_prefix)
        self._state = State.AWAITING_GREETING
        self._disabled = frozenset(disabled)
        self._said = Capabilities()
        self._is_said_since_login = False
        self._enabled: frozenset[str] = frozenset()
        self._idle: Sent | None = None
        self._is_idle_started = False
        self._is_done_wanted = False
        self._is_done_sent = False
        self._challenged: Sent | None = None
        self._compressing: Sent | None = None
        self._deflated = b""
        self._has_bye = False
        self._budget = Budget(limits)
        self._fault: MailError | None = None
        self.is_compressed = False
        """COMPRESS was accepted: from its answer on both sides deflate."""
        self.events_before_fault: Sequence[Event] = ()
        """Events found before the fault in the call of `receive` that raised."""

    @property
    def state(self) -> State:
        return self._state

    @property
    def capabilities(self) -> Capabilities:
        """As last said in this phase; empty (falsy) when unknown: ask with `commands.capability()`.

        Unknown after a greeting without a code, after STARTTLS, and after a login unless its answer said them.
        """
        return self._outbox.capabilities

    @property
    def enabled(self) -> frozenset[str]:
        """Extensions confirmed by ENABLED, in capitals."""
        return self._enabled

    @property
    def is_idling(self) -> bool:
        """Whether an IDLE is in flight or waits to be (its `+` may still be awaited)."""
        return self._idle is not None

    @property
    def in_flight_count(self) -> int:
        """Commands submitted and not yet answered."""
        return len(self._outbox.in_flight) + len(self._outbox.waiting)

    @property
    def is_mid_response(self) -> bool:
        """Whether a line or literal is incomplete: the progress floor applies (sync.md 23)."""
        return self._framer.is_mid_response

    @property
    def wanted_literal(self) -> LiteralWanted | None:
        """The command whose LiteralSlot may be filled now, with the octets still missing in `size`.

        Set right after `submit` with LITERAL+ (or LITERAL- up to 4,096), else once the server said `+`. It stays until
        all octets were given, even if the command's answer arrives before: then go on sending, or drop the line.
        """
        return self._outbox.wanted_literal

    def disable(self, names: Iterable[str]) -> None:
        """Believe these capabilities no longer, now and when they are said again."""
        self._disabled |= {name.upper() for name in names}
        self._learn(self._said)

    def submit(self, command: Command) -> Sent:
        """A handle for the command, which is sent at once or when barriers, window and literals allow.

        The bytes are fetched with `data_to_send`. During IDLE, DONE is sent first by itself.

        Raises:
            LocalProtocolError: Not legal in this state, or a command that changes the state is still under way.
        """
        kind = command.kind
        allowed = LEGAL[kind]
        if self._state not in allowed:
            raise LocalProtocolError(f"{kind} in state '{self._state}'")
        if self._outbox.is_pending(_CHANGERS) and State.NOT_AUTHENTICATED not in allowed:
            raise LocalProtocolError(f"{kind} while the state is about to change")
        if kind is Kind.STARTTLS and self._outbox.has_unanswered:
            raise LocalProtocolError("STARTTLS with commands unanswered")
        if kind is Kind.IDLE and self._idle is not None:
            raise LocalProtocolError("IDLE within IDLE")
        self.finish_idle()
        if kind in _LOGINS:
            self._is_said_since_login = False
        sent = self._outbox.put(command)
        if kind is Kind.COMPRESS:
            self._compressing = sent
        if kind is Kind.IDLE:
            self._idle = sent
            self._is_idle_started = self._is_done_wanted = self._is_done_sent = False
        return sent

    def data_to_send(self) -> list[bytes]:
        """Bytes to write now, in order; empties the outgoing queue. Call after `submit`, `receive` and the like."""
        return self._outbox.take()

    def send_literal(self, data: bytes | memoryview) -> None:
        """Give the next octets for `wanted_literal`. More than wanted raises LocalProtocolError."""
        self._outbox.fill(data)

    def answer_challenge(self, answer_base64: bytes | None) -> None:
        """Answer the Challenge received last; None cancels with `*`."""
        if self._challenged is None:
            raise LocalProtocolError("an answer without a challenge")
        if answer_base64 is not None:
            refuse_line_breaks(answer_base64)
        self._challenged = None
        self._outbox.add((b"*" if answer_base64 is None else answer_base64) + b"\r\n")

    def finish_idle(self) -> None:
        """End IDLE: DONE is sent now, or as soon as the server has said `+`. Without IDLE nothing happens."""
        if self._idle is None or self._is_done_sent:
            return
        if not self._is_idle_started:
            self._is_done_wanted = True
            return
        self._is_done_sent = True
        self._outbox.add(b"DONE\r\n")

    def tls_started(self) -> None:
        """Say that the TLS handshake after STARTTLS is done: capabilities learnt before are forgotten."""
        if self._state is not State.TLS_PENDING:
            raise LocalProtocolError("TLS started without STARTTLS")
        self._state = State.NOT_AUTHENTICATED
        self._learn(Capabilities())

    def receive(self, data: bytes | bytearray | memoryview) -> Sequence[Event]:
        """Events made of what is complete so far, in the server's order.

        Views in LiteralData may be of `data` itself: use them before it is overwritten.

        Raises:
            RemoteProtocolError: Limit breached, unreadable response, unknown tag; the connection is of no more use.
                Events found before the fault in the same call are in `events_before_fault`.
            TlsFailed: reason starttls_injection: bytes came in clear text behind the OK of STARTTLS.
        """
        if self._fault is not None:
            raise self._fault
        events: list[Event] = []
        try:
            if self._compressing is None:
                self._receive(data, events)
            else:
                self._receive_by_lines(bytes(data), events)
        except (RemoteProtocolError, TlsFailed) as exc:
            self._fault = exc
            self._state = State.BROKEN
            self.events_before_fault = events
            raise
        return events

    @property
    def deflated_count(self) -> int:
        """How many octets of the last `receive` were left to `take_deflated`."""
        return len(self._deflated)

    def take_deflated(self) -> bytes:
        """Octets behind the OK of COMPRESS, once: inflate them and give them to `receive` (RFC 4978 §3)."""
        deflated, self._deflated = self._deflated, b""
        return deflated

    def _receive(self, data: bytes | bytearray | memoryview, events: list[Event]) -> None:
        framer = self._framer
        before = framer.literal_bytes
        if self._state is State.TLS_PENDING:
            self._refuse_injection()
        items = framer.feed(data)
        literal_bytes = framer.literal_bytes - before
        self._take(items, events)
        if framer.fault is not None:
            raise framer.fault
        is_quiet = not self._outbox.has_unanswered or self._idle is not None
        self._budget.spend(len(items), len(data) - literal_bytes, is_quiet=is_quiet)
        self._budget.spend_literal(literal_bytes, is_quiet=is_quiet)

    def _receive_by_lines(self, data: bytes, events: list[Event]) -> None:
        """While COMPRESS is unanswered, read no further than its answer: what follows is not text."""
        at = 0
        while at < len(data) and self._compressing is not None:
            end = data.find(b"\n", at) + 1 or len(data)
            self._receive(data[at:end], events)
            at = end
        if at < len(data) and self.is_compressed:
            self._deflated = data[at:]
        elif at < len(data):
            self._receive(data[at:], events)

    def _take(self, items: list[Item], events: list[Event]) -> None:
        depth = self._limits.nesting_depth
        parse = grammar.parse_response
        append = events.append
        parse_flag_line = fetch.parse_flag_line
        for index, item in enumerate(items):
            if type(item) is bytes:
                # the loop that sees every message of a mailbox: nothing may come before this line
                quick = parse_flag_line(item)
                if quick is not None and self._state is not State.AWAITING_GREETING:
                    append(quick)
                    continue
            if self._state is State.AWAITING_GREETING:
                self._greet(item, events)
            elif isinstance(item, bytes | tuple):
                response = parse(item, nesting_depth=depth)
                if isinstance(response, FetchData):
                    append(response)
                elif isinstance(response, Tagged):
                    self._end(response, events)
                    if self._state is State.TLS_PENDING and (
                        index + 1 < len(items) or self._framer.is_mid_response
                    ):
                        self._refuse_injection()
                elif isinstance(response, Continuation):
                    self._continue(response, events)
                else:
                    self._note(response, events)
            elif isinstance(item, memoryview):
                append(LiteralData(item))
            elif isinstance(item, NumberLine):
                append(data_lines.parse_numbers(item))
            elif isinstance(item, StreamBegin):
                append(fetch.parse_literal_head(item.head, item.size, nesting_depth=depth))
            else:
                append(LiteralEnd())

    def _greet(self, item: Item, events: list[Event]) -> None:
        frame = item if isinstance(item, bytes | tuple) else b""
        greeting = grammar.parse_greeting(frame)
        self._state = _GREETED[greeting.status]
        self._has_bye = greeting.status is Status.BYE
        self._learn_from(greeting.code)
        events.append(greeting)

    def _note(self, response: Untagged, events: list[Event]) -> None:
        """Keep what untagged data say of the connection itself, and hand them on."""
        if isinstance(response, Bye):
            if self._has_bye:
                # QUIRK Yandex (MailKit#938): BYE repeated without end
                return
            self._has_bye = True
            self._state = State.LOGOUT
        elif isinstance(response, CapabilityData):
            self._learn(response.capabilities)
        elif isinstance(response, StatusLine):
            self._learn_from(response.code)
        elif isinstance(response, EnabledData):
            self._enabled |= response.names & capabilities.ENABLEABLE
        elif isinstance(response, Exists) and self._idle is None:  # what grows under IDLE is told by and by
            self._budget.note_exists(response.count)
        events.append(response)

    def _end(self, tagged: Tagged, events: list[Event]) -> None:
        sent = self._outbox.answered(tagged.tag)
        if sent is None:
            raise RemoteProtocolError(f"answer with a tag that is not in flight: {tagged.tag!r}")
        kind = sent.command.kind
        if kind in _LOGINS:
            self._challenged = None
            if tagged.is_ok and not self._is_said_since_login:
                self._learn(Capabilities())
        self._learn_from(tagged.code)
        following = (AFTER_OK if tagged.is_ok else AFTER_NO).get(kind)
        if following is not None and not self._has_bye:
            self._state = following
        if sent is self._idle:
            self._idle = None
        if sent is self._compressing:
            self._compressing = None
            self.is_compressed = tagged.is_ok
        self._budget.renew()
        events.append(CommandDone(sent, tagged))
        if not self._has_bye:
            self._pump(events)

    def _continue(self, continuation: Continuation, events: list[Event]) -> None:
        """ABNF: continue-req = "+" SP (resp-text / base64) CRLF: for a literal, a challenge or IDLE."""
        if self._outbox.awaits_plus:
            self._outbox.continue_literal()
            wanted = self._outbox.wanted_literal
            if wanted is not None:
                events.append(wanted)
            return
        for sent in self._outbox.in_flight.values():
            if sent.command.kind is Kind.AUTHENTICATE:
                self._challenged = sent
                events.append(Challenge(sent, continuation.text))
                return
            if sent is self._idle:
                if not self._is_idle_started:
                    self._is_idle_started = True
                    events.append(IdleStarted(sent))
                    if self._is_done_wanted:
                        self.finish_idle()
                return
            if any(not isinstance(part, bytes) for part in sent.command.parts):
                # QUIRK some servers say `+` for a non-synchronising literal as well
                return
        raise RemoteProtocolError("a continuation that nothing waits for")

    def _pump(self, events: list[Event]) -> None:
        had = self._outbox.wanted_literal
        self._outbox.pump()
        wanted = self._outbox.wanted_literal
        if wanted is not None and (had is None or had.sent is not wanted.sent):
            events.append(wanted)

    def _learn(self, said: Capabilities) -> None:
        self._said = said
        self._is_said_since_login = True
        self._outbox.capabilities = said.without(self._disabled) if self._disabled else said

    def _learn_from(self, code: Code | None) -> None:
        if isinstance(code, CapabilityCode):
            self._learn(code.capabilities)

    def _refuse_injection(self) -> None:
        raise TlsFailed("data in clear text behind the OK of STARTTLS", reason="starttls_injection")
