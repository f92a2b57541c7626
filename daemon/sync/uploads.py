"""Messages go out: local files to APPEND, behind an intent.

The intent holds the target's UIDNEXT from before the act, so that after a crash or a lost line the message can be
looked for among what came since, instead of being sent again on a guess (sync.md 19). The octets are never changed;
a file with bare LF goes up with CRLF.
"""

import functools
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.envelope import Content
from daemon.model.errors import Blast, MailError, MessageUnavailable, ServerRefused
from daemon.model.flags import FlagSet
from daemon.model.ids import AccountId, MailboxName, MaildirName, MessageId, Uid, UidValidity, new_message_id
from daemon.model.mailbox import MailboxRecord
from daemon.model.operations import Intent, IntentKind
from daemon.model.passes import PassResult
from daemon.model.views import LocalEntry, RemoteView
from daemon.net.imap.client import AppendItem, AppendOutcome, ImapClient
from daemon.store.base import Arrival
from daemon.store.intents import NewIntent
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.downloads import new_message_event
from daemon.sync.file_facts import FileFacts, readable_facts
from daemon.sync.plan import storable
from daemon.sync.refusals import Asked, Refusals
from daemon.sync.selecting import same_validity
from daemon.sync.tally import Tally
from daemon.sync.unrest import Unrest

_OVER_QUOTA: Final = "OVERQUOTA"
UPLOADS_IN_FLIGHT: Final = 64  # messages behind one intents transaction


class Uploads:
    """Carries out the uploads of one pass."""

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
        unrest: Unrest,
        remote: Mapping[MailboxName, RemoteView],
        resend: Mapping[tuple[MailboxName, MaildirName], int],
    ) -> None:
        """`remote` says which flags each mailbox keeps; `resend` how often a file went out whole without a trace."""
        self._account = account
        self._store = store
        self._tree = tree
        self._clock = clock
        self._log = log
        self._tally = tally
        self._refusals = refusals
        self._unrest = unrest
        self._remote = remote
        self._resend = resend
        self._confirmed = set[tuple[MailboxName, MaildirName]]()

    async def upload(self, client: ImapClient, record: MailboxRecord, entries: Sequence[LocalEntry]) -> None:
        """Append every file of this mailbox that is at rest, and not known to have been refused a moment ago."""
        now = self._clock.now()
        wanted = [
            entry
            for entry in entries
            if not self._refusals.is_waiting(Asked.UPLOAD, record.name, entry.maildir_name, now)
        ]
        wanted = await self._rested(record, wanted)
        for start in range(0, len(wanted), UPLOADS_IN_FLIGHT):
            await self._upload_group(client, record, wanted[start : start + UPLOADS_IN_FLIGHT])

    def is_confirmed(self, mailbox: MailboxName, name: MaildirName) -> bool:
        """Whether the server is known to have this file since this pass."""
        return (mailbox, name) in self._confirmed

    async def _upload_group(
        self, client: ImapClient, record: MailboxRecord, entries: Sequence[LocalEntry]
    ) -> None:
        files = await readable_facts(self._tree, record.directory, entries, tally=self._tally, log=self._log)
        files = await self._unchanged(record, files)
        if not files:
            return
        self._tally.expect(messages=len(files), octets=sum(file.content.wire_size for file in files))
        status = await client.status(record.wire_name)
        validity = same_validity(record, status.uid_validity)
        intents = await self._store.intents.open(
            [
                upload_intent(
                    record,
                    validity,
                    status.uid_next,
                    file,
                    message_id=new_message_id(),
                    flags=self._sendable(record, file.entry.flags),
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
                flags=intent.flags,
                internal_date=file.mtime,
                size=file.content.wire_size,
                open_chunks=functools.partial(self._chunks, record, file, intent.id, sent),
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
        if any(outcome.refusal is not None and outcome.refusal.code == _OVER_QUOTA for outcome in outcomes):
            await self._tell_quota(client, record)

    async def _rested(self, record: MailboxRecord, entries: list[LocalEntry]) -> list[LocalEntry]:
        """Without the files that were being written to and have not been left alone for long enough since."""
        watched = [one for one in entries if self._unrest.is_watched(record.name, one.maildir_name)]
        if not watched:
            return entries
        status = await self._tree.status_of(record.directory, watched)
        for entry in watched:
            if entry.maildir_name not in status:
                self._unrest.forget(record.name, entry.maildir_name)
        now = self._clock.now()
        restless = {
            name
            for name, one in status.items()
            if not self._unrest.has_rested(record.name, name, one.size, now)
        }
        return [entry for entry in entries if entry.maildir_name not in restless]

    async def _unchanged(self, record: MailboxRecord, files: Sequence[FileFacts]) -> list[FileFacts]:
        """The files that are what they were when their octets were read: a second look, before anything is sent."""
        status = await self._tree.status_of(record.directory, [file.entry for file in files])
        left: list[FileFacts] = []
        for file in files:
            now = status.get(file.entry.maildir_name)
            if now is not None and (now.size, now.mtime) == (file.content.file_size, file.mtime):
                left.append(file)
            elif now is not None:
                self._note_change(record, file, now.size)
        return left

    def _note_change(self, record: MailboxRecord, file: FileFacts, size: int) -> None:
        name = file.entry.maildir_name
        if self._unrest.note(record.name, name, size, self._clock.now()):
            self._log.warning("file.changing", mailbox=record.name, path=file.entry.path, size=size)

    async def _take_outcomes(
        self,
        record: MailboxRecord,
        validity: UidValidity,
        intents: Sequence[Intent],
        files: Sequence[FileFacts],
        outcomes: Sequence[AppendOutcome],
    ) -> None:
        arrivals: list[Arrival] = []
        accepted: dict[MessageId, int] = {}
        refused: list[int] = []
        unnamed: list[int] = []
        plea: ServerRefused | None = None
        for intent, file, outcome in zip(intents, files, outcomes, strict=True):
            self._unrest.forget(record.name, intent.maildir_name)
            if outcome.refusal is not None:
                refused.append(intent.id)
                if outcome.refusal.blast is Blast.ACCOUNT:
                    plea = outcome.refusal
                else:
                    self._note_refusal(record, intent.maildir_name, outcome.refusal)
            elif outcome.uid is not None and is_credible(outcome.uid, outcome.uid_validity, intent):
                accepted[intent.message_id] = intent.id
                arrivals.append(arrival_of(intent, outcome.uid, file.content, file.entry.flags))
            else:
                unnamed.append(intent.id)  # no APPENDUID: found by its intent at the start of the next pass
        doubtful = await self._confirm(record, validity, arrivals)  # the UID is another message's
        unnamed.extend(accepted.pop(message_id) for message_id in doubtful)
        await self._store.intents.close(list(accepted.values()))
        await self._store.intents.close(refused, remember=False)
        await self._store.intents.count_attempt(unnamed)
        self._tally.add(PassResult(uploaded=len(unnamed)))
        if plea is not None:
            raise plea

    async def _chunks(
        self, record: MailboxRecord, file: FileFacts, intent_id: int, sent: set[int]
    ) -> AsyncIterator[bytes]:
        """The message in wire form; notes the intent once all of it was taken for sending.

        Raises:
            MessageUnavailable: The file is being written to; it costs the line, since half a literal is out.
        """
        left = file.content.wire_size
        entry = file.entry
        async for chunk in self._tree.wire_chunks(record.directory, entry.maildir_name, entry.path):
            left -= len(chunk)
            if left < 0:
                break
            yield chunk
        if left:
            self._note_change(record, file, file.content.file_size)
            raise MessageUnavailable(
                f"{entry.maildir_name} in {record.name} changed while it was being sent",
                reason="file_changed",
            )
        sent.add(intent_id)

    async def _confirm(
        self, record: MailboxRecord, validity: UidValidity, arrivals: Sequence[Arrival]
    ) -> frozenset[MessageId]:
        """Write down that the server has these files now; those whose UID belongs to another message are returned."""
        if not arrivals:
            return frozenset()
        events = [
            new_message_event(
                self._account, record, arrival.message_id, arrival.flags, arrival.content, origin="local"
            )
            for arrival in arrivals
            if record.is_first_pass_done
        ]
        refused = await self._store.base.confirm(self._account, record.name, validity, arrivals, events)
        taken = [arrival for arrival in arrivals if arrival.message_id not in refused]
        self._confirmed.update((record.name, arrival.maildir_name) for arrival in taken)
        self._tally.add(PassResult(uploaded=len(taken)))
        self._tally.transferred(
            messages=len(taken), octets=sum(arrival.content.wire_size for arrival in taken)
        )
        return refused

    def _sendable(self, record: MailboxRecord, flags: FlagSet) -> FlagSet:
        """Flags that the mailbox will keep; the others stay local and are no part of what both sides agree on."""
        remote = self._remote.get(record.name)
        return flags if remote is None else storable(flags, remote)

    def _note_refusal(self, record: MailboxRecord, name: MaildirName, refusal: ServerRefused) -> None:
        self._refusals.note(Asked.UPLOAD, record.name, name, self._clock.now(), code=refusal.code)
        self._tally.add(PassResult(failed=1))
        self._log.warning(
            "upload.refused",
            mailbox=record.name,
            file=name,
            reason=refusal.reason,
            code=refusal.code,
            server_said=str(refusal),
        )

    async def _tell_quota(self, client: ImapClient, record: MailboxRecord) -> None:
        """Say how full the server is: the refusal alone says that it is, and not of what."""
        try:
            quotas = await client.quota(record.wire_name)
        except ServerRefused:
            return
        for quota in quotas:
            self._log.warning(
                "quota.reported",
                mailbox=record.name,
                resource=quota.resource,
                used=quota.used,
                limit=quota.limit,
            )


def upload_intent(
    record: MailboxRecord,
    validity: UidValidity,
    uid_next: Uid | None,
    file: FileFacts,
    *,
    message_id: MessageId,
    flags: FlagSet,
) -> NewIntent:
    """A file is about to be in this mailbox on the server; `flags` are what both sides will then agree on."""
    return NewIntent(
        kind=IntentKind.UPLOAD,
        account=record.account,
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


def arrival_of(intent: Intent, uid: Uid, content: Content, flags: FlagSet) -> Arrival:
    """The row of a file that the server has now under `uid`; `flags` are the file's."""
    return Arrival(
        message_id=intent.message_id,
        uid=uid,
        maildir_name=intent.maildir_name,
        flags=flags,
        base_flags=intent.flags,
        content=content,
        internal_date=intent.internal_date,
        mod_seq=None,
    )


def is_credible(uid: Uid, validity: UidValidity | None, intent: Intent) -> bool:
    """Whether an APPENDUID or COPYUID can be true: a new message's UID is not below the UIDNEXT from before."""
    return validity == intent.uid_validity and uid >= (intent.uid_next or 1)
