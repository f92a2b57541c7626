"""The running connection: octets from `net.stream` into `wire.imap`, its events to whoever waits for them.

It owns the stream, routes tagged answers to their futures and untagged data to listeners, keeps what was heard unasked
and the numbers of the selected mailbox. It issues no command by itself. Everything runs in the loop's thread.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final, assert_never

from daemon.model.errors import ConnectionLost, MailError, RemoteProtocolError, Throttled
from daemon.net.conversation import Conversation
from daemon.net.deadlines import Timers
from daemon.net.imap.values import CompressWish
from daemon.net.imap.view import SelectedView
from daemon.net.meter import Meter
from daemon.wire.imap import refusals
from daemon.wire.imap.capabilities import Capabilities
from daemon.wire.imap.commands import Command
from daemon.wire.imap.connection import ImapConnection
from daemon.wire.imap.events import Challenge, CommandDone, Event, IdleStarted
from daemon.wire.imap.outbox import LiteralWanted, Sent
from daemon.wire.imap.quirks import Profile
from daemon.wire.imap.responses import (
    Bye,
    CapabilityData,
    EnabledData,
    EsearchData,
    Exists,
    Expunge,
    FetchData,
    FlagsData,
    Greeting,
    IdData,
    ListData,
    LiteralBegin,
    LiteralData,
    LiteralEnd,
    NamespaceData,
    OtherData,
    QuotaData,
    QuotaRootData,
    SearchData,
    StatusData,
    StatusLine,
    Tagged,
    Vanished,
)
from daemon.wire.imap.states import Kind
from daemon.wire.imap.trace import Tracer, Write

_COMMAND_BYTES: Final = 300  # room for everything in a command but its UID set
_FALSE_CLAIMS: Final = {
    "compress_broken": "COMPRESS=DEFLATE",
    "qresync_malformed": "QRESYNC",
    "esearch_malformed": "ESEARCH",
}
"""What a line that ended for this reason was promised and not given; the next does without (faults.md S9, S29)."""

Answer = asyncio.Future[Tagged]
FetchListener = Callable[[FetchData], bool]
"""Takes a FETCH and says whether it was its own; what nobody takes was said unasked."""

OtherListener = Callable[[Event], bool]
"""Takes untagged data and says whether they answer its own command; LIST and STATUS that nobody takes are pushes."""

LiteralListener = Callable[[LiteralBegin | LiteralData | LiteralEnd], None]
OnDone = Callable[[Tagged], None]


class Session(Conversation[Tagged], SelectedView):
    """One IMAP connection."""

    def __init__(
        self,
        timers: Timers,
        profile: Profile,
        *,
        compress: CompressWish = "off",
        distrust: Iterable[str] = (),
        trace: Write | None = None,
    ) -> None:
        Conversation.__init__(self, timers)
        SelectedView.__init__(self)
        self.profile = profile
        self.connection = ImapConnection(max_in_flight=profile.max_in_flight, disabled=profile.disabled)
        self.greeting: Greeting | None = None
        self.server_fields: dict[str, str] = {}
        self.delimiter: str | None = None
        self.personal_prefix = ""
        self._tracer = None if trace is None else Tracer(trace)
        self.compress_wish = compress
        self.meter = Meter()
        self.distrusted = frozenset(name.upper() for name in distrust)
        self.broken = self.doubted = frozenset[str]()
        self.connection.disable(self.distrusted)
        self.is_woken = False
        self.fetch_listeners: list[FetchListener] = []
        self.other_listeners: list[OtherListener] = []
        self.literal_listener: LiteralListener | None = None
        self.has_idle_started = False
        self.bye: Bye | None = None

    @property
    def set_bytes(self) -> int:
        """Longest UID set in one command."""
        return self.profile.command_line_bytes - _COMMAND_BYTES

    @property
    def caps(self) -> Capabilities:
        """What the server can do and keeps its word about."""
        return self.connection.capabilities

    @property
    def has_rev2(self) -> bool:
        """Whether the server speaks IMAP4rev2: it was enabled, or nothing else is offered (RFC 9051 appendix D)."""
        return "IMAP4REV2" in self.connection.enabled or (
            self.caps.has("IMAP4REV2") and not self.caps.has("IMAP4REV1")
        )

    @property
    def has_utf8(self) -> bool:
        """Whether mailbox names are UTF-8 on this line, not modified UTF-7 (RFC 6855 §3, RFC 9051 §5.1)."""
        return self.has_rev2 or "UTF8=ACCEPT" in self.connection.enabled

    @property
    def lacks_mod_seqs(self) -> bool:
        """Whether some mailbox is known to have no mod-sequences, all of them without CONDSTORE."""
        return self.has_unnumbered or not self.caps.has("CONDSTORE")

    def doubt(self, names: Iterable[str]) -> None:
        """Believe these capabilities no longer on this line, and on others not for a while."""
        self.doubted |= {name.upper() for name in names}
        self._leave_out(names)

    def distrust(self, names: Iterable[str]) -> None:
        """Believe these capabilities no longer, now and when they are said again."""
        self.broken |= {name.upper() for name in names}
        self._leave_out(names)

    def _leave_out(self, names: Iterable[str]) -> None:
        self.distrusted |= {name.upper() for name in names}
        self.connection.disable(names)

    # Receiver of the stream

    @property
    def is_inside_unit(self) -> bool:
        return self.connection.is_mid_response

    def receive(self, data: memoryview) -> None:
        try:
            events = self.connection.receive(data)
        except MailError:
            self._trace(data)
            self._take(self.connection.events_before_fault)
            raise
        self._trace(data[: len(data) - self.connection.deflated_count])
        self._take(events)
        if self.bye is not None and not self.is_leaving:
            raise self.bye_error(self.bye)
        self.flush()

    def _trace(self, data: memoryview) -> None:
        if self._tracer is not None:
            self._tracer.received(bytes(data))

    def lose(self, error: MailError) -> None:
        claim = _FALSE_CLAIMS.get(error.reason)
        if claim is None and isinstance(error, RemoteProtocolError) and self.connection.is_compressed:
            claim = "COMPRESS=DEFLATE"  # deflate has no checksum: garbage shows as lines that cannot be read
        if claim is not None:
            self.distrusted |= {claim}
            self.broken |= {claim}
        super().lose(error)

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            if type(event) is FetchData:
                for listener in self.fetch_listeners:
                    if listener(event):
                        break
                else:
                    self.note_fetch(event)
            else:
                self._dispatch(event)
        if events:
            self._stirred.set()

    def _dispatch(self, event: Event) -> None:
        match event:
            case LiteralData() | LiteralBegin() | LiteralEnd():
                if self.literal_listener is not None:
                    self.literal_listener(event)
            case CommandDone(sent, tagged):
                self.note_code(tagged)
                self._answered(sent.tag, tagged)
            case Exists() | Expunge() | Vanished():
                self.take_view(event)
            case Bye():
                self.bye = event
                self.heard.note_closing()
            case Greeting():
                self.greeting = event
            case Challenge(data=challenge):
                self._challenge = challenge
            case IdleStarted():
                self.has_idle_started = True
                self._update_due()
            case IdData(fields=fields):
                self.server_fields = fields
            case StatusLine():
                self.note_code(event)
                self._tell(event)
            case ListData() | StatusData():
                if not self._tell(event):
                    self.note_push(event)
            case FlagsData() | SearchData() | EsearchData() | NamespaceData() | QuotaRootData() | QuotaData():
                self._tell(event)
            case CapabilityData() | EnabledData() | LiteralWanted() | OtherData():
                return
            case FetchData():
                self.note_fetch(event)
            case _:
                assert_never(event)

    def _tell(self, event: Event) -> bool:
        claims = [listener(event) for listener in self.other_listeners]  # each of them hears it
        return any(claims)

    @staticmethod
    def bye_error(bye: Bye | Greeting) -> MailError:
        """Why the server turns us away, in its words."""
        if isinstance(bye, Greeting):
            bye = Bye(code=bye.code, text=bye.text)
        refusal = refusals.refusal(bye)
        if isinstance(refusal, Throttled):
            return refusal
        return ConnectionLost(f"the server said goodbye: {bye.text}", reason="closed")

    # Commands

    def start(self, command: Command, on_done: OnDone | None = None) -> tuple[Sent, Answer]:
        """Send a command, or queue it behind those it must not overlap; its answer comes in the future.

        `on_done` is called in order with the data around it, before anything that follows the answer is looked at.
        """
        self.check()
        sent = self.connection.submit(command)
        answer = self._expect(sent.tag, on_done)
        if command.kind is Kind.IDLE:
            self.has_idle_started = False
        self.flush()
        return sent, answer

    async def ask(self, command: Command, on_done: OnDone | None = None) -> Tagged:
        """The tagged answer of a command, OK or not."""
        _, answer = self.start(command, on_done)
        return await self.finish(answer)

    async def run(self, command: Command) -> Tagged:
        """The OK of a command. Raises ServerRefused or Throttled for NO and BAD."""
        tagged = await self.ask(command)
        if not tagged.is_ok:
            raise refusals.refusal(tagged, doing=command.kind.value)
        return tagged

    def flush(self) -> None:
        """Write what the connection has to send, each chunk by itself (IDLE wants its own)."""
        for chunk in self.connection.data_to_send():
            if self._tracer is not None:
                self._tracer.sent(chunk)
            self.stream.write(chunk)
        self._update_due()

    def _update_due(self) -> None:
        quiet = 1 if self.has_idle_started and self.connection.is_idling else 0
        if self._stream is not None:
            self._stream.deadlines.set_due(is_due=len(self._answers) > quiet)

    def wake(self) -> None:
        """Remember a wish to stop waiting, and stir whoever waits."""
        self.is_woken = True
        self._stirred.set()
