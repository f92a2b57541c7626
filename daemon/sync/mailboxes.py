"""The account's mailboxes: which of the server's are kept here, and the records and directories that hold them.

A mailbox that config excludes, or that the server no longer lists, is left exactly as it is: its mail stays, nothing
is inferred from its absence (sync.md 11, 15). A listing that turns empty or loses INBOX is not believed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from daemon.model.errors import ServerRefused
from daemon.model.events import EventName, NewEvent
from daemon.model.ids import INBOX, AccountId, MailboxName
from daemon.model.mailbox import MailboxRecord, RemoteMailbox, SpecialUse
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store

_LEFT_OUT_ROLES = frozenset({SpecialUse.ALL, SpecialUse.FLAGGED, SpecialUse.IMPORTANT})


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMailboxes:
    r"""What a pass works on: records of kept mailboxes that the server lists, and its word about each.

    `all_records` has those that are not kept or not listed as well: their files are part of the tree. `trash` is the
    wire name of the mailbox with the role \Trash, kept or not.
    """

    records: Mapping[MailboxName, MailboxRecord]
    remote: Mapping[MailboxName, RemoteMailbox]
    all_records: Mapping[MailboxName, MailboxRecord]
    trash: bytes | None


class MailboxPatterns:
    """LIST patterns over normalised names: `*` matches anything, `%` anything within one part (RFC 9051 §6.3.9)."""

    def __init__(self, include: Iterable[str], exclude: Iterable[str]) -> None:
        self._named = frozenset(include)
        self._include = [_compile(pattern) for pattern in include]
        self._exclude = [_compile(pattern) for pattern in exclude]

    def keeps(self, mailbox: RemoteMailbox) -> bool:
        r"""Whether this mailbox is kept in step. Views over other mailboxes (\All …) only when named outright."""
        if mailbox.special_use in _LEFT_OUT_ROLES and mailbox.name not in self._named:
            return False
        return any(pattern.match(mailbox.name) for pattern in self._include) and not any(
            pattern.match(mailbox.name) for pattern in self._exclude
        )


def _compile(pattern: str) -> re.Pattern[str]:
    parts = (".*" if char == "*" else "[^/]*" if char == "%" else re.escape(char) for char in pattern)
    flags = re.DOTALL | (re.IGNORECASE if pattern.upper() == INBOX else 0)
    return re.compile("".join(parts) + r"\Z", flags)


class MailboxBook:
    """Keeps records and directories in step with what the server lists."""

    def __init__(
        self, *, account: AccountId, store: Store, tree: MaildirTree, patterns: MailboxPatterns
    ) -> None:
        self._account = account
        self._store = store
        self._tree = tree
        self._patterns = patterns
        self._served: frozenset[MailboxName] | None = None
        self._trash: bytes | None = None

    async def records(self) -> Mapping[MailboxName, MailboxRecord]:
        """All stored records, kept or not."""
        return {record.name: record for record in await self._store.mailboxes.list(self._account)}

    async def known(self) -> KnownMailboxes:
        """What the last listing of this run left, for a pass without one; before the first, what is stored."""
        stored = await self.records()
        served = {
            name: record for name, record in stored.items() if self._served is None or name in self._served
        }
        trash = self._trash or _trash_of(stored.values())
        return KnownMailboxes(records=served, remote={}, all_records=stored, trash=trash)

    def kept(self, listed: Iterable[RemoteMailbox]) -> dict[MailboxName, RemoteMailbox]:
        """Those of a listing that are kept in step."""
        return {
            mailbox.name: mailbox
            for mailbox in listed
            if mailbox.is_selectable and self._patterns.keeps(mailbox)
        }

    async def reconcile(self, listed: Sequence[RemoteMailbox]) -> KnownMailboxes:
        """The mailboxes of this pass; new ones get a record and a directory.

        Raises:
            ServerRefused: The listing is empty or without INBOX although it had one: not believed, try later.
        """
        stored = await self.records()
        remote = self.kept(listed)
        if INBOX in stored and not any(mailbox.name == INBOX for mailbox in listed):
            raise ServerRefused(
                "the server lists no INBOX although it had one; nothing is changed until it does",
                status="OK",
                reason="listing_doubtful",
                remedy="look at the account with another mail program; the service tries again by itself",
            )
        records: dict[MailboxName, MailboxRecord] = {}
        fresh: list[MailboxRecord] = []
        for name, mailbox in remote.items():
            record = stored.get(name)
            if record is None:
                record = self._new_record(mailbox)
                await self._tree.ensure(record.directory)
                fresh.append(record)
            elif (record.wire_name, record.special_use) != (mailbox.wire_name, mailbox.special_use):
                record = replace(record, wire_name=mailbox.wire_name, special_use=mailbox.special_use)
                await self._store.mailboxes.save(record)
            records[name] = record
        if fresh:
            await self._store.mailboxes.save(*fresh, events=self._created(fresh) if stored else ())
        self._served = frozenset(records)
        self._trash = _trash_of(mailbox for mailbox in listed if mailbox.is_selectable)
        return KnownMailboxes(
            records=records, remote=remote, all_records={**stored, **records}, trash=self._trash
        )

    def _new_record(self, mailbox: RemoteMailbox) -> MailboxRecord:
        return MailboxRecord(
            account=self._account,
            name=mailbox.name,
            wire_name=mailbox.wire_name,
            delimiter=mailbox.delimiter,
            directory=self._tree.directory_of(mailbox.name),
            special_use=mailbox.special_use,
        )

    def _created(self, records: Iterable[MailboxRecord]) -> tuple[NewEvent, ...]:
        return tuple(
            NewEvent(name=EventName.MAILBOX_CREATED, account=self._account, mailbox=record.name)
            for record in records
        )


def _trash_of(mailboxes: Iterable[MailboxRecord | RemoteMailbox]) -> bytes | None:
    return next((one.wire_name for one in mailboxes if one.special_use is SpecialUse.TRASH), None)
