r"""Copies into the \Trash mailbox on servers without MOVE: what is deleted there is copied first, and only once.

COPY is no move: a line lost between the copy and the removal of the source would leave a second copy behind when the
deletion is repeated. So the trash's UIDNEXT is noted before the act, and what came since with the same octets is taken
for the copy (faults.md S27). Each mailbox has its own note; before another copy is made, whosoever it is, what became of
an earlier attempt is found out, so that one copy never stands for two messages.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
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
        notes = {
            name: await self._found_out(client, trash, note) for name, note in (await self._notes()).items()
        }
        own = notes.get(record.name)
        copied: Mapping[str, int] = {}
        if own is not None and (own.validity, own.trash) == (record.uid_validity, trash.hex()):
            wanted = {uid: there for uid, there in own.copied.items() if int(uid) in octets}
            copied = await self._still_there(client, own, wanted)
        missing = {uid: what for uid, what in octets.items() if str(uid) not in copied}
        status = await client.status(trash)
        notes[record.name] = _Note(
            mailbox=record.name,
            validity=record.uid_validity,
            trash=trash.hex(),
            trash_validity=status.uid_validity,
            uid_next=status.uid_next or Uid(1),
            tried={str(uid): (size, digest.hex()) for uid, (size, digest) in missing.items()},
            copied=copied,
        )
        await self._save(notes)
        await select_for_change(client, record)
        if missing:
            await client.copy(UidSet(missing), trash)

    async def finished(self, record: MailboxRecord) -> None:
        """The sources in this mailbox are gone or marked: nothing is left to be found out."""
        notes = await self._notes()
        if notes.pop(record.name, None) is not None:
            await self._save(notes)

    async def _notes(self) -> dict[MailboxName, "_Note"]:
        raw = await self._store.facts.get(self._account, _NOTE)
        read = json.loads(raw) if raw is not None else []
        notes = [_Note(**item) for item in (read if isinstance(read, list) else [])]
        return {note.mailbox: note for note in notes}

    async def _save(self, notes: Mapping[MailboxName, "_Note"]) -> None:
        text = json.dumps([asdict(note) for note in notes.values()]) if notes else None
        await self._store.facts.set(self._account, _NOTE, text)

    async def _found_out(self, client: ImapClient, trash: bytes, note: "_Note") -> "_Note":
        """The note with the copies of its attempt that are there, as multisets, and nothing left open."""
        if not note.tried:
            return note
        if (
            note.trash != trash.hex()
        ):  # another mailbox has the role now: what is in the old one is no copy in this
            return replace(note, tried={}, copied={})
        found: dict[str, int] = {}
        selection = await client.select(bytes.fromhex(note.trash), read_only=True)
        if selection.uid_validity == note.trash_validity:
            sizes = {size for size, _ in note.tried.values()}
            scan = await client.fetch_entries(first=note.uid_next, with_size=True)
            suspects = {entry.uid: entry.size or 0 for entry in scan.entries if entry.size in sizes}
            there: dict[str, list[int]] = defaultdict(list)
            for uid, digest in sorted((await wire_digests(client, suspects)).items() if suspects else ()):
                there[digest.hex()].append(uid)
            for source, (_, wanted) in sorted(note.tried.items(), key=lambda item: int(item[0])):
                if there[wanted]:
                    found[source] = there[wanted].pop(0)
        return replace(note, tried={}, copied={**note.copied, **found})

    async def _still_there(
        self, client: ImapClient, note: "_Note", copied: Mapping[str, int]
    ) -> Mapping[str, int]:
        """Those copies that nobody has removed since."""
        if not copied:
            return {}
        selection = await client.select(bytes.fromhex(note.trash), read_only=True)
        if selection.uid_validity != note.trash_validity:
            return {}
        scan = await client.fetch_entries(UidSet(map(Uid, copied.values())), with_size=False)
        present = {entry.uid for entry in scan.entries}
        return {source: uid for source, uid in copied.items() if uid in present}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    """One attempt: from where, to where, and what the target's UIDNEXT was before it.

    `tried` has size and SHA-256 by UID, as long as nobody has looked what became of them; `copied` the UID of the copy.
    JSON knows no other keys than text.
    """

    mailbox: MailboxName
    validity: UidValidity | None
    trash: str
    trash_validity: UidValidity | None
    uid_next: Uid
    tried: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    copied: Mapping[str, int] = field(default_factory=dict)
