"""Mail comes in from a maildrop: fetched in a pipeline, stored in durable batches, and remembered by its digest.

The order of a batch: octets to tmp/, fsync beside the intents' transaction, rename, fsync of the directories, one index
transaction with the events, the sightings, intents closed. Nothing is deleted on the server whose sighting is not
durable. Octets that are here already, under a unique id that changed or from a run that died, are not stored again, and
mail deleted here does not come back (sync.md 25). What we had the server delete has no claim on other ids: equal octets
under a new one are new mail (docs/decisions/0005-one-message-or-two.md).
"""

import asyncio
import contextlib
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import ConnectionLost, MailError, RemoteProtocolError, ServerRefused, Throttled
from daemon.model.flags import NO_FLAGS
from daemon.model.ids import AccountId, MaildirName, MessageId, new_message_id
from daemon.model.mailbox import MailboxRecord
from daemon.model.maildrop import Sighting
from daemon.model.operations import NO_VALIDITY, IntentKind
from daemon.model.passes import PassResult
from daemon.model.sink import Sink
from daemon.net.pop3.client import MaildropEntry, Pop3Client
from daemon.store.base import Arrival
from daemon.store.intents import NewIntent
from daemon.store.maildir.tmpfile import StagedFile
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.downloads import new_message_event
from daemon.sync.filling import Filling
from daemon.sync.postponed import Postponed, Trouble
from daemon.sync.tally import Tally
from daemon.sync.task_errors import one_error

PIPELINE_DEPTH: Final = 16
CAREFUL_MESSAGES: Final = 2 * PIPELINE_DEPTH
"""Asked for one by one after a line was lost. A server that drops a line with commands unread takes back what it had sent,
so that the blame fell on a message before the one at fault, as far before it as the pipe is deep."""
_ENDS: Final = ("first", "last")
REMEMBERED_SECONDS: Final = (
    30 * 86400.0
)  # sync.md 25: what vanished from the maildrop, or was deleted here unseen

_Staged = tuple[MaildropEntry, StagedFile]


class Pop3Downloads:
    """Fetches what is new in one maildrop."""

    def __init__(
        self,
        *,
        account: AccountId,
        store: Store,
        tree: MaildirTree,
        clock: Clock,
        log: FilteringBoundLogger,
        tally: Tally,
        postponed: Postponed,
    ) -> None:
        self._account = account
        self._store = store
        self._tree = tree
        self._clock = clock
        self._log = log
        self._tally = tally
        self._postponed = postponed
        self._spoken_for = _Rows(())
        self._taken: set[MessageId] = set()
        self._refused: set[int] = set()

    async def run(
        self,
        client: Pop3Client,
        record: MailboxRecord,
        wanted: Sequence[MaildropEntry],
        spoken_for: Iterable[int],
        *,
        is_lockstep: bool = False,
    ) -> set[int]:
        """Every message stored, or known to be here already; gives the numbers of those that the server refused.

        What is not had is noted in `postponed`, also where the download ends early.

        Args:
            client: A line in TRANSACTION state.
            record: The mailbox they are delivered into.
            wanted: What is to be fetched, in the order in which it is asked for.
            spoken_for: Rows of sightings that belong to other messages of this listing.
            is_lockstep: Have each message durable before the next is asked for.
        """
        self._spoken_for = _Rows(spoken_for)
        self._taken.clear()
        self._refused = set()
        lost: MailError | None = None
        with one_error():
            async with contextlib.AsyncExitStack() as batches, asyncio.TaskGroup() as tasks:
                filling = Filling[MaildropEntry](
                    tasks,
                    batches,
                    open_batch=lambda: self._tree.open_batch(record.directory),
                    commit=lambda staged: self._commit(record, staged),
                    date_of=_unsaid,
                )
                try:
                    for part, depth in self._parts(wanted):
                        await self._fetch_into(
                            filling, client, part, 1 if is_lockstep else depth, is_lockstep=is_lockstep
                        )
                except MailError as exc:
                    lost = exc
                await filling.close()
        if lost is not None:
            raise lost
        return self._refused

    def _parts(self, wanted: Sequence[MaildropEntry]) -> list[tuple[Sequence[MaildropEntry], int]]:
        """What is asked for, part by part, with the depth of the pipe."""
        suspects = [entry for entry in wanted if self._postponed.is_suspect(entry)]
        if not suspects:
            return [(wanted, PIPELINE_DEPTH)]
        others = [entry for entry in wanted if not self._postponed.is_suspect(entry)]
        return [
            (others[:CAREFUL_MESSAGES], 1),
            (others[CAREFUL_MESSAGES:], PIPELINE_DEPTH),
            (suspects, 1),
        ]

    async def _fetch_into(
        self,
        filling: Filling[MaildropEntry],
        client: Pop3Client,
        wanted: Sequence[MaildropEntry],
        depth: int,
        *,
        is_lockstep: bool,
    ) -> None:
        """Fetch all. Where one message after the other is refused, the rest is tried from its other end, and so on.

        The server as a whole refuses when neither end gave anything (faults.md P9).
        """
        rest = {entry.number: entry for entry in wanted}
        empty_rounds = 0
        while rest:
            waiting, refused = len(rest), len(self._refused)
            try:
                await self._fetch_round(filling, client, rest, depth, is_lockstep=is_lockstep)
            except (ConnectionLost, RemoteProtocolError, Throttled) as exc:
                self._blame(next(iter(rest.values()), None), exc)
                raise
            except ServerRefused:
                had = (waiting - len(rest)) - (len(self._refused) - refused)
                empty_rounds = 0 if had else empty_rounds + 1
                if empty_rounds == len(_ENDS):
                    raise
                rest = dict(reversed(rest.items()))

    async def _fetch_round(
        self,
        filling: Filling[MaildropEntry],
        client: Pop3Client,
        rest: dict[int, MaildropEntry],
        depth: int,
        *,
        is_lockstep: bool,
    ) -> None:
        """Ask for all of `rest`; what was answered is taken out of it."""
        entries = dict(rest)

        def sink_for(number: int, _size: int) -> Sink:
            return filling.sink(entries[number], None)  # what LIST said is not what comes (faults.md P5)

        async with contextlib.aclosing(
            client.fetch_messages(
                entries,
                {number: entry.size for number, entry in entries.items()},
                sink_for=sink_for,
                depth=depth,
            )
        ) as messages:
            async for message in messages:
                entry = rest.pop(message.number)
                if message.octets is not None:
                    await filling.take(entry, message.octets)
                elif not await filling.take_sunk(entry):
                    self._note_refused(entry, message.refusal or "no octets in the answer")
                    continue
                self._postponed.note_had(entry)
                if is_lockstep:
                    await filling.settle()

    def _note_refused(self, entry: MaildropEntry, words: str) -> None:
        """One bad message is left for later and holds nothing up (faults.md P9)."""
        self._refused.add(entry.number)
        self._postponed.note_failed(entry, Trouble.REFUSED, self._clock.now())
        self._tally.add(PassResult(failed=1))
        self._log.warning("message.refused", number=entry.number, server_said=words)

    def _blame(self, entry: MaildropEntry | None, error: MailError) -> None:
        """The line ended while this message was due: others come before it from now on."""
        if entry is None:
            return
        trouble = Trouble.TOO_LARGE if error.reason == "message_too_large" else Trouble.LINE_LOST
        until = self._postponed.note_failed(entry, trouble, self._clock.now())
        self._tally.add(PassResult(failed=1))
        self._log.warning("message.postponed", number=entry.number, reason=error.reason, not_before=until)

    async def _commit(self, record: MailboxRecord, staged: Sequence[_Staged]) -> None:
        """Make one batch durable; see the module's order."""
        now = self._clock.now()
        partners = await self._partners([file.content.file_sha256 for _, file in staged])
        sightings: list[Sighting] = []
        keep: list[tuple[_Staged, MaildirName, MessageId]] = []
        for entry, file in staged:
            content = file.content
            partner = partners.take(content.file_sha256, entry.uidl)
            if isinstance(partner, Sighting):
                message_id, number, first_seen = partner.message_id, partner.number, partner.first_seen
            elif partner is not None:
                message_id, number, first_seen = partner, None, now
            else:
                message_id, number, first_seen = new_message_id(), None, now
                self._taken.add(message_id)  # equal octets that follow are another message
                name = self._tree.new_name(size=content.file_size, wire_size=content.wire_size)
                keep.append(((entry, file), name, message_id))
            sightings.append(
                Sighting(
                    number=number,
                    uidl=entry.uidl,
                    size=entry.size,
                    sha256=content.file_sha256,
                    header_sha256=content.header_sha256,
                    message_id=message_id,
                    first_seen=first_seen,
                )
            )
        closing = await self._store_new(record, keep) if keep else []
        await self._store.maildrop.save(self._account, sightings)
        await self._store.intents.close(closing)
        self._tally.add(PassResult(downloaded=len(keep)))
        self._tally.transferred(
            messages=len(staged), octets=sum(file.content.file_size for _, file in staged)
        )
        self._log.debug("batch.stored", messages=len(keep), known=len(staged) - len(keep))

    async def _store_new(
        self, record: MailboxRecord, keep: Sequence[tuple[_Staged, MaildirName, MessageId]]
    ) -> list[int]:
        """Files and rows of what was not here; gives the intents that end with it."""
        files = [file for (_, file), _, _ in keep]
        now = int(self._clock.now())
        dates = [file.internal_date if file.internal_date is not None else now for file in files]
        intents, _ = await asyncio.gather(
            self._store.intents.open(
                [
                    self._intent(record, file, name, message_id, date)
                    for ((_, file), name, message_id), date in zip(keep, dates, strict=True)
                ]
            ),
            self._tree.sync_staged(files),
        )
        await self._tree.publish(
            record.directory, files, [name for _, name, _ in keep], [NO_FLAGS for _ in keep]
        )
        arrivals = [
            Arrival(
                message_id=message_id,
                uid=None,
                maildir_name=name,
                flags=NO_FLAGS,
                content=file.content,
                internal_date=date,
            )
            for ((_, file), name, message_id), date in zip(keep, dates, strict=True)
        ]
        events = [
            new_message_event(
                self._account, record, arrival.message_id, arrival.flags, arrival.content, origin="server"
            )
            for arrival in arrivals
            if record.is_first_pass_done
        ]
        await self._store.base.confirm(self._account, record.name, None, arrivals, events)
        return [intent.id for intent in intents]

    def _intent(
        self, record: MailboxRecord, file: StagedFile, name: MaildirName, message_id: MessageId, date: int
    ) -> NewIntent:
        content = file.content
        return NewIntent(
            kind=IntentKind.DOWNLOAD,
            account=self._account,
            mailbox=record.name,
            uid_validity=NO_VALIDITY,
            uid=None,
            uid_next=None,
            maildir_name=name,
            message_id=message_id,
            flags=NO_FLAGS,
            file_size=content.file_size,
            file_sha256=content.file_sha256,
            wire_size=content.wire_size,
            wire_sha256=content.wire_sha256,
            internal_date=date,
        )

    async def _partners(self, digests: Collection[bytes]) -> "_Partners":
        """Who may have these octets already: sightings that nothing in this listing stands for, and messages that no
        sighting names.
        """
        sightings: dict[bytes, list[Sighting]] = defaultdict(list)
        for one in await self._store.maildrop.with_digests(self._account, digests):
            if one.number not in self._spoken_for:
                sightings[one.sha256].append(one)
        holders = await self._store.maildrop.unseen_holders(
            self._account, digests, deleted_since=self._clock.now() - REMEMBERED_SECONDS
        )
        return _Partners(sightings, {digest: list(ids) for digest, ids in holders.items()}, self._taken)


class _Rows:
    """Numbers of rows: a maildrop may hold hundreds of thousands."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._numbers = array("q", sorted(numbers))

    def __contains__(self, number: int | None) -> bool:
        if number is None:
            return False
        at = bisect_left(self._numbers, number)
        return at < len(self._numbers) and self._numbers[at] == number


class _Partners:
    """Hands out each message once, over all batches of a run; `taken` are those that are handed out or new."""

    def __init__(
        self,
        sightings: dict[bytes, list[Sighting]],
        holders: dict[bytes, list[MessageId]],
        taken: set[MessageId],
    ) -> None:
        self._same_id: dict[tuple[bytes, str], list[Sighting]] = defaultdict(list)
        self._any_id: dict[bytes, list[Sighting]] = defaultdict(list)
        for digest, some in sightings.items():
            for one in some:
                if one.uidl is not None:
                    self._same_id[digest, one.uidl].append(one)
                if one.removed_at is None:
                    self._any_id[digest].append(one)
        self._holders = holders
        self._taken = taken

    def take(self, digest: bytes, uidl: str | None) -> Sighting | MessageId | None:
        """A partner for octets with this digest under this id: a sighting of the same id before others; None where they
        are new here.
        """
        same = self._same_id.get((digest, uidl)) if uidl is not None else None
        for some in (same, self._any_id.get(digest)):
            while some:
                one = some.pop(0)
                if one.message_id not in self._taken:
                    self._taken.add(one.message_id)
                    return one
        while ids := self._holders.get(digest):
            message_id = ids.pop(0)
            if message_id not in self._taken:
                self._taken.add(message_id)
                return message_id
        return None


def _unsaid(_entry: MaildropEntry) -> int | None:
    """POP3 tells no internal date: the header of the message does, where it is stored."""
    return None
