"""Messages go out: local files to APPEND, local moves to UID MOVE, both behind an intent.

The intent holds the target's UIDNEXT from before the act, so that after a crash or a lost line the message can be
looked for among what came since, instead of being sent again on a guess (sync.md 19). The octets are never changed;
a file with bare LF goes up with CRLF.
"""

import functools
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.envelope import Content
from daemon.model.errors import MailError, ServerRefused
from daemon.model.events import EventName, NewEvent
from daemon.model.flags import SYSTEM_FLAGS, FlagSet, is_valid_flag
from daemon.model.ids import AccountId, MailboxName, MaildirName, MessageId, Uid, UidValidity, new_message_id
from daemon.model.mailbox import MailboxRecord
from daemon.model.operations import Intent, IntentKind
from daemon.model.passes import PassResult
from daemon.model.uidset import UidSet
from daemon.model.views import LocalEntry
from daemon.net.imap.client import AppendItem, AppendOutcome, ImapClient
from daemon.store.base import Arrival
from daemon.store.intents import NewIntent
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.actions import MoveRemote, Upload, message_of, uid_of
from daemon.sync.downloads import new_message_event
from daemon.sync.file_facts import FileFacts, file_facts
from daemon.sync.tally import Tally

UPLOADS_IN_FLIGHT: Final = 64  # messages behind one intents transaction
UPLOAD_BYTES_IN_FLIGHT: Final = 4 * 1024 * 1024
REFUSAL_RETRY_SECONDS: Final = 15 * 60.0


class Refusals:
    """Files the server would not take, and when to ask again; kept in memory, so that a restart asks at once."""

    def __init__(self) -> None:
        self._until: dict[tuple[MailboxName, MaildirName], float] = {}

    def note(self, mailbox: MailboxName, name: MaildirName, until: float) -> None:
        self._until[mailbox, name] = until

    def is_waiting(self, mailbox: MailboxName, name: MaildirName, now: float) -> bool:
        return self._until.get((mailbox, name), 0.0) > now


class Uploads:
    """Carries out the uploads and moves of one pass."""

    def __init__(
        self,
        *,
        account: AccountId,
        store: Store,
        tree: MaildirTree,
        clock: Clock,
        log: FilteringBoundLogger,
        tally: Tally,
        refusals: Refusals,
        resend: Mapping[tuple[MailboxName, MaildirName], int],
    ) -> None:
        self._account = account
        self._store = store
        self._tree = tree
        self._clock = clock
        self._log = log
        self._tally = tally
        self._refusals = refusals
        self._resend = resend

    async def upload(
        self, client: ImapClient, records: Mapping[MailboxName, MailboxRecord], uploads: Sequence[Upload]
    ) -> None:
        """Append every file that the server is not known to have refused a moment ago."""
        by_mailbox: dict[MailboxName, list[LocalEntry]] = defaultdict(list)
        now = self._clock.now()
        for upload in uploads:
            if not self._refusals.is_waiting(upload.mailbox, upload.entry.maildir_name, now):
                by_mailbox[upload.mailbox].append(upload.entry)
        for mailbox, entries in by_mailbox.items():
            for group in _groups(entries):
                await self._upload_group(client, records[mailbox], group)

    async def move(
        self,
        client: ImapClient,
        records: Mapping[MailboxName, MailboxRecord],
        moves: Sequence[MoveRemote],
        sizes_and_digests: Mapping[MessageId, Content],
    ) -> None:
        """Do on the server what was done in the tree; a file that is not provably the same message is left alone.

        The next pass finds such a file as a new message and the old one as missing.
        """
        routes: dict[tuple[MailboxName, MailboxName], list[tuple[MoveRemote, FileFacts]]] = defaultdict(list)
        for move in moves:
            facts = await file_facts(self._tree, records[move.target].directory, [move.entry])
            if not facts:
                continue
            content = facts[0].content
            base = sizes_and_digests.get(message_of(move.base))
            if (
                base is not None
                and content.file_sha256 == base.file_sha256
                and content.file_size == base.file_size
            ):
                routes[move.source, move.target].append((move, facts[0]))
            else:
                await self.upload(client, records, [Upload(mailbox=move.target, entry=move.entry)])
        for (source, target), proved in routes.items():
            await self._move_group(client, records[source], records[target], proved)

    async def _upload_group(
        self, client: ImapClient, record: MailboxRecord, entries: Sequence[LocalEntry]
    ) -> None:
        files = await file_facts(self._tree, record.directory, entries)
        if not files:
            return
        self._tally.expect(messages=len(files), octets=sum(file.content.wire_size for file in files))
        status = await client.status(record.wire_name)
        validity = _same_validity(record, status.uid_validity)
        intents = await self._store.intents.open(
            [
                self._intent(
                    record,
                    validity,
                    status.uid_next,
                    file,
                    message_id=new_message_id(),
                    flags=file.entry.flags,
                )
                for file in files
            ]
        )
        for intent in intents:
            for _ in range(self._resend.get((record.name, intent.maildir_name), 0)):
                await self._store.intents.count_attempt([intent.id])
        sent = set[int]()
        items = [
            AppendItem(
                flags=_sendable(file.entry.flags),
                internal_date=file.mtime,
                size=file.content.wire_size,
                open_chunks=functools.partial(self._chunks, record, file.entry, intent.id, sent),
            )
            for intent, file in zip(intents, files, strict=True)
        ]
        try:
            outcomes = await client.append_many(record.wire_name, items)
        except MailError:
            # Those that went out whole may be there already: a trace of them is looked for before anything else.
            await self._store.intents.count_attempt(sorted(sent))
            raise
        await self._take_outcomes(record, validity, intents, files, outcomes)

    async def _take_outcomes(
        self,
        record: MailboxRecord,
        validity: UidValidity,
        intents: Sequence[Intent],
        files: Sequence[FileFacts],
        outcomes: Sequence[AppendOutcome],
    ) -> None:
        arrivals: list[Arrival] = []
        accepted: list[int] = []
        refused: list[int] = []
        unnamed: list[int] = []
        for intent, file, outcome in zip(intents, files, outcomes, strict=True):
            if outcome.refusal is not None:
                refused.append(intent.id)
                self._note_refusal(record, intent.maildir_name, outcome.refusal)
            elif outcome.uid is not None and outcome.uid_validity == validity:
                accepted.append(intent.id)
                arrivals.append(arrival_of(intent, outcome.uid, file.content, intent.flags))
            else:
                unnamed.append(intent.id)  # no APPENDUID: found by its intent at the start of the next pass
        await self.confirm(record, validity, arrivals)
        await self._store.intents.close(accepted)
        await self._store.intents.close(refused, remember=False)
        await self._store.intents.count_attempt(unnamed)
        self._tally.add(PassResult(uploaded=len(unnamed)))

    async def _chunks(
        self, record: MailboxRecord, entry: LocalEntry, intent_id: int, sent: set[int]
    ) -> AsyncIterator[bytes]:
        """The message in wire form; notes the intent once all of it was taken for sending."""
        async for chunk in self._tree.wire_chunks(record.directory, entry.maildir_name, entry.path):
            yield chunk
        sent.add(intent_id)

    async def confirm(
        self, record: MailboxRecord, validity: UidValidity, arrivals: Sequence[Arrival]
    ) -> None:
        """Write down that the server has these files now."""
        if not arrivals:
            return
        events = [
            new_message_event(
                self._account, record, arrival.message_id, arrival.flags, arrival.content, origin="local"
            )
            for arrival in arrivals
            if record.is_first_pass_done
        ]
        await self._store.base.confirm(self._account, record.name, validity, arrivals, events)
        self._tally.add(PassResult(uploaded=len(arrivals)))
        self._tally.transferred(
            messages=len(arrivals), octets=sum(arrival.content.wire_size for arrival in arrivals)
        )

    async def _move_group(
        self,
        client: ImapClient,
        source: MailboxRecord,
        target: MailboxRecord,
        proved: Sequence[tuple[MoveRemote, FileFacts]],
    ) -> None:
        status = await client.status(target.wire_name)
        validity = _same_validity(target, status.uid_validity)
        intents = await self._store.intents.open(
            [
                self._intent(
                    target,
                    validity,
                    status.uid_next,
                    file,
                    message_id=message_of(move.base),
                    flags=move.base.flags,
                )
                for move, file in proved
            ]
        )
        await select_for_change(client, source)
        result = await client.move(UidSet(uid_of(move.base) for move, _ in proved), target.wire_name)
        confirmed: list[int] = []
        for intent, (move, file) in zip(intents, proved, strict=True):
            uid = result.pairs.get(uid_of(move.base))
            if uid is None or result.uid_validity != validity:
                continue
            arrival = arrival_of(intent, uid, file.content, move.entry.flags, base_flags=move.base.flags)
            event = NewEvent(
                name=EventName.MESSAGE_MOVED,
                account=self._account,
                mailbox=target.name,
                message_id=intent.message_id,
                data={"from": source.name, "to": target.name},
            )
            await self._store.base.remove(self._account, source.name, uids=[uid_of(move.base)])
            await self._store.base.confirm(self._account, target.name, validity, [arrival], [event])
            confirmed.append(intent.id)
        await self._store.intents.close(confirmed)
        self._tally.add(PassResult(moved=len(confirmed)))

    def _intent(
        self,
        record: MailboxRecord,
        validity: UidValidity,
        uid_next: Uid | None,
        file: FileFacts,
        *,
        message_id: MessageId,
        flags: FlagSet,
    ) -> NewIntent:
        return NewIntent(
            kind=IntentKind.UPLOAD,
            account=self._account,
            mailbox=record.name,
            uid_validity=validity,
            uid=None,
            uid_next=uid_next,
            maildir_name=file.entry.maildir_name,
            message_id=message_id,
            flags=flags,
            file_size=file.content.file_size,
            file_sha256=file.content.file_sha256,
            wire_size=file.content.wire_size,
            wire_sha256=file.content.wire_sha256,
            internal_date=file.mtime,
        )

    def _note_refusal(self, record: MailboxRecord, name: MaildirName, refusal: MailError) -> None:
        self._refusals.note(record.name, name, self._clock.now() + REFUSAL_RETRY_SECONDS)
        self._tally.add(PassResult(failed=1))
        self._log.warning(
            "upload.refused", mailbox=record.name, reason=refusal.reason, server_said=str(refusal)
        )


def arrival_of(
    intent: Intent, uid: Uid, content: Content, flags: FlagSet, base_flags: FlagSet | None = None
) -> Arrival:
    """The row of a file that the server has now under `uid`; base has what was sent with it."""
    return Arrival(
        message_id=intent.message_id,
        uid=uid,
        maildir_name=intent.maildir_name,
        flags=flags,
        base_flags=_sendable(intent.flags) if base_flags is None else base_flags,
        content=content,
        internal_date=intent.internal_date,
        mod_seq=None,
    )


async def select_for_change(client: ImapClient, record: MailboxRecord, *, for_reading: bool = False) -> None:
    """Have this mailbox selected, under the UIDVALIDITY that its UIDs belong to; for changes unless told otherwise."""
    selection = client.selection
    if selection is None or selection.wire_name != record.wire_name:
        selection = await client.select(record.wire_name)
    _same_validity(record, selection.uid_validity)
    if selection.is_read_only and not for_reading:
        raise ServerRefused(f"{record.name} can only be read on the server", status="NO", reason="read_only")


def _same_validity(record: MailboxRecord, validity: UidValidity | None) -> UidValidity:
    if validity is None or (record.uid_validity is not None and validity != record.uid_validity):
        raise ServerRefused(
            f"UIDVALIDITY of {record.name} changed during the pass", status="OK", reason="uidvalidity_changed"
        )
    return validity


def _sendable(flags: FlagSet) -> FlagSet:
    """Flags that may stand in APPEND; a keyword that is no atom stays local."""
    return frozenset(flag for flag in flags if flag in SYSTEM_FLAGS or is_valid_flag(flag))


def _groups(entries: Sequence[LocalEntry]) -> Sequence[Sequence[LocalEntry]]:
    return [entries[at : at + UPLOADS_IN_FLIGHT] for at in range(0, len(entries), UPLOADS_IN_FLIGHT)]
