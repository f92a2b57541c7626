r"""Copies into the \Trash mailbox on servers without MOVE: what is deleted there is copied first, and only once.

COPY is no move: a line lost between the copy and the removal of the source would leave a second copy behind when the
deletion is repeated. So the mailbox's UIDNEXT is noted before the act, and what came since with the same octets is taken
for the copy (faults.md S27).
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

from daemon.model.ids import AccountId, MailboxName, Uid, UidValidity
from daemon.model.mailbox import MailboxRecord
from daemon.model.uidset import UidSet
from daemon.net.imap.client import ImapClient
from daemon.store.store import Store
from daemon.sync.bodies import wire_digests
from daemon.sync.selecting import select_for_change

_NOTE: Final = "trash_copies"


class TrashCopies:
    """Copies of one account, each made once."""

    def __init__(self, *, account: AccountId, store: Store) -> None:
        self._account = account
        self._store = store

    async def copy(
        self,
        client: ImapClient,
        record: MailboxRecord,
        trash: bytes,
        octets: Mapping[Uid, tuple[int, bytes]],
    ) -> None:
        """Have a copy of each of these messages in the trash; the mailbox is selected afterwards.

        `octets` has size and SHA-256 of their wire form. `finished` is due when their sources are dealt with.
        """
        note = await self._earlier(record, trash)
        if note is None:
            status = await client.status(trash)
            note = _Note(
                mailbox=record.name,
                validity=record.uid_validity,
                trash=trash.hex(),
                trash_validity=status.uid_validity,
                uid_next=status.uid_next or Uid(1),
            )
            there = frozenset[Uid]()
        else:
            there = await self._copied(client, trash, note, octets)
        note = replace(note, uids=tuple(sorted({*note.uids, *octets})))
        await self._store.facts.set(self._account, _NOTE, json.dumps(asdict(note)))
        await select_for_change(client, record)
        missing = UidSet(octets.keys() - there)
        if missing:
            await client.copy(missing, trash)

    async def finished(self) -> None:
        """The sources are gone or marked: nothing is left to be found out."""
        await self._store.facts.set(self._account, _NOTE, None)

    async def _earlier(self, record: MailboxRecord, trash: bytes) -> "_Note | None":
        """The note of an attempt in this mailbox that did not end."""
        raw = await self._store.facts.get(self._account, _NOTE)
        if raw is None:
            return None
        note = _Note(**json.loads(raw))
        is_same = (note.mailbox, note.validity, note.trash) == (
            record.name,
            record.uid_validity,
            trash.hex(),
        )
        return note if is_same else None

    async def _copied(
        self, client: ImapClient, trash: bytes, note: "_Note", octets: Mapping[Uid, tuple[int, bytes]]
    ) -> frozenset[Uid]:
        """Those of an earlier attempt whose copy is there, as multisets."""
        tried = {uid: octets[uid] for uid in map(Uid, note.uids) if uid in octets}
        selection = await client.select(trash, read_only=True)
        if selection.uid_validity != note.trash_validity:
            return frozenset()
        sizes = {size for size, _ in tried.values()}
        scan = await client.fetch_entries(first=note.uid_next, with_size=True)
        suspects = {entry.uid: entry.size or 0 for entry in scan.entries if entry.size in sizes}
        there = Counter((await wire_digests(client, suspects)).values()) if suspects else Counter[bytes]()
        found = set[Uid]()
        for uid, (_, digest) in sorted(tried.items()):
            if there[digest] > 0:
                there[digest] -= 1
                found.add(uid)
        return frozenset(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    """One attempt: from where, to where, and what the target's UIDNEXT was before it."""

    mailbox: MailboxName
    validity: UidValidity | None
    trash: str
    trash_validity: UidValidity | None
    uid_next: Uid
    uids: tuple[int, ...] = ()
