"""A mailbox whose UIDs are void: its files are matched with the server's messages again, nothing is deleted.

The same way serves a changed UIDVALIDITY, UIDs that are given again, a rebuilt index, a restored backup and a first
pass over a tree that was there before (sync.md 7, 8). It always ends: files with a partner are bound to it; files that
were once on the server and have none stay in place as `unmatched`, until `sync.adoption` finds one; other files are new
and go up; messages without a file come down.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from structlog.typing import FilteringBoundLogger

from daemon.model.events import EventName, NewEvent
from daemon.model.flags import DELETED, FlagSet
from daemon.model.ids import AccountId, MaildirName, Uid, UidValidity, new_message_id
from daemon.model.mailbox import MailboxRecord
from daemon.model.uidset import UidSet
from daemon.model.views import BaseEntry, BaseState, BaseView, RemoteEntry, RemoteView
from daemon.net.imap.client import ImapClient
from daemon.store.base import Arrival, Binding
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.bodies import header_digests, wire_digests
from daemon.sync.file_facts import FileFacts, file_facts
from daemon.sync.local_scan import Listing
from daemon.sync.rematch import FileKey, candidates, leaves_doubt, match_by_header, of_a_size
from daemon.sync.wishes import Wishes


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file without a partner: its key, its entry, its facts, and the row it has already, if any."""

    key: FileKey
    facts: FileFacts
    row: BaseEntry | None


class Rematch:
    """Gives files their partners on the server."""

    def __init__(
        self, *, account: AccountId, store: Store, tree: MaildirTree, log: FilteringBoundLogger
    ) -> None:
        self._account = account
        self._store = store
        self._tree = tree
        self._log = log

    async def void(self, record: MailboxRecord, validity: UidValidity, *, reason: str) -> MailboxRecord:
        """The record under its new UIDVALIDITY: messages stay, their UIDs and the marks go; one `mailbox.reset`."""
        fresh = replace(
            record, uid_validity=validity, uid_next=None, highest_mod_seq=None, is_first_pass_done=False
        )
        event = NewEvent(
            name=EventName.MAILBOX_RESET,
            account=self._account,
            mailbox=record.name,
            data={"reason": reason, "uid_validity": validity},
        )
        if validity == record.uid_validity:  # nothing but the rows themselves says that they are void
            await self._store.base.clear_placements(self._account, record.name)
            await self._store.mailboxes.save(fresh, events=[event])
        else:  # the record first: rows of another UIDVALIDITY are void by themselves, and the event comes once
            await self._store.mailboxes.save(fresh, events=[event])
            await self._store.base.clear_placements(self._account, record.name)
        self._log.warning(
            "mailbox.reset",
            mailbox=record.name,
            reason=reason,
            uid_validity=validity,
            was=record.uid_validity,
        )
        return fresh

    async def match(
        self,
        client: ImapClient,
        record: MailboxRecord,
        base: BaseView,
        listing: Listing,
        remote: RemoteView,
    ) -> None:
        """Bind files to messages; the mailbox is selected and its view complete.

        Rows are written for every file that was once on the server, so that the plan neither sends nor deletes it.
        """
        known = {entry.uid for entry in base.entries if entry.uid is not None}
        messages = [entry for uid, entry in remote.changed.items() if uid not in known]
        files = await self._files(record, base, listing)
        pairs = await self._pairs(client, files, messages) if files else {}
        flags = {entry.uid: entry.flags for entry in messages}
        await self._bind(record, remote.uid_validity, files, pairs, flags)
        lost = [file for name, file in files.items() if name not in pairs and file.key.was_on_server]
        await self._shelve(record, remote.uid_validity, lost)
        bound = set(pairs.values())
        await self._leave_out(client, record, [entry for entry in messages if entry.uid not in bound])
        if files:
            self._log.info(
                "mailbox.matched",
                mailbox=record.name,
                files=len(files),
                matched=len(pairs),
                unmatched=len(lost),
            )

    async def fail_wishes(self, base: BaseView, wishes: Wishes) -> None:
        """Wishes follow their message to its match; where a reset leaves it without one they fail (sync.md 8)."""
        for entry in base.entries:
            if entry.uid is None and entry.message_id in wishes.pending:
                await wishes.failed(
                    entry.message_id,
                    "message_unmatched",
                    "the mailbox was renumbered and the message has no counterpart on the server any more",
                )

    async def _files(
        self, record: MailboxRecord, base: BaseView, listing: Listing
    ) -> dict[MaildirName, _File]:
        """Every file that is bound to no UID, with what its octets say."""
        rows = {entry.maildir_name: entry for entry in base.entries if entry.maildir_name is not None}
        remembered = await self._store.intents.names(self._account, record.name)
        buried = await self._store.tombstones.find(self._account, record.name)
        unbound = [
            entry
            for name, entry in listing.entries.items()
            if (row := rows.get(name)) is None or row.uid is None
        ]
        # Moved or copied here from another mailbox, under its name or another: on the server it was there, and the plan
        # says what became of it.
        from_elsewhere = await self._store.messages.names_elsewhere(
            self._account,
            record.name,
            [entry.maildir_name for entry in unbound if self._tree.is_ours(entry.maildir_name)],
        )
        all_facts = await file_facts(self._tree, record.directory, unbound)
        octets_elsewhere = await self._store.messages.octets_elsewhere(
            self._account,
            record.name,
            [
                facts.content.file_sha256
                for facts in all_facts
                if self._tree.is_ours(facts.entry.maildir_name)
            ],
        )
        files: dict[MaildirName, _File] = {}
        for facts in all_facts:
            name, content = facts.entry.maildir_name, facts.content
            row = rows.get(name)
            key = FileKey(
                maildir_name=name,
                file_size=content.file_size,
                wire_size=content.wire_size,
                mtime=facts.mtime,
                header_sha256=content.header_sha256,
                was_on_server=(
                    row is not None
                    or name in remembered
                    or name in buried
                    or (
                        self._tree.is_ours(name)
                        and name not in from_elsewhere
                        and content.file_sha256 not in octets_elsewhere
                    )
                ),
            )
            files[name] = _File(key=key, facts=facts, row=row)
        return files

    async def _pairs(
        self, client: ImapClient, files: Mapping[MaildirName, _File], messages: list[RemoteEntry]
    ) -> Mapping[MaildirName, Uid]:
        keys = [file.key for file in files.values()]
        by_date = candidates(keys, messages)
        digests = await header_digests(client, UidSet(by_date.needs_header))
        rest = [key for key in keys if key.maildir_name not in by_date.pairs]
        pairs = {**by_date.pairs, **match_by_header(rest, messages, digests)}
        if not leaves_doubt(keys, messages, pairs, by_date.pairs):
            return pairs
        digests |= await header_digests(client, UidSet(of_a_size(keys, messages) - digests.keys()))
        return match_by_header(keys, messages, digests)

    async def _bind(
        self,
        record: MailboxRecord,
        validity: UidValidity,
        files: Mapping[MaildirName, _File],
        pairs: Mapping[MaildirName, Uid],
        remote_flags: Mapping[Uid, FlagSet],
    ) -> None:
        """Rows for the pairs. Files that had a row keep its base flags; the others start from what both sides share."""
        bindings: list[Binding] = []
        arrivals: list[Arrival] = []
        remembered = await self._store.intents.names(self._account, record.name)
        for name, uid in pairs.items():
            file = files[name]
            if file.row is not None and file.row.message_id is not None:
                bindings.append((file.row.message_id, uid, BaseState.SYNCED, file.row.flags))
                continue
            arrivals.append(
                Arrival(
                    message_id=remembered.get(name) or new_message_id(),
                    uid=uid,
                    maildir_name=name,
                    flags=file.facts.entry.flags,
                    base_flags=shared_base(file.facts.entry.flags, remote_flags[uid]),
                    content=file.facts.content,
                    internal_date=file.facts.mtime,
                )
            )
        await self._store.base.bind(self._account, record.name, validity, bindings)
        await self._store.base.confirm(self._account, record.name, validity, arrivals)
        await self._store.intents.remember(
            self._account, record.name, {arrival.maildir_name: arrival.message_id for arrival in arrivals}
        )

    async def _shelve(self, record: MailboxRecord, validity: UidValidity, lost: list[_File]) -> None:
        """Rows for files that were once on the server and are not: kept in place, shown as unmatched."""
        remembered = await self._store.intents.names(self._account, record.name)
        await self._store.base.confirm(
            self._account,
            record.name,
            validity,
            [
                Arrival(
                    message_id=remembered.get(file.key.maildir_name) or new_message_id(),
                    uid=None,
                    maildir_name=file.key.maildir_name,
                    flags=file.facts.entry.flags,
                    base_flags=file.facts.entry.flags,
                    content=file.facts.content,
                    internal_date=file.facts.mtime,
                    state=BaseState.UNMATCHED,
                )
                for file in lost
                if file.row is None
            ],
        )

    async def _leave_out(
        self, client: ImapClient, record: MailboxRecord, messages: Sequence[RemoteEntry]
    ) -> None:
        r"""Rows for messages that a deletion here left on the server with \Deleted: they do not come back (sync.md 20).

        Proved by their octets, which are all that is remembered of a message that was removed.
        """
        marked = {entry.uid: entry for entry in messages if DELETED in entry.flags}
        buried = await self._store.tombstones.find(self._account, record.name) if marked else {}
        graves = Counter(grave.file_sha256 for grave in buried.values() if grave.uid is not None)
        if not graves or record.uid_validity is None:
            return
        digests = await wire_digests(client, {uid: entry.size or 0 for uid, entry in marked.items()})
        found: dict[Uid, FlagSet] = {}
        for uid in sorted(digests):
            if graves[digests[uid]] > 0:
                graves[digests[uid]] -= 1
                found[uid] = marked[uid].flags
        await self._store.base.record_marked(self._account, record.name, record.uid_validity, found)


def shared_base(local: FlagSet, remote: FlagSet) -> FlagSet:
    r"""Base flags where the true ones are lost: what both sides have, so that neither side's flag is dropped.

    \Deleted alone follows the server: a mark must not spread because an index was lost.
    """
    return (local & remote) | (local & {DELETED})
