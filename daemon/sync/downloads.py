"""Messages come in: fetched in a pipeline, stored in durable batches.

The order of a batch: octets to tmp/, fsync beside the intents' transaction, rename, fsync of the directories, one
index transaction with the events, intents closed. A kill between any two leaves either nothing or a file that
recovery finds by its intent (design.md 2, sync.md 18). While one batch becomes durable the next is arriving.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.envelope import Content
from daemon.model.errors import MailError
from daemon.model.events import EventName, NewEvent
from daemon.model.flags import FlagSet
from daemon.model.ids import AccountId, MaildirName, MessageId, Uid, new_message_id
from daemon.model.mailbox import MailboxRecord
from daemon.model.operations import IntentKind
from daemon.model.passes import PassResult
from daemon.model.sink import Sink
from daemon.model.uidset import UidSet
from daemon.model.views import RemoteEntry
from daemon.net.imap.client import ImapClient
from daemon.store.base import Arrival
from daemon.store.intents import NewIntent
from daemon.store.maildir.delivery import Batch
from daemon.store.maildir.sink import TmpSink
from daemon.store.maildir.tmpfile import StagedFile
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.actions import Download
from daemon.sync.adoption import Adoptable, Orphan
from daemon.sync.held_copies import HeldCopies
from daemon.sync.tally import Tally
from daemon.sync.task_errors import one_error, to_its_end

BATCH_MESSAGES: Final = 256
BATCH_BYTES: Final = 4 * 1024 * 1024  # 8 MiB is no faster and keeps 9 MiB more resident at the peak
STAGE_BYTES: Final = 512 * 1024  # handed to the disk in one go: amortises the call, keeps little in memory
STAGE_MESSAGES: Final = 64
BATCHES_IN_FLIGHT: Final = 2
STAGES_IN_FLIGHT: Final = 2
RETRY_FIRST_SECONDS: Final = 15 * 60.0


_Staged = list[tuple[RemoteEntry, StagedFile]]


@dataclass(slots=True)
class _Pending:
    """A batch that is still being filled."""

    batch: Batch
    stages: list[asyncio.Task[_Staged]] = field(default_factory=list)
    ready: _Staged = field(default_factory=list)
    messages: int = 0
    octets: int = 0

    @property
    def is_full(self) -> bool:
        return self.messages >= BATCH_MESSAGES or self.octets >= BATCH_BYTES


class Downloads:
    """Fetches what one mailbox lacks here; the mailbox is selected on `client`."""

    def __init__(
        self,
        *,
        account: AccountId,
        store: Store,
        tree: MaildirTree,
        clock: Clock,
        log: FilteringBoundLogger,
        tally: Tally,
    ) -> None:
        self._account = account
        self._store = store
        self._tree = tree
        self._clock = clock
        self._log = log
        self._tally = tally
        self.held = HeldCopies(account=account, store=store, tree=tree)

    async def run(
        self,
        client: ImapClient,
        record: MailboxRecord,
        downloads: Sequence[Download],
        adoptable: Adoptable,
    ) -> None:
        """Every message stored, or recorded as failed with a time to try again.

        A message with the octets of an `adoptable` file is bound to the file that is there instead of being stored
        beside it, one to one (sync.md 7).
        """
        left = {digest: list(equal) for digest, equal in adoptable.items()}
        run = _Run(self, client, record, downloads, left)
        await run.to_end()

    def open_batch(self, record: MailboxRecord) -> Batch:
        return self._tree.open_batch(record.directory)

    async def commit(
        self,
        record: MailboxRecord,
        staged: Sequence[tuple[RemoteEntry, StagedFile]],
        adoptable: Mapping[bytes, list[Orphan]],
        new_from: Uid | None,
    ) -> None:
        """Make one batch durable; see the module's order."""
        validity = record.uid_validity
        assert validity is not None  # noqa: S101 - set before the first download
        keep: list[tuple[RemoteEntry, StagedFile]] = []
        for entry, file in staged:
            equal = adoptable.get(file.content.wire_sha256)
            if not equal:
                keep.append((entry, file))
                continue
            await self._store.base.bind(self._account, record.name, validity, [equal.pop(0).bound_to(entry)])
            self._tally.transferred(messages=1, octets=file.content.wire_size)
        if not keep:
            return
        files = [file for _, file in keep]
        names = [
            self._tree.new_name(size=file.content.file_size, wire_size=file.content.wire_size)
            for file in files
        ]
        ids = [new_message_id() for _ in keep]
        intents, _ = await asyncio.gather(
            self._store.intents.open(
                [
                    self._intent(record, entry, file, name, message_id)
                    for (entry, file), name, message_id in zip(keep, names, ids, strict=True)
                ]
            ),
            self._tree.sync_staged(files),
        )
        await self._tree.publish(record.directory, files, names, [entry.flags for entry, _ in keep])
        arrivals = [
            Arrival(
                message_id=message_id,
                uid=entry.uid,
                maildir_name=name,
                flags=entry.flags,
                base_flags=entry.flags,
                content=file.content,
                internal_date=entry.internal_date or int(self._clock.now()),
                mod_seq=entry.mod_seq,
                email_id=entry.email_id,
            )
            for (entry, file), name, message_id in zip(keep, names, ids, strict=True)
        ]
        events = [
            new_message_event(
                self._account, record, arrival.message_id, arrival.flags, arrival.content, origin="server"
            )
            for arrival in arrivals
            if new_from is not None and arrival.uid is not None and arrival.uid >= new_from
        ]
        await self._store.base.confirm(self._account, record.name, validity, arrivals, events)
        await self._store.intents.close([intent.id for intent in intents])
        octets = sum(file.content.wire_size for file in files)
        self._tally.add(PassResult(downloaded=len(files)))
        self._tally.transferred(messages=len(files), octets=octets)
        self._log.debug("batch.stored", mailbox=record.name, messages=len(files), bytes=octets)

    def _intent(
        self,
        record: MailboxRecord,
        entry: RemoteEntry,
        file: StagedFile,
        name: MaildirName,
        message_id: MessageId,
    ) -> NewIntent:
        assert record.uid_validity is not None  # noqa: S101 - as in commit
        return NewIntent(
            kind=IntentKind.DOWNLOAD,
            account=self._account,
            mailbox=record.name,
            uid_validity=record.uid_validity,
            uid=entry.uid,
            uid_next=None,
            maildir_name=name,
            message_id=message_id,
            flags=entry.flags,
            file_size=file.content.file_size,
            file_sha256=file.content.file_sha256,
            wire_size=file.content.wire_size,
            wire_sha256=file.content.wire_sha256,
            internal_date=entry.internal_date or int(self._clock.now()),
        )

    async def record_refused(self, record: MailboxRecord, entry: RemoteEntry, refusal: str) -> None:
        """Note that this message cannot be had now, so that it neither holds up the mark nor is forgotten."""
        assert record.uid_validity is not None  # noqa: S101 - as in commit
        await self._store.base.record_failed(
            self._account,
            record.name,
            record.uid_validity,
            entry.uid,
            entry.flags,
            refusal,
            self._clock.now() + RETRY_FIRST_SECONDS,
        )
        self._tally.add(PassResult(failed=1))
        self._log.warning("message.refused", mailbox=record.name, uid=entry.uid, server_said=refusal)


class _Run:
    """One download of one mailbox."""

    def __init__(
        self,
        owner: Downloads,
        client: ImapClient,
        record: MailboxRecord,
        downloads: Sequence[Download],
        adoptable: Mapping[bytes, list[Orphan]],
    ) -> None:
        self._owner = owner
        self._client = client
        self._record = record
        self._entries = {download.entry.uid: download.entry for download in downloads}
        self._adoptable = adoptable
        self._new_from = record.uid_next if record.is_first_pass_done else None

    async def to_end(self) -> None:
        """Fetch all; what has arrived is made durable even when the line is lost on the way."""
        lost: MailError | None = None
        with one_error():
            async with contextlib.AsyncExitStack() as batches, asyncio.TaskGroup() as tasks:
                filling = _Filling(tasks, batches, self)
                try:
                    await self._fetch_into(filling)
                except MailError as exc:
                    lost = exc
                await filling.close()
        if lost is not None:
            raise lost

    async def _fetch_into(self, filling: "_Filling") -> None:
        copied = await self._owner.held.copy(self._entries.values(), filling)
        entries = {uid: entry for uid, entry in self._entries.items() if uid not in copied}
        sizes = {uid: entry.size or 0 for uid, entry in entries.items()}

        def sink_for(uid: Uid, size: int) -> Sink:
            return filling.sink(entries[uid], size)

        async with contextlib.aclosing(
            self._client.fetch_bodies(UidSet(entries), sizes, sink_for=sink_for)
        ) as bodies:
            async for body in bodies:
                entry = entries[body.uid]
                if body.octets is not None:
                    await filling.take(entry, body.octets)
                elif not await filling.take_sunk(entry):
                    refusal = body.refusal or "no octets in the answer"
                    await self._owner.record_refused(self._record, entry, refusal)

    def open_batch(self) -> Batch:
        return self._owner.open_batch(self._record)

    async def commit(self, staged: _Staged) -> None:
        await self._owner.commit(self._record, staged, self._adoptable, self._new_from)


class _Filling:
    """The batch being filled, the stages being written and the commits under way."""

    def __init__(self, tasks: asyncio.TaskGroup, batches: contextlib.AsyncExitStack, run: _Run) -> None:
        self._tasks = tasks
        self._batches = batches
        self._run = run
        self._pending = self._open()
        self._gathered: list[tuple[RemoteEntry, bytes]] = []
        self._gathered_bytes = 0
        self._sinks: dict[Uid, tuple[_Pending, TmpSink]] = {}
        self._stage_slots = asyncio.Semaphore(STAGES_IN_FLIGHT)
        self._commit_slots = asyncio.Semaphore(BATCHES_IN_FLIGHT)

    def sink(self, entry: RemoteEntry, size: int) -> Sink:
        """Where a large literal goes. It is a batch by itself: it arrives while others are filled and sent off."""
        pending = self._open()
        sink = pending.batch.sink(size, entry.internal_date)
        self._sinks[entry.uid] = (pending, sink)
        return sink

    async def take(self, entry: RemoteEntry, octets: bytes) -> None:
        self._gathered.append((entry, octets))
        self._gathered_bytes += len(octets)
        self._pending.messages += 1
        self._pending.octets += len(octets)
        if (
            self._gathered_bytes >= STAGE_BYTES
            or len(self._gathered) >= STAGE_MESSAGES
            or self._pending.is_full
        ):
            await self._stage()
        if self._pending.is_full:
            await self._commit(self._pending)
            self._pending = self._open()

    async def take_sunk(self, entry: RemoteEntry) -> bool:
        """Take the message that went through a sink; False where there was none, because the server refused."""
        pending, sink = self._sinks.pop(entry.uid, (None, None))
        if pending is None or sink is None:
            return False
        pending.ready.append((entry, sink.result))
        pending.messages = 1
        await self._commit(pending)
        return True

    async def close(self) -> None:
        """Send off what is left; the task group waits for it."""
        self._sinks.clear()
        await self._stage()
        await self._commit(self._pending)

    def _open(self) -> _Pending:
        """A fresh batch, closed at the latest when the download ends, however it ends."""
        batch = self._run.open_batch()
        self._batches.push_async_callback(batch.close)
        return _Pending(batch)

    async def _stage(self) -> None:
        """Hand octets to the disk without waiting for it, unless enough is under way already."""
        gathered, batch = self._gathered, self._pending.batch
        self._gathered, self._gathered_bytes = [], 0
        if not gathered:
            return
        await self._stage_slots.acquire()

        async def write() -> _Staged:
            try:
                files = await batch.write_many([(octets, entry.internal_date) for entry, octets in gathered])
                return [(entry, file) for (entry, _), file in zip(gathered, files, strict=True)]
            finally:
                gathered.clear()
                self._stage_slots.release()

        self._pending.stages.append(self._tasks.create_task(write(), name="download.stage"))

    async def _commit(self, pending: _Pending) -> None:
        if not pending.messages:
            return
        await self._commit_slots.acquire()

        async def commit() -> None:
            try:
                parts = await asyncio.gather(*pending.stages)
                staged = [*pending.ready, *(pair for part in parts for pair in part)]
                async with pending.batch:
                    # A cancelled wait would leave the pool publishing files whose intent recovery has closed as lost.
                    await to_its_end(self._run.commit(staged))
            finally:
                self._commit_slots.release()

        self._tasks.create_task(commit(), name="download.commit")


def new_message_event(
    account: AccountId,
    record: MailboxRecord,
    message_id: MessageId,
    flags: FlagSet,
    content: Content,
    *,
    origin: str,
) -> NewEvent:
    """`message.new`, with what a subscriber shows at a glance. `origin` is `server` or `local`."""
    return NewEvent(
        name=EventName.MESSAGE_NEW,
        account=account,
        mailbox=record.name,
        message_id=message_id,
        data={
            "subject": content.envelope.subject,
            "from": content.envelope.sender,
            "size": content.wire_size,
            "flags": sorted(flags),
            "origin": origin,
        },
    )


def total_size(entries: Iterable[RemoteEntry]) -> int:
    """Octets the server says these messages have."""
    return sum(entry.size or 0 for entry in entries)
