"""The IMAP shell as the sync engine sees it: one method a command, mail errors out, nothing kept but the connection.

It decides nothing about mail. One task uses a client at a time; `wake` may be called from anywhere in the loop's thread.
A lost connection makes every further call raise ConnectionLost; a cancelled command drops the line (IDLE does not).
"""

from collections.abc import AsyncGenerator, Mapping, Sequence

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import MailError, ServerRefused
from daemon.model.flags import NO_FLAGS, FlagSet
from daemon.model.ids import MailboxName, ModSeq, Uid
from daemon.model.mailbox import RemoteMailbox
from daemon.model.secret import Secret
from daemon.model.uidset import UidSet
from daemon.net.deadlines import DEFAULT_TIMERS, Timers
from daemon.net.endpoint import Endpoint
from daemon.net.imap import (
    appending,
    changing,
    fetching,
    greeting,
    idling,
    listing,
    login,
    scanning,
    selecting,
    status,
)
from daemon.net.imap.session import Session
from daemon.net.imap.values import (
    AppendItem,
    AppendOutcome,
    CopyResult,
    FetchedBody,
    Heard,
    IdleEnd,
    QresyncSince,
    ScanResult,
    Selection,
    StatusResult,
)
from daemon.wire.imap import commands, names
from daemon.wire.imap.capabilities import Capabilities

__all__ = [
    "AppendItem",
    "AppendOutcome",
    "CopyResult",
    "Endpoint",
    "FetchedBody",
    "Heard",
    "IdleEnd",
    "ImapClient",
    "QresyncSince",
    "ScanResult",
    "Selection",
    "StatusResult",
]

IDLE_RENEW_SECONDS = 300.0


class ImapClient:
    """A connection to one account. Made by `connect`; ended by `logout` or `abort`."""

    def __init__(self, session: Session, endpoint: Endpoint, log: FilteringBoundLogger | None = None) -> None:
        self._session = session
        self._endpoint = endpoint
        self._log = log

    @classmethod
    async def connect(
        cls,
        endpoint: Endpoint,
        *,
        clock: Clock,
        log: FilteringBoundLogger | None = None,
        timers: Timers = DEFAULT_TIMERS,
    ) -> "ImapClient":
        """A connected, encrypted line with its capabilities known; nobody is logged in.

        Raises:
            ConnectionLost: dns, refused, unreachable, timeout, closed, too_slow, not_imap.
            TlsFailed: No trust in the line; no credential was sent.
            Throttled: Turned away by the greeting.
            RemoteProtocolError, ServerRefused: The server cannot be talked to.
        Cancellation:
            Safe; the line is dropped.
        """
        began = clock.monotonic()
        session = await greeting.open_session(endpoint, timers)
        if log is not None:
            elapsed = round((clock.monotonic() - began) * 1000)
            tls = session.stream.tls
            log.debug(
                "imap.connected",
                address=session.stream.peer_address,
                tls=tls.version() if tls is not None else None,
                duration_ms=elapsed,
            )
        return cls(session, endpoint, log)

    async def authenticate(self, username: str, password: Secret) -> None:
        """Log in by the best mechanism offered, learn what the server can do and switch on what helps.

        Raises:
            AuthenticationFailed: Not accepted (the server's words), or reason auth_unsupported with nothing sent.
            Throttled, ServerRefused: Busy; the credential may be right.
            ConnectionLost: The line is gone.
        """
        await login.authenticate(self._session, self._endpoint.host, username, password)
        if self._log is not None:
            self._log.debug("imap.authenticated", qresync=self.has_qresync, condstore=self.has_condstore)

    # What is known

    @property
    def caps(self) -> Capabilities:
        """What the server can do and keeps its word about."""
        return self._session.caps

    @property
    def has_qresync(self) -> bool:
        """QRESYNC is enabled and believed."""
        return self.caps.has("QRESYNC") and "QRESYNC" in self._session.connection.enabled

    @property
    def has_condstore(self) -> bool:
        """Mod-sequences may be asked for; a mailbox may still have none (`Selection.highest_mod_seq` None)."""
        return self.caps.has("CONDSTORE")

    @property
    def selection(self) -> Selection | None:
        """The selected mailbox, its numbers kept current from what the server says.

        `highest_mod_seq` is the largest value told, not a mark to store (sync.md 5).
        """
        return self._session.selection

    @property
    def bytes_received(self) -> int:
        """Octets on the line, TLS included."""
        return self._session.stream.bytes_received

    @property
    def bytes_sent(self) -> int:
        """Octets on the line, TLS included."""
        return self._session.stream.bytes_sent

    @property
    def is_lost(self) -> bool:
        """Whether the line is gone."""
        return self._session.error is not None

    # Mailboxes

    async def list_mailboxes(self) -> tuple[RemoteMailbox, ...]:
        """All mailboxes with names normalised and, where the server tells, their numbers."""
        return await listing.list_mailboxes(self._session, utf8=self._has_utf8)

    @property
    def _has_utf8(self) -> bool:
        return bool({"UTF8=ACCEPT", "IMAP4REV2"} & self._session.connection.enabled)

    async def status(self, mailbox: RemoteMailbox | bytes) -> StatusResult:
        """The numbers of one mailbox; ServerRefused (NONEXISTENT) if it is gone."""
        wire_name = mailbox if isinstance(mailbox, bytes) else mailbox.wire_name
        return await status.status(self._session, wire_name)

    async def select(
        self, wire_name: bytes, *, since: QresyncSince | None = None, read_only: bool = False
    ) -> Selection:
        """Select a mailbox; with `since` and QRESYNC the answer has what changed and vanished.

        What was heard of the mailbox selected before is forgotten: drain it first. UIDVALIDITY is for the caller to
        compare.

        Raises: ServerRefused, with code NONEXISTENT and the like, or reason no_uid_validity; nothing is selected then.
        """
        return await selecting.select(
            self._session, wire_name, since=since, read_only=read_only, has_qresync=self.has_qresync
        )

    async def unselect(self) -> None:
        """Leave the mailbox without expunging anything; nothing happens where UNSELECT is not offered."""
        await selecting.unselect(self._session)

    def wire_name_for(self, name: MailboxName) -> bytes:
        """The wire name under which a mailbox of this name would be created; list the mailboxes first.

        Raises LocalProtocolError if a part holds the server's delimiter, or the server has no hierarchy.
        """
        session = self._session
        return names.denormalise(name, session.delimiter, session.personal_prefix, self._has_utf8)

    async def create(self, name: bytes) -> None:
        """Create a mailbox; ServerRefused (ALREADYEXISTS) if it is there."""
        await self._session.run(commands.create(name))

    async def delete(self, name: bytes) -> None:
        """Delete a mailbox and all in it."""
        await self._session.run(commands.delete(name))

    async def rename(self, old: bytes, new: bytes) -> None:
        """Rename a mailbox."""
        await self._session.run(commands.rename(old, new))

    async def subscribe(self, name: bytes) -> None:
        """Subscribe to a mailbox."""
        await self._session.run(commands.subscribe(name))

    # Scans

    async def fetch_entries(
        self,
        uids: UidSet | None = None,
        *,
        first: Uid | None = None,
        changed_since: ModSeq | None = None,
        with_size: bool = True,
    ) -> ScanResult:
        """Flags of the UIDs asked for, with size and date if wanted; None means all, from `first` on.

        `changed_since` needs CONDSTORE; `vanished` is filled with QRESYNC only.
        """
        return await scanning.fetch_entries(
            self._session,
            uids,
            first=first,
            changed_since=changed_since,
            with_size=with_size,
            has_condstore=self.has_condstore and self._has_mod_seq,
            has_qresync=self.has_qresync,
        )

    @property
    def _has_mod_seq(self) -> bool:
        selection = self._session.selection
        return selection is not None and selection.highest_mod_seq is not None

    async def list_uids(self) -> UidSet:
        """All UIDs of the selected mailbox."""
        return await scanning.list_uids(self._session)

    async def fetch_headers(self, uids: UidSet) -> Mapping[Uid, bytes]:
        """Header blocks; UIDs that the server did not answer are left out."""
        return await scanning.fetch_headers(self._session, uids)

    def fetch_bodies(
        self, uids: UidSet, sizes: Mapping[Uid, int], *, sink_for: fetching.SinkFor
    ) -> AsyncGenerator[FetchedBody, None]:
        """Every message asked for, once, in order of arrival: octets, an ended sink, or a refusal.

        A message that was yielded counts as taken when the next one is asked for; what is under way but not taken
        stays bounded. `sink_for` is called while octets are parsed and must not block; sinks are ended or aborted here.

        Raises:
            ConnectionLost, RemoteProtocolError: What did not come was not stored; ask again later.
            Throttled, ServerRefused: The server refuses one message after the other.
            StoreError: From a sink; the line is dropped.
        Cancellation:
            The line is dropped. Closing the iterator early lets the rest pass by and keeps the line.
        """
        return fetching.BodyFetch(self._session, uids, sizes, sink_for).run()

    # Changes

    async def store_flags(self, uids: UidSet, *, add: FlagSet = NO_FLAGS, remove: FlagSet = NO_FLAGS) -> None:
        """Add and remove flags; absent UIDs are no error. Raises the first ServerRefused."""
        await changing.store_flags(self._session, uids, add=add, remove=remove)

    async def store_many(self, changes: Sequence[changing.FlagWish]) -> tuple[ServerRefused | None, ...]:
        """Many flag changes (UIDs, add, remove), pipelined; one verdict each, None for accepted."""
        return await changing.store_many(self._session, changes)

    async def copy(self, uids: UidSet, target: bytes) -> CopyResult:
        """Copy messages to another mailbox; ServerRefused (TRYCREATE) if it is not there."""
        return await changing.copy(self._session, uids, target)

    async def move(self, uids: UidSet, target: bytes) -> CopyResult:
        r"""Move messages: by MOVE, else by COPY, `\Deleted` and UID EXPUNGE; LocalProtocolError without UIDPLUS too."""
        return await changing.move(self._session, uids, target)

    async def expunge(self, uids: UidSet) -> None:
        r"""Remove messages marked `\Deleted` for good; LocalProtocolError without UIDPLUS."""
        await changing.expunge(self._session, uids)

    async def append_many(self, target: bytes, items: Sequence[AppendItem]) -> tuple[AppendOutcome, ...]:
        """Upload messages; one outcome each.

        Raises:
            ConnectionLost: What became of those unanswered is unknown; resolve it by intent.
            LocalProtocolError: A source gave another number of octets than it said; the line is dropped.
        """
        return await appending.append_many(self._session, target, items)

    # Waiting

    async def idle(self, *, renew_after: float = IDLE_RENEW_SECONDS) -> IdleEnd:
        """Wait until the server reports a change, `wake()` is called, or it is time to renew.

        Returns at once if something was heard and not drained, or `wake` was called before. Watches the selected
        mailbox only (RFC 2177 §3).

        Args:
            renew_after: Seconds before DONE is sent; cut to 25 minutes.

        Raises:
            ServerRefused: NO or BAD; fall back to polling.
            ConnectionLost: Line gone, or IDLE not left within 15 s.
        Cancellation:
            Safe. DONE is attempted for at most 2 seconds, then the line is dropped.
        """
        return await idling.idle(self._session, renew_after)

    def wake(self) -> None:
        """End the present `idle`, or the next one. Never blocks, never lost."""
        self._session.wake()

    def drain_heard(self) -> Heard:
        """What the server said by itself about the selected mailbox since the last call; clears it."""
        return self._session.heard.drain()

    async def noop(self) -> None:
        """Give the server a chance to say what changed."""
        await self._session.run(commands.noop())

    # The end

    async def logout(self) -> None:
        """Say goodbye and close: best effort, at most 2 seconds, never an error."""
        try:
            await greeting.close_session(self._session)
        except MailError:
            return
        finally:
            self.abort()

    def abort(self) -> None:
        """Drop the line at once."""
        self._session.abort()
