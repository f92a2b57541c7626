"""The account's mailboxes: which of the server's are kept here, and the records and directories that hold them.

A mailbox that config excludes is left exactly as it is, and nothing is inferred here from a mailbox that is not listed
(sync.md 11, 15). A listing that turns empty or loses INBOX is not believed. A mailbox keeps the directory it was given;
one that is not the name's own is remembered over the loss of the index (sync.md 26).
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.errors import ServerRefused, StoreError, StoreForeign
from daemon.model.events import EventName, NewEvent
from daemon.model.ids import INBOX, AccountId, MailboxName
from daemon.model.mailbox import MailboxRecord, RemoteMailbox, SpecialUse
from daemon.model.passes import PassResult
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.mailbox_plan import GONE
from daemon.sync.tally import Tally

_LEFT_OUT_ROLES = frozenset({SpecialUse.ALL, SpecialUse.FLAGGED, SpecialUse.IMPORTANT})
_DIRECTORIES: Final = "directories"


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

    def keeps(self, mailbox: RemoteMailbox | MailboxRecord) -> bool:
        r"""Whether this mailbox is kept in step. Views over other mailboxes (\All …) only when named outright."""
        if mailbox.special_use in _LEFT_OUT_ROLES and mailbox.name not in self._named:
            return False
        return self.match(mailbox.name)

    def match(self, name: MailboxName) -> bool:
        """Whether a mailbox of this name, with no role, is kept."""
        return any(pattern.match(name) for pattern in self._include) and not any(
            pattern.match(name) for pattern in self._exclude
        )


def _compile(pattern: str) -> re.Pattern[str]:
    parts = (".*" if char == "*" else "[^/]*" if char == "%" else re.escape(char) for char in pattern)
    flags = re.DOTALL | (re.IGNORECASE if pattern.upper() == INBOX else 0)
    return re.compile("".join(parts) + r"\Z", flags)


class MailboxBook:
    """Keeps records and directories in step with what the server lists."""

    def __init__(
        self,
        *,
        account: AccountId,
        store: Store,
        tree: MaildirTree,
        patterns: MailboxPatterns,
        log: FilteringBoundLogger,
    ) -> None:
        self._account = account
        self._store = store
        self._tree = tree
        self.patterns = patterns
        self._log = log
        self._served: frozenset[MailboxName] | None = None
        self.listed: Mapping[MailboxName, RemoteMailbox] = {}
        """The server's word about each kept mailbox at the last listing of this run; empty before the first."""

        self._trash: bytes | None = None
        self._left_out: frozenset[MailboxName] = frozenset()

    def is_left_out(self, name: MailboxName) -> bool:
        """Whether a directory of this name is no mailbox that is kept in step, and becomes none by itself."""
        return name in self._left_out or name.upper() == INBOX or not self.patterns.match(name)

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
            if mailbox.is_selectable and self.patterns.keeps(mailbox)
        }

    async def believe(self, listed: Sequence[RemoteMailbox]) -> None:
        """Take nothing from a listing that cannot be true.

        Raises:
            ServerRefused: It is empty or without INBOX although the server had one; try later.
        """
        stored = await self.records()
        if INBOX in stored and not any(mailbox.name == INBOX for mailbox in listed):
            raise ServerRefused(
                "the server lists no INBOX although it had one; nothing is changed until it does",
                status="OK",
                reason="listing_doubtful",
                remedy="look at the account with another mail program; the service tries again by itself",
            )

    async def reconcile(self, listed: Sequence[RemoteMailbox], tally: Tally) -> KnownMailboxes:
        """The mailboxes of this pass; new ones get a record and a directory.

        One whose directory is not ours to take is left out and counted as failed.
        """
        stored = await self.records()
        remote = self.kept(listed)
        records: dict[MailboxName, MailboxRecord] = {}
        fresh: list[MailboxRecord] = []
        for name, mailbox in remote.items():
            record = stored.get(name)
            if record is None:
                record = await self._admit(mailbox, [*stored.values(), *fresh], tally)
                if record is None:
                    continue
                fresh.append(record)
            else:
                record = _as_listed(record, mailbox)
                await self._store.mailboxes.save(record)
            records[name] = record
        if fresh:
            await self._store.mailboxes.save(*fresh, events=self._created(fresh) if stored else ())
        self._served = frozenset(records)
        self._left_out = (
            frozenset(mailbox.name for mailbox in listed if mailbox.is_selectable) - remote.keys()
        )
        self.listed = remote
        self._trash = _trash_of(mailbox for mailbox in listed if mailbox.is_selectable)
        return KnownMailboxes(
            records=records, remote=remote, all_records={**stored, **records}, trash=self._trash
        )

    async def remember_directory(self, name: MailboxName, directory: str) -> None:
        """Keep the mapping where the name alone does not give it; forgotten where it does."""
        before = await self._directories()
        after = {other: place for other, place in before.items() if other != name and place != directory}
        if directory != self._tree.directory_of(name):
            after[name] = directory
        if after != before:
            await self._store.facts.set(self._account, _DIRECTORIES, json.dumps(after) if after else None)

    async def given_directories(self) -> set[str]:
        """Directories that are some mailbox's although their names are another's, with or without a record."""
        return set((await self._directories()).values())

    async def _directories(self) -> dict[MailboxName, str]:
        raw = await self._store.facts.get(self._account, _DIRECTORIES)
        return json.loads(raw) if raw else {}

    async def _admit(
        self, mailbox: RemoteMailbox, others: Sequence[MailboxRecord], tally: Tally
    ) -> MailboxRecord | None:
        """The record of a new mailbox, its directory made; None where the place is taken."""
        directory = (await self._directories()).get(mailbox.name) or self._tree.directory_of(mailbox.name)
        reason = "directory_taken"
        if all(other.directory != directory for other in others):
            try:
                await self._tree.ensure(directory)
            except StoreForeign as exc:
                reason = exc.reason
            except StoreError as exc:
                if exc.reason != "store_io":
                    raise
                reason = exc.reason
            else:
                return self._new_record(mailbox, directory)
        tally.add(PassResult(failed=1))
        self._log.error("mailbox.without_directory", mailbox=mailbox.name, path=directory, reason=reason)
        return None

    def _new_record(self, mailbox: RemoteMailbox, directory: str) -> MailboxRecord:
        return MailboxRecord(
            account=self._account,
            name=mailbox.name,
            wire_name=mailbox.wire_name,
            delimiter=mailbox.delimiter,
            directory=directory,
            special_use=mailbox.special_use,
            mailbox_id=mailbox.mailbox_id,
        )

    def _created(self, records: Iterable[MailboxRecord]) -> tuple[NewEvent, ...]:
        return tuple(
            NewEvent(name=EventName.MAILBOX_CREATED, account=self._account, mailbox=record.name)
            for record in records
        )


def _as_listed(record: MailboxRecord, mailbox: RemoteMailbox) -> MailboxRecord:
    """The record with what the listing says of the mailbox; one that was gone is back."""
    return replace(
        record,
        wire_name=mailbox.wire_name,
        special_use=mailbox.special_use,
        mailbox_id=mailbox.mailbox_id or record.mailbox_id,
        frozen_reason=None if record.frozen_reason == GONE else record.frozen_reason,
    )


def _trash_of(mailboxes: Iterable[MailboxRecord | RemoteMailbox]) -> bytes | None:
    return next((one.wire_name for one in mailboxes if one.special_use is SpecialUse.TRASH), None)
