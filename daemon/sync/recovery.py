"""After a crash or a lost line: what was about to happen, and did it?

Local recovery needs no network: unlinks on their way are finished, downloads whose file is in place are confirmed.
Uploads whose outcome is unknown are looked for on the server among what came at or above the UIDNEXT from before the
act: compared by size, then by octets; adopted, never repeated on a guess (sync.md 17 to 19).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.envelope import Content
from daemon.model.errors import Blast, MailError
from daemon.model.ids import AccountId, MailboxName, MaildirName, Uid
from daemon.model.mailbox import MailboxRecord
from daemon.model.operations import Intent, IntentKind
from daemon.model.uidset import UidSet
from daemon.model.views import RemoteEntry
from daemon.net.imap.client import ImapClient
from daemon.store.base import Arrival
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.bodies import wire_digests
from daemon.sync.deletions import group_by_mailbox
from daemon.sync.file_facts import FileFacts, file_facts
from daemon.sync.uploads import arrival_of
from daemon.wire import mime

MOST_ATTEMPTS: Final = (
    2  # went out whole, left no trace, was sent once more: a third time may double it (sync.md 19)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenUploads:
    """What is left of earlier uploads: `uncertain` names are never sent by themselves; `resend` ones are, and carry
    the number of times that they went out whole without a trace.
    """

    uncertain: Mapping[MailboxName, frozenset[MaildirName]]
    resend: Mapping[tuple[MailboxName, MaildirName], int]


async def recover_locally(
    *,
    account: AccountId,
    store: Store,
    tree: MaildirTree,
    records: Mapping[MailboxName, MailboxRecord],
    log: FilteringBoundLogger,
) -> None:
    """Finish what needs no server: pending unlinks, and downloads whose file is in new/ or cur/."""
    for mailbox, names in group_by_mailbox(await store.tombstones.pending_unlinks(account)).items():
        record = records.get(mailbox)
        if record is not None:
            await tree.remove(record.directory, names)
        await store.tombstones.unlinked(account, [(mailbox, name) for name in names])
    by_mailbox: dict[MailboxName, list[Intent]] = defaultdict(list)
    for intent in await store.intents.pending(account):
        if intent.kind is IntentKind.DOWNLOAD:
            by_mailbox[intent.mailbox].append(intent)
    for mailbox, intents in by_mailbox.items():
        record = records.get(mailbox)
        if record is None:
            await store.intents.close([intent.id for intent in intents], remember=False)
            continue
        arrivals = [
            arrival
            for intent in intents
            if (arrival := await _arrival_in_place(tree, records, record, intent))
        ]
        stored = {arrival.message_id for arrival in arrivals}
        validity = intents[0].uid_validity
        await store.base.confirm(account, mailbox, validity, arrivals)
        await store.intents.close([intent.id for intent in intents if intent.message_id in stored])
        lost = [intent.id for intent in intents if intent.message_id not in stored]
        await store.intents.close(lost, remember=False)
        log.info("downloads.recovered", mailbox=mailbox, found=len(arrivals), fetched_again=len(lost))


async def _arrival_in_place(
    tree: MaildirTree, records: Mapping[MailboxName, MailboxRecord], record: MailboxRecord, intent: Intent
) -> Arrival | None:
    """The row of a file that was published before the crash, its octets proved; None where there is no such file.

    A person may have moved it meanwhile: it is confirmed where it was meant to be, and the next pass sees the move.
    """
    places = (record.directory, *(other.directory for other in records.values() if other.name != record.name))
    found = await tree.find(intent.maildir_name, places)
    if found is None:
        return None
    directory, entry = found
    facts = await file_facts(tree, directory, [entry])
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


async def resolve_uploads(
    client: ImapClient,
    *,
    account: AccountId,
    store: Store,
    tree: MaildirTree,
    records: Mapping[MailboxName, MailboxRecord],
    log: FilteringBoundLogger,
) -> OpenUploads:
    """Find out what became of every APPEND or MOVE without an answer.

    Found ones get their row; ones that a complete listing does not have are closed, so that the plan sends them once
    more; after that they stay open as uncertain, are shown, and never repeated by themselves.
    """
    pending: dict[MailboxName, list[Intent]] = defaultdict(list)
    for intent in await store.intents.pending(account):
        if intent.kind is IntentKind.UPLOAD:
            pending[intent.mailbox].append(intent)
    uncertain: dict[MailboxName, frozenset[MaildirName]] = {}
    resend: dict[tuple[MailboxName, MaildirName], int] = {}
    for mailbox, intents in pending.items():
        record = records.get(mailbox)
        if record is None:  # the server does not list the mailbox now: nothing can be said
            uncertain[mailbox] = frozenset(intent.maildir_name for intent in intents)
            continue
        try:
            absent = await _resolve(
                client, account=account, store=store, tree=tree, record=record, intents=intents
            )
        except MailError as exc:
            if exc.blast is not Blast.MAILBOX:
                raise
            log.warning("uploads.unresolved", mailbox=mailbox, reason=exc.reason)
            uncertain[mailbox] = frozenset(intent.maildir_name for intent in intents)
            continue
        once_more = [intent for intent in absent if intent.attempts < MOST_ATTEMPTS]
        await store.intents.close([intent.id for intent in once_more], remember=False)
        resend |= {(mailbox, intent.maildir_name): intent.attempts for intent in once_more}
        uncertain[mailbox] = frozenset(intent.maildir_name for intent in absent if intent not in once_more)
        log.info(
            "uploads.resolved",
            mailbox=mailbox,
            open=len(intents),
            again=len(once_more),
            uncertain=len(uncertain[mailbox]),
        )
    return OpenUploads(uncertain=uncertain, resend=resend)


async def _resolve(
    client: ImapClient,
    *,
    account: AccountId,
    store: Store,
    tree: MaildirTree,
    record: MailboxRecord,
    intents: Sequence[Intent],
) -> list[Intent]:
    """Adopt what is found; the uploads that a complete listing has no trace of are returned."""
    selection = await client.select(record.wire_name)
    if any(intent.uid_validity != selection.uid_validity for intent in intents):
        # The reset matches files with messages by itself; these intents have nothing more to say.
        await store.intents.close([intent.id for intent in intents], remember=False)
        return []
    first = min((intent.uid_next or Uid(1) for intent in intents), default=Uid(1))
    scan = await client.fetch_entries(first=first, with_size=True)
    base = await store.base.load(account, record.name)
    taken = {entry.uid for entry in base.entries if entry.uid is not None}
    free = [entry for entry in scan.entries if entry.uid not in taken]
    files = await _files(tree, record, intents)
    contents = {number: facts.content for number, facts in files.items()}
    pairs = await _match(client, intents, free)
    pairs |= await _match_rewritten(client, [i for i in intents if i.id not in pairs], free, contents, pairs)
    arrivals: list[Arrival] = []
    settled: list[int] = []
    for intent in intents:
        facts, uid = files.get(intent.id), pairs.get(intent.id)
        if facts is None:
            settled.append(intent.id)  # the file is gone: a message found there comes down like any other
        elif uid is not None:
            arrivals.append(arrival_of(intent, uid, facts.content, facts.entry.flags))
            settled.append(intent.id)
    await store.base.confirm(account, record.name, selection.uid_validity, arrivals)
    await store.intents.close(settled)
    return [intent for intent in intents if intent.id not in settled]


async def _match(
    client: ImapClient, intents: Sequence[Intent], free: Iterable[RemoteEntry]
) -> dict[int, Uid]:
    """Which candidate is which upload: equal size, then equal octets, as multisets in UID order."""
    sizes = {intent.wire_size for intent in intents}
    suspects = {entry.uid: entry.size or 0 for entry in free if entry.size in sizes}
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
    intents: Sequence[Intent],
    free: Iterable[RemoteEntry],
    contents: Mapping[int, Content],
    taken: Mapping[int, Uid],
) -> dict[int, Uid]:
    """Uploads whose octets the server changed: the same Message-ID under the internal date that we gave."""
    dates = {intent.internal_date for intent in intents}
    used = set(taken.values())
    suspects = UidSet(entry.uid for entry in free if entry.internal_date in dates and entry.uid not in used)
    if not suspects:
        return {}
    when = {entry.uid: entry.internal_date for entry in free}
    pairs: dict[int, Uid] = {}
    for uid, header in sorted((await client.fetch_headers(suspects)).items()):
        named = mime.read_facts(header).message_id_header
        for intent in intents:
            content = contents.get(intent.id)
            if (
                named
                and content is not None
                and intent.id not in pairs
                and content.envelope.message_id_header == named
                and intent.internal_date == when[uid]
            ):
                pairs[intent.id] = uid
                break
    return pairs


async def _files(tree: MaildirTree, record: MailboxRecord, intents: Sequence[Intent]) -> dict[int, FileFacts]:
    """The files of these uploads as they are now, by intent; gone ones are left out."""
    places = await tree.find_many([intent.maildir_name for intent in intents], [record.directory])
    entries = [places[intent.maildir_name][1] for intent in intents if intent.maildir_name in places]
    by_name = {facts.entry.maildir_name: facts for facts in await file_facts(tree, record.directory, entries)}
    return {intent.id: by_name[intent.maildir_name] for intent in intents if intent.maildir_name in by_name}
