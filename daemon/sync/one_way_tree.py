"""A tree whose mail came by a one-way street, brought into the index: what other programs and people did to the files.

Nothing here ever talks to a server. A directory that another program made is a mailbox of the account, one that is gone
takes its record along; a mailbox lost by an unmounted disk shows at the root, which is looked at first. Files missing in
a restored backup are not deleted: they come down again where the server still has them (decisions.md 2).
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import StoreError, StoreForeign
from daemon.model.events import EventName, NewEvent
from daemon.model.flags import LETTER_FLAGS, FlagSet, in_spelling_of
from daemon.model.ids import INBOX, AccountId, MailboxName, MaildirName, MessageId, new_message_id
from daemon.model.mailbox import MailboxRecord
from daemon.model.operations import OperationKind, Tombstone
from daemon.model.passes import PassResult
from daemon.model.views import BaseEntry, BaseView, LocalEntry
from daemon.store.base import Arrival, FlagUpdate
from daemon.store.maildir.flags import FlagChange
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.actions import file_of, message_of
from daemon.sync.downloads import new_message_event
from daemon.sync.file_facts import readable_facts
from daemon.sync.local_scan import Listing, LocalScan, absent_names, view_of
from daemon.sync.missing import prove_missing
from daemon.sync.one_way_plan import LocalMove, look_at_mailbox, without_moves
from daemon.sync.tally import Tally
from daemon.sync.wishes import Wishes

_INBOX_DIRECTORY: Final = "."
_WIRE_NAME: Final = b"INBOX"


class OneWayTree:
    """Follows the tree of one account."""

    def __init__(
        self,
        *,
        account: AccountId,
        store: Store,
        tree: MaildirTree,
        scan: LocalScan,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._account = account
        self._store = store
        self._tree = tree
        self._scan = scan
        self._clock = clock
        self._log = log

    async def records(self) -> Mapping[MailboxName, MailboxRecord]:
        """The account's mailboxes: INBOX, and every directory that lies beside it. Records follow the directories."""
        stored = {record.name: record for record in await self._store.mailboxes.list(self._account)}
        directories = await self._tree.list_directories()
        inbox = stored.get(INBOX)
        wanted = {INBOX: inbox.directory if inbox is not None else self._tree.directory_of(INBOX)}
        by_directory = {record.directory: record.name for record in stored.values()}
        for directory in directories:
            name = by_directory.get(directory) or self._tree.mailbox_of(directory)
            if name is not None:
                wanted.setdefault(name, directory)
        fresh: list[MailboxRecord] = []
        for name, directory in wanted.items():
            if name in stored:
                continue
            try:
                await self._tree.ensure(directory)
            except StoreForeign as exc:
                self._log.warning("mailbox.directory_foreign", mailbox=name, reason=exc.reason)
                continue
            fresh.append(self._record(name, directory))
        if fresh:
            events = [self._mailbox_event(EventName.MAILBOX_CREATED, record.name) for record in fresh]
            await self._store.mailboxes.save(*fresh, events=events if stored else ())
        for name in stored.keys() - wanted.keys():
            await self._forget_mailbox(name)
        return {
            record.name: record
            for record in await self._store.mailboxes.list(self._account)
            if record.name in wanted
        }

    async def follow(
        self,
        records: Mapping[MailboxName, MailboxRecord],
        wishes: Wishes,
        tally: Tally,
        *,
        unborn: Mapping[MailboxName, frozenset[MaildirName]],
        is_backup: bool,
    ) -> None:
        """Bring index and wishes in step with the files.

        Args:
            records: As `records` gave them.
            wishes: What people have asked for over the API.
            tally: Counts what was done.
            unborn: Names of open intents, which are no new messages.
            is_backup: The tree was restored from a backup: nothing is inferred as deleted.
        """
        work = await self._mailboxes_with_work(records, wishes, is_backup=is_backup)
        listings = await self._scan.list(work)
        bases = {record.name: await self._store.base.load(self._account, record.name) for record in work}
        absent = {name: absent_names(bases[name], listings[name]) for name in bases}
        proof = await prove_missing(self._tree, absent, records.values())
        facts = [
            look_at_mailbox(
                bases[name],
                view_of(
                    name,
                    listings[name],
                    missing=proof.gone.get(name, frozenset()),
                    operations=wishes.pending.values(),
                    ignored=unborn.get(name, frozenset()),
                ),
            )
            for name in bases
        ]
        moves, rest = without_moves(facts)
        await self._move(records, moves, tally)
        for fact in rest:
            record = records[fact.mailbox]
            await self._take_in(record, fact.arrived, tally)
            await self._note_flags(record, fact.flags, tally)
            if is_backup:
                await self._ask_again(record, fact.gone)
            else:
                await self._bury(record, fact.gone, wishes, tally, is_unlink_pending=False)
            await self._bury(record, fact.buried, wishes, tally, is_unlink_pending=True)
            await self._settle_flag_wishes(
                record,
                bases[fact.mailbox],
                listings[fact.mailbox],
                wishes=wishes,
                changed=fact.flags,
                tally=tally,
            )
            if fact.is_empty and not absent[fact.mailbox]:
                self._scan.settle(record, listings[fact.mailbox])
        await wishes.settle_orphans(self._account, records)

    async def _mailboxes_with_work(
        self, records: Mapping[MailboxName, MailboxRecord], wishes: Wishes, *, is_backup: bool
    ) -> list[MailboxRecord]:
        """All of them when one has changed: the other end of a move may be anywhere, and a look costs one listing."""
        if not is_backup and not wishes.pending and not await self._scan.unsettled(records.values()):
            return []
        return list(records.values())

    def _record(self, name: MailboxName, directory: str) -> MailboxRecord:
        return MailboxRecord(
            account=self._account,
            name=name,
            wire_name=_WIRE_NAME if name == INBOX else b"",
            delimiter="/",
            directory=directory,
            is_first_pass_done=name != INBOX,  # nothing is ever filled in from elsewhere
        )

    def _mailbox_event(self, event: EventName, mailbox: MailboxName) -> NewEvent:
        return NewEvent(name=event, account=self._account, mailbox=mailbox)

    async def _forget_mailbox(self, name: MailboxName) -> None:
        """Its directory is gone, and with it the files: nothing else was there."""
        base = await self._store.base.load(self._account, name)
        events = [
            self._message_event(EventName.MESSAGE_DELETED, name, entry.message_id)
            for entry in base.entries
            if entry.message_id is not None
        ]
        events.append(self._mailbox_event(EventName.MAILBOX_REMOVED, name))
        await self._store.mailboxes.remove(self._account, name, events)
        self._log.info("mailbox.removed", mailbox=name, messages=len(base.entries))

    async def _take_in(self, record: MailboxRecord, entries: Sequence[LocalEntry], tally: Tally) -> None:
        """Rows for files that are new here. A file that had a row before the index was lost keeps its id, unannounced;
        one that cannot be read waits until it can.
        """
        found = await readable_facts(self._tree, record.directory, entries, tally=tally, log=self._log)
        if not found:
            return
        known = await self._store.intents.names(self._account, record.name)
        ids = {one.entry.maildir_name: known.get(one.entry.maildir_name) or new_message_id() for one in found}
        await self._store.intents.remember(
            self._account, record.name, {name: ids[name] for name in ids if name not in known}
        )
        arrivals = [
            Arrival(
                message_id=ids[one.entry.maildir_name],
                uid=None,
                maildir_name=one.entry.maildir_name,
                flags=one.entry.flags,
                content=one.content,
                internal_date=one.mtime,
            )
            for one in found
        ]
        events = [
            new_message_event(
                self._account, record, arrival.message_id, arrival.flags, arrival.content, origin="local"
            )
            for arrival in arrivals
            if arrival.maildir_name not in known and record.is_first_pass_done
        ]
        await self._store.base.confirm(self._account, record.name, None, arrivals, events)

    async def _move(
        self,
        records: Mapping[MailboxName, MailboxRecord],
        moves: Sequence[LocalMove],
        tally: Tally,
    ) -> None:
        for move in moves:
            record = records[move.target]
            message = await self._store.messages.get(message_of(move.base))
            facts = await readable_facts(
                self._tree, record.directory, [move.entry], tally=tally, log=self._log
            )
            if not facts:
                continue  # on its way elsewhere already, or not to be read now
            message_id = message.id
            arrival = Arrival(
                message_id=message_id,
                uid=None,
                maildir_name=move.entry.maildir_name,
                flags=move.entry.flags,
                content=facts[0].content,
                internal_date=message.internal_date,
            )
            await self._store.intents.remember(
                self._account, record.name, {move.entry.maildir_name: message_id}
            )
            event = NewEvent(
                name=EventName.MESSAGE_MOVED,
                account=self._account,
                mailbox=record.name,
                message_id=message_id,
                data={"from": move.source, "to": move.target},
            )
            await self._store.base.confirm(self._account, record.name, None, [arrival], [event])
            tally.add(PassResult(moved=1))

    async def _note_flags(
        self, record: MailboxRecord, flags: Sequence[tuple[BaseEntry, FlagSet]], tally: Tally
    ) -> None:
        if not flags:
            return
        updates = [
            FlagUpdate(message_id=message_of(entry), flags=said, base_flags=said) for entry, said in flags
        ]
        events = [
            NewEvent(
                name=EventName.MESSAGE_FLAGS,
                account=self._account,
                mailbox=record.name,
                message_id=message_of(entry),
                data={"flags": sorted(said)},
            )
            for entry, said in flags
        ]
        await self._store.base.record_flags(self._account, record.name, updates, events)
        tally.add(PassResult(flags_changed=len(updates)))

    async def _settle_flag_wishes(
        self,
        record: MailboxRecord,
        base: BaseView,
        listing: Listing,
        *,
        wishes: Wishes,
        changed: Sequence[tuple[BaseEntry, FlagSet]],
        tally: Tally,
    ) -> None:
        """A wish was put on the file when it was asked for; here it is seen to be so.

        A keyword that finds no letter is known to the index alone (sync.md 27).
        """
        now = {message_of(entry): said for entry, said in changed}
        for entry in base.entries:
            operation = wishes.pending.get(entry.message_id) if entry.message_id is not None else None
            here = listing.entries.get(entry.maildir_name) if entry.maildir_name is not None else None
            if operation is None or operation.kind is not OperationKind.FLAGS or here is None:
                continue
            flags = now.get(message_of(entry), entry.flags)
            add, remove = (in_spelling_of(wish, flags) for wish in (operation.add, operation.remove))
            wanted = (flags | add) - remove
            if wanted != flags:
                change = FlagChange(
                    maildir_name=here.maildir_name, add=add, remove=remove, expected_path=here.path
                )
                (result,) = await self._tree.set_many_flags(record.directory, [change])
                if isinstance(result, StoreError):
                    continue  # moved or removed at this moment: the next look finds it
                unshown = in_spelling_of(wanted, result.flags) - LETTER_FLAGS
                await self._note_flags(record, [(entry, result.flags | unshown)], tally)
            await wishes.applied(operation.message_id)

    async def _ask_again(self, record: MailboxRecord, entries: Sequence[BaseEntry]) -> None:
        """Rows dropped, sightings forgotten: what the server still has comes down again."""
        ids = [message_of(entry) for entry in entries]
        await self._store.maildrop.forget(self._account, ids)
        await self._store.base.remove(
            self._account,
            record.name,
            message_ids=ids,
            events=[self._message_event(EventName.MESSAGE_DELETED, record.name, one) for one in ids],
        )

    async def _bury(
        self,
        record: MailboxRecord,
        entries: Sequence[BaseEntry],
        wishes: Wishes,
        tally: Tally,
        *,
        is_unlink_pending: bool,
    ) -> None:
        """Tombstone and event, unlink, mark cleared: what was deleted here does not come back (sync.md 17, 25)."""
        if not entries:
            return
        messages = await asyncio.gather(*(self._store.messages.get(message_of(entry)) for entry in entries))
        await self._store.tombstones.bury(
            [
                Tombstone(
                    account=self._account,
                    mailbox=record.name,
                    maildir_name=file_of(entry),
                    message_id=message.id,
                    file_sha256=message.content.file_sha256,
                    uid_validity=None,
                    uid=None,
                    is_unlink_pending=is_unlink_pending,
                    at=self._clock.now(),
                )
                for entry, message in zip(entries, messages, strict=True)
            ],
            [self._message_event(EventName.MESSAGE_DELETED, record.name, message.id) for message in messages],
        )
        if is_unlink_pending:
            names = [file_of(entry) for entry in entries]
            await self._tree.remove(record.directory, names)
            await self._store.tombstones.unlinked(self._account, [(record.name, name) for name in names])
        tally.add(PassResult(removed_here=len(entries)))
        await wishes.removed([entry.message_id for entry in entries])

    def _message_event(
        self, event: EventName, mailbox: MailboxName, message_id: MessageId | None
    ) -> NewEvent:
        return NewEvent(name=event, account=self._account, mailbox=mailbox, message_id=message_id)
