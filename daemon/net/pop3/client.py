"""The POP3 shell as the sync engine sees it: one method a command, mail errors out, nothing kept but the connection.

It decides nothing about mail. One task uses a client at a time. A lost connection makes every further call raise
ConnectionLost; a cancelled command drops the line. Message numbers hold for one session only.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import MessageUnavailable, ServerRefused
from daemon.model.secret import Secret
from daemon.net.deadlines import DEFAULT_TIMERS, Timers
from daemon.net.endpoint import Endpoint
from daemon.net.pop3 import fetching, greeting, listing, login, removing
from daemon.net.pop3.columns import Listing
from daemon.net.pop3.headers import Header, Headers
from daemon.net.pop3.session import Session
from daemon.net.pop3.values import FetchedMessage, MaildropEntry, Uidl
from daemon.net.standing import LineStanding
from daemon.wire.pop3 import commands
from daemon.wire.pop3.capabilities import Capabilities

__all__ = [
    "Capabilities",
    "Endpoint",
    "FetchedMessage",
    "Header",
    "Listing",
    "MaildropEntry",
    "Pop3Client",
    "Uidl",
]

_DELETE_SLICE: Final = 500  # answers awaited together; the window of commands in flight is smaller


class Pop3Client(LineStanding[Session]):
    """A connection to one account. Made by `connect`; ended by `quit` or `abort`."""

    def __init__(self, session: Session, endpoint: Endpoint, log: FilteringBoundLogger | None = None) -> None:
        super().__init__(session)
        self._endpoint = endpoint
        self._log = log
        self._listed = Listing()
        self._deleted: set[int] = set()
        self._headers = Headers(session)

    @classmethod
    async def connect(
        cls,
        endpoint: Endpoint,
        *,
        clock: Clock,
        log: FilteringBoundLogger | None = None,
        timers: Timers = DEFAULT_TIMERS,
    ) -> "Pop3Client":
        """A connected, encrypted line with its capabilities known; nobody is logged in.

        Raises:
            ConnectionLost: dns, refused, unreachable, timeout, closed, too_slow, not_pop3.
            TlsFailed: No trust in the line; no credential was sent.
            Throttled: Turned away by the greeting.
            RemoteProtocolError: The server cannot be talked to.
        Cancellation:
            Safe; the line is dropped.
        """
        began = clock.monotonic()
        session = await greeting.open_session(endpoint, timers)
        if log is not None:
            tls = session.stream.tls
            log.debug(
                "pop3.connected",
                address=session.stream.peer_address,
                tls=tls.version() if tls is not None else None,
                duration_ms=round((clock.monotonic() - began) * 1000),
            )
        return cls(session, endpoint, log)

    async def authenticate(self, username: str, secret: Secret) -> None:
        """Log in by the best mechanism offered, else by USER and PASS. The maildrop is locked until the session ends.

        Raises:
            AuthenticationFailed: Not accepted (the server's words), or reason auth_unsupported with nothing sent.
            Throttled: Busy: locked by another session, LOGIN-DELAY, temporary trouble; the credential may be right.
            ServerRefused: Trouble of the server's that waiting does not mend ([SYS/PERM]).
            ConnectionLost: The line is gone.
        """
        await login.authenticate(self._session, self._endpoint.host, username, secret)
        if self._log is not None:
            self._log.debug("pop3.authenticated", pipelining=self.is_pipelining)

    # What is known

    @property
    def caps(self) -> Capabilities:
        """What the server says it can do; empty where it does not say."""
        return self._session.caps

    @property
    def is_pipelining(self) -> bool:
        """Whether several commands are sent before the first is answered."""
        return self._session.connection.is_pipelining

    # The maildrop

    async def list_messages(self) -> Listing:
        """Every message with its id and listed size, ascending by number.

        Ids are None throughout where the server has no UIDL. They may repeat, and sizes may be wrong: neither alone says
        which message it is (sync.md 25).

        Raises:
            RemoteProtocolError: reason maildrop_changed: fewer listed than counted and not the same once more, a number
                given twice, or another message behind a number than earlier in this session; drop the line and begin anew.
            ServerRefused, Throttled: No listing now.
        """
        listed = await self.list_unless(None)
        assert listed is not None  # noqa: S101 - there is nothing it could be equal to
        return listed

    async def list_unless(self, seal: bytes | None) -> Listing | None:
        """The same; None where the server said octet for octet what it said for the listing with this seal.

        Nothing is read then: a listing of many thousands costs next to nothing. Numbers are not compared with an
        earlier listing of this session either.
        """
        listed = await listing.list_messages(self._session, unless=seal)
        if listed is None:
            return None
        if self._listed:
            listing.compare(self._listed, listed, self._deleted)
        self._listed = listed
        return listed

    def fetch_messages(
        self,
        numbers: Iterable[int],
        sizes: Mapping[int, int | None],
        *,
        sink_for: fetching.SinkFor,
        depth: int = fetching.DEPTH,
    ) -> AsyncGenerator[FetchedMessage, None]:
        """Every message asked for, once, in order: octets, an ended sink, or a refusal.

        Octets are the message as sent after one unstuffing; those over 1 MiB go to `sink_for(number, size)`, `size` being
        the listed one or more. A message that was yielded counts as taken when the next one is asked for; what is under
        way but not taken stays bounded. `sink_for` is called while octets are parsed and must not block; sinks are ended or
        aborted here.

        Args:
            numbers: As listed in this session.
            sizes: As listed; a missing or wrong one costs only some of the pipe.
            sink_for: Gives the sink of a large message.
            depth: RETRs in flight where the server offers PIPELINING, at most 64. With 1 the next is sent only when the caller has
                taken the one before.

        Raises:
            ConnectionLost, RemoteProtocolError: What did not come whole was not given; ask again in another session.
            Throttled: It asks for patience.
            ServerRefused: It refuses one message after the other; each of them was given before, and the line goes on.
            StoreError: From a sink; the line is dropped.
        Cancellation:
            The line is dropped. Closing the iterator early lets the rest pass by and keeps the line.
        """
        return fetching.MessageFetch(self._session, numbers, sizes, sink_for, depth).run()

    async def top(self, number: int, lines: int = 0) -> bytes:
        """The header of a message and `lines` lines of its body; never used for whole messages (protocol.md 3).

        Raises:
            ServerRefused: No TOP, or no such message.
            MessageUnavailable: Larger than a header may be.
        """
        done = await self._session.run(commands.top(number, lines))
        if not isinstance(done.result, bytes):
            raise MessageUnavailable(f"the header of message {number} is larger than any header may be")
        return done.result

    async def tops(self, numbers: Sequence[int]) -> dict[int, Header] | None:
        """The header of each message, or why there is none, by one pipe; None where the server has no TOP.

        All are held in memory together: ask for a few dozen at a time.

        Raises:
            Throttled: The server asks for patience.
        """
        return await self._headers.fetch(numbers)

    async def confirm(self, entry: MaildropEntry) -> None:
        """Return if the number of a message with a unique id still stands for it, or the server does not say.

        A maildrop that renumbers shifts its last numbers, so asking for the highest that was fetched tells of all.

        Raises:
            RemoteProtocolError: reason maildrop_changed: it names another message by now. The line is dropped.
        """
        await removing.confirm(self._session, entry)

    async def remove(self, entries: Sequence[MaildropEntry]) -> tuple[ServerRefused | None, ...]:
        """Mark messages with a unique id as deleted, each only if its number still stands for it; one verdict each.

        Nothing is deleted before `quit` has returned (RFC 1939 §6).

        Raises:
            RemoteProtocolError: reason maildrop_changed: a number names another message by now. The line is dropped,
                and nothing is deleted.
        """
        verdicts = await removing.remove(self._session, entries)
        self._deleted.update(
            entry.number for entry, refusal in zip(entries, verdicts, strict=True) if refusal is None
        )
        return verdicts

    async def dele(self, numbers: Sequence[int]) -> tuple[ServerRefused | None, ...]:
        """Mark messages as deleted, pipelined; one verdict each, None for accepted.

        Nothing is deleted before `quit` has returned (RFC 1939 §6).
        """
        verdicts: list[ServerRefused | None] = []
        for start in range(0, len(numbers), _DELETE_SLICE):
            part = numbers[start : start + _DELETE_SLICE]
            answers = [self._session.start(commands.dele(number)) for number in part]
            for number, answer in zip(part, answers, strict=True):
                done = await self._session.finish(answer)
                verdicts.append(None if done.status.is_ok else self._session.refusal(done))
                if done.status.is_ok:
                    self._deleted.add(number)
        return tuple(verdicts)

    async def rset(self) -> None:
        """Take back every `dele` of this session."""
        await self._session.run(commands.rset())
        self._deleted.clear()

    async def noop(self) -> None:
        """Have the server answer."""
        await self._session.run(commands.noop())

    # The end

    async def quit(self) -> None:
        """End the session: the server deletes what was marked, and the line is closed.

        Raises:
            ServerRefused, Throttled: -ERR: some or all of what was marked may still be there.
            ConnectionLost: No answer: what became of it is unknown; compare with the next listing.
        """
        await greeting.close_session(self._session)

    def abort(self) -> None:
        """Drop the line at once: nothing that was marked is deleted."""
        self._session.abort()
