"""Local recovery after a crash or a failed pass: what was about to happen in the tree, and did it? No network.

Unlinks on their way are finished, downloads and moves whose file is in place are confirmed, others are forgotten and
fetched, or found to be moved, again (sync.md 17, 18). A mailbox whose directory is lost keeps what is open: its names are nobody's new messages.
Uploads are resolved by `sync.open_uploads`, which asks the server.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from daemon.model.errors import StoreForeign
from daemon.model.events import NewEvent
from daemon.model.ids import AccountId, MailboxName, MaildirName, UidValidity
from daemon.model.mailbox import MailboxRecord
from daemon.model.operations import NO_VALIDITY, Intent, IntentKind, Tombstone
from daemon.store.base import Arrival
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.downloads import new_message_event
from daemon.sync.file_facts import file_facts
from daemon.sync.following import followed_events


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRecovery:
    """Finishes what a run has left in the tree of one account."""

    account: AccountId
    store: Store
    tree: MaildirTree
    log: FilteringBoundLogger

    async def run(
        self, records: Mapping[MailboxName, MailboxRecord]
    ) -> Mapping[MailboxName, frozenset[MaildirName]]:
        """Finish what can be finished; gives the names that stay open and are no new messages.

        Costs two look-ups where nothing is open, so that every pass can begin with it.
        """
        tombstones, intents = await self._open()
        if not tombstones and not intents:
            return {}
        await self._finish_unlinks(records, tombstones)
        await self._finish_arrivals(records, intents)
        names: dict[MailboxName, set[MaildirName]] = defaultdict(set)
        tombstones, intents = await self._open()
        for tombstone in tombstones:
            names[tombstone.mailbox].add(tombstone.maildir_name)
        for intent in intents:
            names[intent.mailbox].add(intent.maildir_name)
        return {mailbox: frozenset(found) for mailbox, found in names.items()}

    async def _open(self) -> tuple[Sequence[Tombstone], Sequence[Intent]]:
        """Unlinks, downloads and moves that may or may not have happened."""
        intents = await self.store.intents.pending(self.account)
        return (
            await self.store.tombstones.pending_unlinks(self.account),
            [intent for intent in intents if intent.kind is not IntentKind.UPLOAD],
        )

    async def _finish_unlinks(
        self, records: Mapping[MailboxName, MailboxRecord], tombstones: Sequence[Tombstone]
    ) -> None:
        """Unlink what a tombstone says is on its way out. Where the mailbox is not known yet, as after the loss of the
        index, it waits for its record.
        """
        waiting: dict[MailboxName, list[MaildirName]] = defaultdict(list)
        for tombstone in tombstones:
            waiting[tombstone.mailbox].append(tombstone.maildir_name)
        for mailbox, names in waiting.items():
            record = records.get(mailbox)
            if record is None:
                continue
            try:
                await self.tree.remove(record.directory, names)
            except StoreForeign as exc:
                self.log.warning("unlinks.waiting", mailbox=mailbox, reason=exc.reason)
                continue
            await self.store.tombstones.unlinked(self.account, [(mailbox, name) for name in names])

    async def _finish_arrivals(
        self, records: Mapping[MailboxName, MailboxRecord], intents: Sequence[Intent]
    ) -> None:
        waiting: dict[tuple[MailboxName, UidValidity], list[Intent]] = defaultdict(list)
        for intent in intents:
            waiting[intent.mailbox, intent.uid_validity].append(intent)
        for (mailbox, validity), opened in waiting.items():
            record = records.get(mailbox)
            if record is None:  # the index was lost with it: the match finds the files
                await self.store.intents.close([intent.id for intent in opened], remember=False)
                continue
            try:
                await self._finish_mailbox(records, record, validity, opened)
            except StoreForeign as exc:
                self.log.warning("arrivals.waiting", mailbox=mailbox, reason=exc.reason)

    async def _finish_mailbox(
        self,
        records: Mapping[MailboxName, MailboxRecord],
        record: MailboxRecord,
        validity: UidValidity,
        intents: Sequence[Intent],
    ) -> None:
        arrivals = {
            intent.id: arrival
            for intent in intents
            if (arrival := await self._arrival_in_place(records, record, intent))
        }
        await self.store.base.confirm(
            self.account,
            record.name,
            validity,
            list(arrivals.values()),
            [
                *self._announcements(
                    record,
                    validity,
                    [
                        arrivals[intent.id]
                        for intent in intents
                        if intent.id in arrivals and intent.kind is IntentKind.DOWNLOAD
                    ],
                ),
                *await self._moves_told([intent for intent in intents if intent.id in arrivals], arrivals),
            ],
        )
        await self.store.intents.close(list(arrivals))
        lost = [intent.id for intent in intents if intent.id not in arrivals]
        await self.store.intents.close(lost, remember=False)
        self.log.info("arrivals.recovered", mailbox=record.name, found=len(arrivals), fetched_again=len(lost))

    async def _arrival_in_place(
        self, records: Mapping[MailboxName, MailboxRecord], record: MailboxRecord, intent: Intent
    ) -> Arrival | None:
        """The row of a file that was published before the crash, its octets proved; None where there is no such file.

        A person may have moved it meanwhile: it is confirmed where it was meant to be, and the pass sees the move. A
        file that was to follow a move and lies elsewhere has not followed: its row is still that of the old place.
        """
        found = await self.tree.find(intent.maildir_name, [record.directory])
        for other in records.values():
            if found is not None or intent.kind is IntentKind.MOVE:
                break
            if other.name != record.name:
                try:
                    found = await self.tree.find(intent.maildir_name, [other.directory])
                except StoreForeign:
                    continue
        if found is None:
            return None
        directory, entry = found
        facts = await file_facts(self.tree, directory, [entry])
        if not facts or facts[0].content.file_sha256 != intent.file_sha256:
            return None
        return Arrival(
            message_id=intent.message_id,
            uid=intent.uid,
            maildir_name=intent.maildir_name,
            flags=entry.flags,
            base_flags=intent.flags,
            content=facts[0].content,
            internal_date=intent.internal_date,
        )

    async def _moves_told(self, intents: Sequence[Intent], arrivals: Mapping[int, Arrival]) -> list[NewEvent]:
        """What the pass that was stopped would have said of the moves."""
        moves = [intent for intent in intents if intent.kind is IntentKind.MOVE]
        before = await self.store.messages.get_many([intent.message_id for intent in moves]) if moves else {}
        return [
            event
            for intent in moves
            if intent.message_id in before
            for event in followed_events(intent, before[intent.message_id], arrivals[intent.id].flags)
        ]

    def _announcements(
        self, record: MailboxRecord, validity: UidValidity, arrivals: Sequence[Arrival]
    ) -> list[NewEvent]:
        """`message.new` for mail above the mark: that it was stored by a run that died makes it no less new."""
        mark = record.uid_next
        if not record.is_first_pass_done:
            return []
        if validity != NO_VALIDITY and (mark is None or validity != record.uid_validity):
            return []
        return [
            new_message_event(
                self.account, record, arrival.message_id, arrival.flags, arrival.content, origin="server"
            )
            for arrival in arrivals
            if validity == NO_VALIDITY
            or (arrival.uid is not None and mark is not None and arrival.uid >= mark)
        ]
