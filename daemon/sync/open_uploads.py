"""Uploads and moves without an answer: looked for on the server, adopted where found, never repeated on a guess.

Candidates are what came at or above the UIDNEXT from before the act, compared by size or date, then by octets; a message
that the server rewrote is known by its Message-ID under the internal date that we gave. What a complete listing has no
trace of is sent once more; after that it is uncertain, shown, and never repeated by itself (sync.md 18, 19, 21).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.envelope import Content
from daemon.model.errors import Blast, MailError, NotFound, StoreForeign
from daemon.model.events import NewEvent
from daemon.model.flags import DELETED
from daemon.model.ids import AccountId, MailboxName, MaildirName, Uid, UidValidity
from daemon.model.mailbox import MailboxRecord
from daemon.model.message import Message
from daemon.model.operations import Intent, IntentKind
from daemon.model.uidset import UidSet
from daemon.model.views import RemoteEntry
from daemon.net.imap.client import ImapClient
from daemon.net.imap.values import Selection
from daemon.store.base import Arrival, Wanted
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.bodies import wire_digests
from daemon.sync.downloads import new_message_event
from daemon.sync.file_facts import FileFacts, file_facts
from daemon.sync.moves import moved_event
from daemon.sync.selecting import select_for_change
from daemon.sync.uploads import arrival_of
from daemon.wire import mime

RESOLVE_SECONDS: Final = 3600.0  # how often an uncertain upload is looked for when nothing has come since
MOST_ATTEMPTS: Final = (
    2  # went out whole, left no trace, was sent once more: a third time may double it (sync.md 19)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenUploads:
    """What is left of earlier uploads.

    `uncertain` names are never sent by themselves; `resend` ones are, and carry the number of times that they went out
    whole without a trace. In an `unresolved` mailbox nothing could be found out: what came since may be ours, so that
    nothing may be downloaded there. In a `postponed` one nothing was asked, because nothing had come: should a message
    appear there now, it may be ours, and is not downloaded before `look_again` has been called and all resolved.
    """

    uncertain: Mapping[MailboxName, frozenset[MaildirName]]
    resend: Mapping[tuple[MailboxName, MaildirName], int]
    unresolved: frozenset[MailboxName] = frozenset()
    postponed: frozenset[MailboxName] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolved:
    """Uploads of one mailbox that stayed uncertain at the last look for them, and where the next begins."""

    uid_validity: UidValidity
    uid_next: Uid | None
    intents: frozenset[int]
    at: float


class UploadResolver:
    """Finds out what became of the open uploads of one account."""

    def __init__(
        self,
        *,
        account: AccountId,
        store: Store,
        tree: MaildirTree,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._account = account
        self._store = store
        self._tree = tree
        self._clock = clock
        self._log = log
        self._resolved: dict[MailboxName, _Resolved] = {}

    def look_again(self, mailboxes: Iterable[MailboxName]) -> None:
        """Messages have appeared in these: look for uncertain uploads among them in the next pass."""
        for mailbox in mailboxes:
            resolved = self._resolved.get(mailbox)
            if resolved is not None:
                self._resolved[mailbox] = replace(resolved, at=float("-inf"))

    async def resolve(
        self,
        client: ImapClient,
        served: Mapping[MailboxName, MailboxRecord],
        records: Mapping[MailboxName, MailboxRecord],
    ) -> OpenUploads:
        """What is left open in the mailboxes of this pass (`served`); `records` are all the account has."""
        pending: dict[MailboxName, list[Intent]] = defaultdict(list)
        for intent in await self._store.intents.pending(self._account):
            if intent.kind is IntentKind.UPLOAD:
                pending[intent.mailbox].append(intent)
        uncertain: dict[MailboxName, frozenset[MaildirName]] = {}
        resend: dict[tuple[MailboxName, MaildirName], int] = {}
        unresolved = set[MailboxName]()
        postponed = set[MailboxName]()
        for mailbox in self._resolved.keys() - pending.keys():
            del self._resolved[mailbox]
        for mailbox, intents in pending.items():
            record = served.get(mailbox)
            if record is None:  # not listed now, or not looked at in this pass: nothing can be said
                unresolved.add(mailbox)
                continue
            if self._may_wait(record, intents):
                postponed.add(mailbox)
                uncertain[mailbox] = frozenset(intent.maildir_name for intent in intents)
                continue
            try:
                absent, looked_to = await self._resolve(client, record, intents, records)
            except MailError as exc:
                if exc.blast is Blast.ACCOUNT and not isinstance(exc, StoreForeign):
                    raise
                self._log.warning("uploads.unresolved", mailbox=mailbox, reason=exc.reason)
                unresolved.add(mailbox)
                continue
            again = [intent for intent in absent if intent.attempts < MOST_ATTEMPTS]
            await self._store.intents.close([intent.id for intent in again], remember=False)
            resend |= {(mailbox, intent.maildir_name): intent.attempts for intent in again}
            uncertain[mailbox] = frozenset(intent.maildir_name for intent in absent if intent not in again)
            self._resolved[mailbox] = _Resolved(
                uid_validity=looked_to.uid_validity,
                uid_next=looked_to.uid_next,
                intents=frozenset(intent.id for intent in absent if intent not in again),
                at=self._clock.now(),
            )
            self._log.info(
                "uploads.resolved",
                mailbox=mailbox,
                open=len(intents),
                again=len(again),
                uncertain=len(uncertain[mailbox]),
            )
        return OpenUploads(
            uncertain=uncertain,
            resend=resend,
            unresolved=frozenset(unresolved),
            postponed=frozenset(postponed),
        )

    def _may_wait(self, record: MailboxRecord, intents: Sequence[Intent]) -> bool:
        """Whether these were looked for not long ago, all of them in vain."""
        resolved = self._resolved.get(record.name)
        return (
            resolved is not None
            and resolved.uid_validity == record.uid_validity
            and resolved.intents.issuperset(intent.id for intent in intents)
            and self._clock.now() - resolved.at < RESOLVE_SECONDS
        )

    async def _resolve(
        self,
        client: ImapClient,
        record: MailboxRecord,
        intents: Sequence[Intent],
        records: Mapping[MailboxName, MailboxRecord],
    ) -> tuple[list[Intent], Selection]:
        """Adopt what is found; the uploads that a complete listing has no trace of are returned, and what was selected."""
        selection = await client.select(record.wire_name)
        void = [intent for intent in intents if intent.uid_validity != selection.uid_validity]
        # The reset matches files with messages by itself; these intents have nothing more to say.
        await self._store.intents.close([intent.id for intent in void], remember=False)
        intents = [intent for intent in intents if intent not in void]
        if not intents:
            return [], selection
        scan = await client.fetch_entries(first=self._first(record, intents), with_size=True)
        taken = await self._taken(record, UidSet(entry.uid for entry in scan.entries))
        free = [entry for entry in scan.entries if entry.uid not in taken]
        files = await self._files(record, intents, records)
        contents = {number: facts.content for number, facts in files.items()}
        pairs = await _match(client, intents, free)
        rest = [intent for intent in intents if intent.id not in pairs]
        pairs |= await _match_rewritten(client, rest, free, contents, pairs)
        found = [intent for intent in intents if intent.id in pairs and intent.id in files]
        origins = await self._origins(record, found)
        for intent in found:
            origin = origins.get(intent.id)
            if origin is not None:
                await self._finish_move(client, origin, records)
        arrivals = [
            arrival_of(intent, pairs[intent.id], files[intent.id].content, files[intent.id].entry.flags)
            for intent in found
        ]
        events = self._events(record, found, arrivals, origins)
        refused = await self._store.base.confirm(
            self._account, record.name, selection.uid_validity, arrivals, events
        )
        settled = [intent.id for intent in found if intent.message_id not in refused]
        gone = [intent.id for intent in intents if intent.id not in files]
        await self._store.intents.close(settled)
        # The file is gone: a message found there comes down like any other.
        await self._store.intents.close(gone, remember=False)
        return [intent for intent in intents if intent.id not in {*settled, *gone}], selection

    def _first(self, record: MailboxRecord, intents: Sequence[Intent]) -> Uid:
        """Where candidates begin: what was compared with these uploads once need not be again."""
        resolved = self._resolved.get(record.name)
        if (
            resolved is not None
            and resolved.uid_next is not None
            and resolved.uid_validity == intents[0].uid_validity
            and resolved.intents.issuperset(intent.id for intent in intents)
        ):
            return resolved.uid_next
        return min(intent.uid_next or Uid(1) for intent in intents)

    async def _taken(self, record: MailboxRecord, uids: UidSet) -> set[Uid]:
        """Those of the UIDs that have a row."""
        if not uids:
            return set()
        part = await self._store.base.load_part(self._account, record.name, Wanted(uids=uids))
        base = part.view if part is not None else await self._store.base.load(self._account, record.name)
        return {entry.uid for entry in base.entries if entry.uid is not None}

    async def _origins(self, record: MailboxRecord, intents: Sequence[Intent]) -> dict[int, Message]:
        """Where a moved message came from: the mailbox that still has its row."""
        origins: dict[int, Message] = {}
        for intent in intents:
            try:
                message = await self._store.messages.get(intent.message_id)
            except NotFound:
                continue
            if message.mailbox != record.name:
                origins[intent.id] = message
        return origins

    async def _finish_move(
        self, client: ImapClient, message: Message, records: Mapping[MailboxName, MailboxRecord]
    ) -> None:
        """Remove the source of a move that was stopped between COPY and EXPUNGE (RFC 6851 §3.3)."""
        source = records.get(message.mailbox)
        if source is None or message.uid is None or not client.caps.has("UIDPLUS"):
            return
        await select_for_change(client, source, for_reading=True)
        uids = UidSet([message.uid])
        if (await client.fetch_entries(uids, with_size=False)).entries:
            await select_for_change(client, source)
            await client.store_flags(uids, add=frozenset({DELETED}))
            await client.expunge(uids)

    def _events(
        self,
        record: MailboxRecord,
        intents: Sequence[Intent],
        arrivals: Sequence[Arrival],
        origins: Mapping[int, Message],
    ) -> list[NewEvent]:
        """What the pass that was stopped would have said."""
        events: list[NewEvent] = []
        for intent, arrival in zip(intents, arrivals, strict=True):
            origin = origins.get(intent.id)
            if origin is not None:
                events.append(moved_event(intent, origin.mailbox))
            elif record.is_first_pass_done:
                events.append(
                    new_message_event(
                        self._account,
                        record,
                        arrival.message_id,
                        arrival.flags,
                        arrival.content,
                        origin="local",
                    )
                )
        return events

    async def _files(
        self,
        record: MailboxRecord,
        intents: Sequence[Intent],
        records: Mapping[MailboxName, MailboxRecord],
    ) -> dict[int, FileFacts]:
        """The files of these uploads as they are now, by intent; gone ones are left out.

        One that a person has moved on counts: it is adopted where it was meant to be, and the pass sees the move.
        """
        names = [intent.maildir_name for intent in intents]
        places = await self._tree.find_many(names, [record.directory])
        for other in records.values():
            missing = [name for name in names if name not in places]
            if not missing:
                break
            if other.name != record.name:
                with suppress(StoreForeign):
                    places |= await self._tree.find_many(missing, [other.directory])
        by_name: dict[MaildirName, FileFacts] = {}
        for directory in dict.fromkeys(place for place, _ in places.values()):
            entries = [entry for place, entry in places.values() if place == directory]
            for facts in await file_facts(self._tree, directory, entries):
                by_name[facts.entry.maildir_name] = facts
        return {
            intent.id: by_name[intent.maildir_name] for intent in intents if intent.maildir_name in by_name
        }


async def _match(
    client: ImapClient, intents: Sequence[Intent], free: Iterable[RemoteEntry]
) -> dict[int, Uid]:
    """Which candidate is which upload: the size or the date that we gave, then equal octets, as multisets in UID order.

    The date too, because RFC822.SIZE may be wrong (faults.md S14).
    """
    sizes = {intent.wire_size for intent in intents}
    dates = {intent.internal_date for intent in intents}
    suspects = {
        entry.uid: entry.size or 0 for entry in free if entry.size in sizes or entry.internal_date in dates
    }
    digests = await wire_digests(client, suspects) if suspects else {}
    pairs: dict[int, Uid] = {}
    for uid in sorted(digests):
        for intent in intents:
            if (
                intent.id not in pairs
                and intent.wire_sha256 == digests[uid]
                and uid >= (intent.uid_next or 1)
            ):
                pairs[intent.id] = uid
                break
    return pairs


async def _match_rewritten(
    client: ImapClient,
    intents: Collection[Intent],
    free: Iterable[RemoteEntry],
    contents: Mapping[int, Content],
    taken: Mapping[int, Uid],
) -> dict[int, Uid]:
    """Uploads whose octets the server changed: the same Message-ID under the internal date that we gave."""
    dates = {intent.internal_date for intent in intents}
    used = set(taken.values())
    when = {
        entry.uid: entry.internal_date
        for entry in free
        if entry.internal_date in dates and entry.uid not in used
    }
    if not when:
        return {}
    pairs: dict[int, Uid] = {}
    for uid, header in sorted((await client.fetch_headers(UidSet(when))).items()):
        named = mime.read_facts(header).message_id_header
        for intent in intents:
            content = contents.get(intent.id)
            if (
                named
                and content is not None
                and intent.id not in pairs
                and content.envelope.message_id_header == named
                and intent.internal_date == when[uid]
                and uid >= (intent.uid_next or 1)
            ):
                pairs[intent.id] = uid
                break
    return pairs
