"""Messages come in: fetched in a pipeline, stored in durable batches.

The order of a batch: octets to tmp/, fsync beside the intents' transaction, rename, fsync of the directories, one
index transaction with the events, intents closed. A kill between any two leaves either nothing or a file that
recovery finds by its intent (design.md 2, sync.md 18). While one batch becomes durable the next is arriving.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
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
from daemon.store.maildir.tmpfile import StagedFile
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.actions import Download
from daemon.sync.adoption import Adoptable, Orphan
from daemon.sync.filling import Filling
from daemon.sync.held_copies import HeldCopies
from daemon.sync.tally import Tally
from daemon.sync.task_errors import one_error

RETRY_FIRST_SECONDS: Final = 15 * 60.0


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
                internal_date=file.internal_date or int(self._clock.now()),
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
            internal_date=file.internal_date or int(self._clock.now()),
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
                filling = Filling[RemoteEntry](
                    tasks,
                    batches,
                    open_batch=self._open_batch,
                    commit=self._commit,
                    date_of=attrgetter("internal_date"),
                )
                try:
                    await self._fetch_into(filling)
                except MailError as exc:
                    lost = exc
                await filling.close()
        if lost is not None:
            raise lost

    async def _fetch_into(self, filling: Filling[RemoteEntry]) -> None:
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

    def _open_batch(self) -> Batch:
        return self._owner.open_batch(self._record)

    async def _commit(self, staged: list[tuple[RemoteEntry, StagedFile]]) -> None:
        await self._owner.commit(self._record, staged, self._adoptable, self._new_from)


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
