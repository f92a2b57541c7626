"""The IMAP shell as the sync engine sees it: one method a command, mail errors out, nothing kept but the connection.

It decides nothing about mail. One task uses a client at a time; `wake` may be called from anywhere in the loop's thread.
A lost connection makes every further call raise ConnectionLost; a cancelled command drops the line (IDLE does not).
"""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence

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
    compressing,
    fetching,
    greeting,
    idling,
    labels,
    listing,
    login,
    notifying,
    quota,
    scanning,
    selecting,
    status,
)
from daemon.net.imap.session import Session
from daemon.net.imap.standing import ImapStanding
from daemon.net.imap.values import (
    AppendItem,
    AppendOutcome,
    CompressWish,
    CopyResult,
    CredentialKind,
    FetchedBody,
    Heard,
    IdleEnd,
    QresyncSince,
    Quota,
    ScanResult,
    Selection,
    StatusResult,
)
from daemon.wire.imap import commands, names
from daemon.wire.imap.trace import Direction, Write

__all__ = [
    "AppendItem",
    "AppendOutcome",
    "CopyResult",
    "CredentialKind",
    "Direction",
    "Endpoint",
    "FetchedBody",
    "Heard",
    "IdleEnd",
    "ImapClient",
    "QresyncSince",
    "Quota",
    "ScanResult",
    "Selection",
    "StatusResult",
]

IDLE_RENEW_SECONDS = 300.0


class ImapClient(ImapStanding):
    """A connection to one account. Made by `connect`; ended by `logout` or `abort`."""

    def __init__(self, session: Session, endpoint: Endpoint, log: FilteringBoundLogger | None = None) -> None:
        super().__init__(session)
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
        compress: CompressWish = "off",
        distrust: Iterable[str] = (),
        trace: Write | None = None,
    ) -> "ImapClient":
        """A connected, encrypted line with its capabilities known; nobody is logged in.

        `distrust` names capabilities that are not to be believed: what `distrusted` said of an earlier line to this host, for
        example after a line was lost with reason compress_broken. `trace` is given every line of the protocol, without
        credentials and mail (`wire.imap.trace`); it must neither block nor raise.

        Raises:
            ConnectionLost: dns, refused, unreachable, timeout, closed, too_slow, not_imap.
            TlsFailed: No trust in the line; no credential was sent.
            Throttled: Turned away by the greeting.
            RemoteProtocolError, ServerRefused: The server cannot be talked to.
        Cancellation:
            Safe; the line is dropped.
        """
        began = clock.monotonic()
        session = await greeting.open_session(
            endpoint, timers, compress=compress, distrust=distrust, trace=trace
        )
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

    async def authenticate(
        self, username: str, password: Secret, *, kind: CredentialKind = CredentialKind.PASSWORD
    ) -> None:
        """Log in by the best mechanism offered, learn what the server can do and switch on what helps.

        `kind` says what `password` is: a password, or an OAuth access token.

        Raises:
            AuthenticationFailed: Not accepted (the server's words); reason token_refused for a token, which may only be
                out of date; reason auth_unsupported with nothing sent.
            Throttled, ServerRefused: Busy; the credential may be right.
            ConnectionLost: The line is gone.
        """
        await login.authenticate(self._session, self._endpoint, username, password, kind)
        if self._session.compress_wish == "on":
            await compressing.consider(self._session)
        if self._log is not None:
            self._log.debug("imap.authenticated", qresync=self.has_qresync, condstore=self.has_condstore)

    # Mailboxes

    async def list_mailboxes(self) -> tuple[RemoteMailbox, ...]:
        """All mailboxes with names normalised and, where the server tells, their numbers."""
        return await listing.list_mailboxes(self._session)

    async def status(self, mailbox: RemoteMailbox | bytes, *, with_size: bool = False) -> StatusResult:
        """The numbers of one mailbox; ServerRefused (NONEXISTENT) if it is gone.

        `with_size` asks for unread and deleted messages and the octets of all as well, where offered; it may take long.
        """
        wire_name = mailbox if isinstance(mailbox, bytes) else mailbox.wire_name
        return await status.status(self._session, wire_name, with_size=with_size)

    async def look_back(self) -> Mapping[bytes, StatusResult]:
        """The numbers of mailboxes that were selected and left under NOTIFY since the last call, by wire name.

        What a server had not noticed of a mailbox when it was left, it may never tell: compare before waiting.
        """
        left = frozenset(self._session.left)
        self._session.left.clear()
        selection = self.selection
        return await status.statuses(
            self._session, left - {selection.wire_name} if selection is not None else left
        )

    async def quota(self, wire_name: bytes = b"INBOX") -> tuple[Quota, ...]:
        """What the quota roots of a mailbox use and may use; empty where there is no quota or none is offered."""
        return await quota.quota(self._session, wire_name)

    async def select(
        self, wire_name: bytes, *, since: QresyncSince | None = None, read_only: bool = False
    ) -> Selection:
        """Select a mailbox; with `since` and QRESYNC the answer has what changed and vanished.

        What was heard of the mailbox selected before is forgotten; under NOTIFY, which tells it only once, it becomes a
        push of that mailbox. UIDVALIDITY is for the caller to compare.

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
        return names.denormalise(name, session.delimiter, session.personal_prefix, session.has_utf8)

    def name_for(self, wire_name: bytes) -> MailboxName:
        """The name under which a listing will show a mailbox of this wire name."""
        session = self._session
        decoded = names.decode_wire_name(wire_name, session.has_utf8)
        return names.normalise(decoded, session.delimiter, session.personal_prefix)

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

    async def unsubscribe(self, name: bytes) -> None:
        """End the subscription to a mailbox."""
        await self._session.run(commands.unsubscribe(name))

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

    async def list_uids(self) -> UidSet:
        """All UIDs of the selected mailbox."""
        return await scanning.list_uids(self._session)

    async def unseen_uids(self) -> UidSet:
        r"""UIDs without `\Seen` in the selected mailbox, as far as SEARCH tells: a hint, and no proof."""
        return await scanning.unseen_uids(self._session)

    async def labels_of(self, uids: UidSet) -> Mapping[Uid, frozenset[bytes]]:
        """Gmail's labels of messages in the selected mailbox; needs X-GM-EXT-1. UIDs without an answer are left out."""
        return await labels.labels_of(self._session, uids)

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
        """Upload messages; one outcome each. `open_chunks` may be called twice.

        Raises:
            ConnectionLost: What became of those unanswered is unknown; resolve it by intent.
            LocalProtocolError: A source gave another number of octets than it said; the line is dropped.
        """
        return await appending.append_many(self._session, target, items)

    # Waiting

    async def idle(self, *, renew_after: float = IDLE_RENEW_SECONDS) -> IdleEnd:
        """Wait until the server reports a change, `wake()` is called, or it is time to renew.

        Returns at once if something was heard and not drained, or `wake` was called before. Watches the selected
        mailbox only (RFC 2177 §3), and all that `notify` asked for. CHANGED is followed by `take_pushes` (or `drain_heard`),
        before any scan.

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
        """What the server said by itself about the selected mailbox since the last call; clears it.

        The first call after an `idle` that said CHANGED has the news of other mailboxes too (see `Heard`).
        """
        return self._session.heard.drain()

    def take_pushes(self) -> Heard:
        """What NOTIFY told of other mailboxes since the last call; clears it.

        What was heard of the selected mailbox stays for its scan: an expunge told by VANISHED is not told again.
        """
        return self._session.heard.take_pushes()

    async def notify(self) -> None:
        """Be told of changes in all mailboxes that are ours, and in the tree of mailboxes.

        Needs NOTIFY in `caps`. Holds until the line ends or `has_notify` says otherwise. What is told ends `idle`; the first
        thing told are the numbers of all watched mailboxes, so nothing is missed.

        Raises: ServerRefused (BADEVENT, NOTIFICATIONOVERFLOW or BAD): fall back to IDLE and STATUS.
        """
        await notifying.notify(self._session)

    async def notify_none(self) -> None:
        """Be told of the selected mailbox only, as without NOTIFY."""
        await notifying.be_silent(self._session)

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
