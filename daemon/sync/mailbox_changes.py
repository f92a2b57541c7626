"""Mailboxes created and renamed, carried over to the other side; what they are is said by `sync.mailbox_plan`.

One listing a pass where nothing changed. A rename is noted before it is done: of one whose answer was lost the next
listing tells whether it happened. Directories are claimed and records made by `sync.mailboxes` from the listing that
follows. What one side refuses is said once, tried again later, and keeps nothing else waiting.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import Blast, LocalProtocolError, MailError, ServerRefused
from daemon.model.events import EventName, NewEvent
from daemon.model.ids import AccountId, MailboxName
from daemon.model.mailbox import MailboxRecord, RemoteMailbox
from daemon.model.passes import PassResult
from daemon.net.imap.client import ImapClient
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.backups import Backups
from daemon.sync.holds import Holds
from daemon.sync.mailbox_plan import (
    ASIDE,
    Boxes,
    BoxPlan,
    CreateThere,
    LeftAlone,
    Obstacle,
    PutBack,
    RenameHere,
    RenameThere,
    doubtful_renames,
    plan_boxes,
)
from daemon.sync.mailboxes import MailboxBook
from daemon.sync.places import Places
from daemon.sync.refusals import REFUSAL_RETRY_SECONDS
from daemon.sync.samples import is_same_mailbox
from daemon.sync.subscriptions import Subscriptions
from daemon.sync.tally import Tally

MOST_ROUNDS: Final = 20  # renames within renamed mailboxes; deeper trees go on in the next pass
_NOTE: Final = "mailbox_rename"


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """The listing to work from, and kept mailboxes that it does not have."""

    listed: Sequence[RemoteMailbox]
    missing: tuple[MailboxRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rename:
    """A rename that may or may not have happened on the side where it is `to` be done."""

    to: str
    old: MailboxName
    name: MailboxName
    wire: str
    delimiter: str | None
    mailbox_id: str | None
    directory: str
    target: str


class MailboxChanges:
    """Follows what was done to the mailboxes of one account."""

    def __init__(
        self,
        *,
        account: AccountId,
        store: Store,
        tree: MaildirTree,
        book: MailboxBook,
        holds: Holds,
        backups: Backups,
        subscriptions: Subscriptions,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._account = account
        self._store = store
        self._tree = tree
        self._book = book
        self._holds = holds
        self._backups = backups
        self._subscriptions = subscriptions
        self._places = Places(
            account=account, store=store, tree=tree, book=book, subscriptions=subscriptions, log=log
        )
        self._clock = clock
        self._log = log
        self._waiting: dict[str, float] = {}
        self._said = set[tuple[str, str]]()

    async def recover(self) -> None:
        """Finish a rename of a directory that the last run had begun; no network."""
        note = await self._note()
        if note is not None and note.to == "here":
            await self._finish(note)

    async def follow(self, client: ImapClient, listed: Sequence[RemoteMailbox], tally: Tally) -> Followed:
        """Make every change that can be made; the listing is asked for again only after something was done there.

        Raises:
            MailError: What stops the account. What had been begun is made whole by the next pass.
        """
        await self._resolve(listed)
        stuck = set[MailboxName]()
        proved = set[tuple[MailboxName, MailboxName]]()
        for _ in range(MOST_ROUNDS):
            boxes = replace(await self._look(listed), proved=proved)
            found = await self._prove(client, boxes)
            if found - proved:
                proved |= found
                boxes = replace(boxes, proved=proved)
            plan = plan_boxes(boxes)
            local: tuple[PutBack | RenameHere, ...] = (*plan.put_back, *plan.renames_here)
            here = [change for change in local if change.record.name not in stuck]
            for rename in here:
                if not await self._guarded(rename.record.name, tally, partial(self._change_here, rename)):
                    stuck.add(rename.record.name)
            if here:
                continue
            if not plan.renames_there and not plan.creations:
                break
            await self._change_there(client, plan, boxes, tally)
            listed = await client.list_mailboxes()
        self._report(plan.left_alone, tally)
        return Followed(listed=listed, missing=plan.missing)

    # -- looking

    async def _look(self, listed: Sequence[RemoteMailbox]) -> Boxes:
        records = await self._book.records()
        places = frozenset(await self._tree.list_directories())
        known = {record.directory for record in records.values()} | await self._book.given_directories()
        strangers = [
            stranger
            for directory in sorted(places - known - {"."})
            if (stranger := await self._tree.look_at(directory)) is not None
        ]
        roles = {mailbox.name for mailbox in listed if not self._book.patterns.keeps(mailbox)}
        roles |= {name for name, record in records.items() if not self._book.patterns.keeps(record)}
        lost = {}
        for name, record in records.items():
            if record.directory not in places and name not in roles:
                base = await self._store.base.load(self._account, name)
                lost[name] = frozenset(entry.maildir_name for entry in base.entries if entry.maildir_name)
        now = self._clock.now()
        self._waiting = {what: until for what, until in self._waiting.items() if until > now}
        return Boxes(
            records=records,
            listed=listed,
            kept=lambda name: name not in roles and self._book.patterns.match(name),
            strangers=strangers,
            lost=lost,
            waiting=self._waiting.keys(),
            under_review=self._backups.review.mailboxes,
        )

    async def _prove(self, client: ImapClient, boxes: Boxes) -> set[tuple[MailboxName, MailboxName]]:
        """Pairs whose messages show that they are one mailbox."""
        found = set[tuple[MailboxName, MailboxName]]()
        for record, remote in doubtful_renames(boxes):
            if any(record.name == old or remote.name == new for old, new in found):
                continue
            if await is_same_mailbox(client, self._store, record, remote):
                found.add((record.name, remote.name))
        return found

    # -- on this side

    async def _change_here(self, change: PutBack | RenameHere) -> None:
        if isinstance(change, RenameHere):
            await self._rename_here(change)
        else:
            await self._tree.rename_directory(change.directory, change.record.directory)

    async def _rename_here(self, change: RenameHere) -> None:
        record, remote = change.record, change.remote
        target = self._tree.directory_of(remote.name)
        self._places.require_free(record, target, list((await self._book.records()).values()))
        await self._begin_and_finish(
            _Rename(
                to="here",
                old=record.name,
                name=remote.name,
                wire=remote.wire_name.hex(),
                delimiter=remote.delimiter,
                mailbox_id=remote.mailbox_id or record.mailbox_id,
                directory=change.directory or record.directory,
                target=target,
            )
        )

    async def _begin_and_finish(self, note: _Rename) -> None:
        await self._write_note(note)
        await self._finish(note)

    async def _finish(self, note: _Rename) -> None:
        """The local half of a rename; each step counts as done when it is."""
        records = await self._book.records()
        record = records.get(note.old) or records.get(note.name)
        if record is not None:
            directory = note.directory
            if note.to == "here":
                others = [other for other in records.values() if other.name != record.name]
                directory = await self._places.move(note.old, note.directory, note.target, others)
            await self._adopt_name(records.get(note.old), record, note, directory)
        await self._write_note(None)

    async def _adopt_name(
        self, old: MailboxRecord | None, record: MailboxRecord, note: _Rename, directory: str
    ) -> None:
        renamed = replace(
            record,
            name=note.name,
            wire_name=bytes.fromhex(note.wire),
            delimiter=note.delimiter,
            mailbox_id=note.mailbox_id,
            directory=directory,
        )
        await self._book.remember_directory(note.name, directory)
        await self._holds.rename(note.old, note.name)
        await self._backups.rename(note.old, note.name)
        await self._subscriptions.renamed(old or replace(record, name=note.old), renamed)
        event = NewEvent(
            name=EventName.MAILBOX_RENAMED,
            account=self._account,
            mailbox=note.name,
            data={"from": note.old, "to": note.name},
        )
        is_passing = note.name.endswith(ASIDE)
        await self._store.mailboxes.rename(note.old, renamed, [] if is_passing else [event])
        self._log.info("mailbox.renamed", mailbox=note.name, was=note.old, path=directory)

    # -- on the server

    async def _change_there(self, client: ImapClient, plan: BoxPlan, boxes: Boxes, tally: Tally) -> None:
        names = {mailbox.name: mailbox for mailbox in boxes.listed}
        for rename in plan.renames_there:
            is_subscribed = names[rename.record.name].is_subscribed
            await self._guarded(
                rename.directory,
                tally,
                partial(self._rename_there, client, rename, names.keys(), is_subscribed=is_subscribed),
            )
        for creation in plan.creations:
            await self._guarded(
                creation.directory, tally, partial(self._create, client, creation, names.keys())
            )

    async def _rename_there(
        self, client: ImapClient, change: RenameThere, taken: Collection[MailboxName], *, is_subscribed: bool
    ) -> None:
        record = change.record
        wire_name, name = _names_there(client, change.name, taken)
        note = _Rename(
            to="there",
            old=record.name,
            name=name,
            wire=wire_name.hex(),
            delimiter=record.delimiter,
            mailbox_id=record.mailbox_id,
            directory=change.directory,
            target=change.directory,
        )
        await self._write_note(note)
        try:
            await client.rename(record.wire_name, wire_name)
        except ServerRefused as refusal:
            if refusal.blast is not Blast.ACCOUNT:
                await self._write_note(None)
            raise
        await self._finish(note)
        if is_subscribed:
            await self._quietly(client.subscribe(wire_name))
            await self._quietly(client.unsubscribe(record.wire_name))

    async def _create(self, client: ImapClient, change: CreateThere, taken: Collection[MailboxName]) -> None:
        wire_name, name = _names_there(client, change.name, taken)
        await self._book.remember_directory(name, change.directory)
        try:
            await client.create(wire_name)
        except ServerRefused as refusal:
            if refusal.blast is Blast.ACCOUNT or "/" not in name or refusal.code == "ALREADYEXISTS":
                raise
            await self._create_parents(client, name)
            await client.create(wire_name)
        await self._quietly(client.subscribe(wire_name))
        self._log.info("mailbox.created_there", mailbox=name, path=change.directory)

    async def _create_parents(self, client: ImapClient, name: MailboxName) -> None:
        """For servers that make none by themselves, although they should (RFC 9051 §6.3.4)."""
        parts = name.split("/")
        for depth in range(1, len(parts)):
            await self._quietly(client.create(client.wire_name_for(MailboxName("/".join(parts[:depth])))))

    async def _quietly(self, command: Awaitable[None]) -> None:
        """Done if the server will; the mailbox is the same without it."""
        try:
            await command
        except ServerRefused as refusal:
            if refusal.blast is Blast.ACCOUNT:
                raise

    # -- what does not go

    async def _guarded(self, what: str, tally: Tally, work: Callable[[], Awaitable[None]]) -> bool:
        """Whether it was done; a fault of this one mailbox keeps the others from nothing."""
        try:
            await work()
        except LocalProtocolError as exc:
            self._refused(what, exc, tally)
        except MailError as exc:
            if exc.blast in {Blast.ACCOUNT, Blast.SERVICE}:
                raise
            self._refused(what, exc, tally)
        else:
            return True
        return False

    def _refused(self, what: str, refusal: MailError, tally: Tally) -> None:
        self._waiting[what] = self._clock.now() + REFUSAL_RETRY_SECONDS
        tally.add(PassResult(failed=1))
        if (what, refusal.reason) not in self._said:
            self._said.add((what, refusal.reason))
            self._log.warning("mailbox.refused", path=what, reason=refusal.reason, detail=str(refusal))

    def _report(self, left_alone: Sequence[LeftAlone], tally: Tally) -> None:
        for one in left_alone:
            if one.why is Obstacle.FOREIGN:
                tally.add(PassResult(failed=1))
            if one.why is Obstacle.EXCLUDED or (one.directory, one.why) in self._said:
                continue
            self._said.add((one.directory, one.why))
            self._log.warning("directory.left_alone", path=one.directory, reason=one.why.value)

    # -- the note

    async def _resolve(self, listed: Sequence[RemoteMailbox]) -> None:
        """A rename asked of the server whose answer is not known: the listing shows whether it happened."""
        note = await self._note()
        if note is None:
            return
        if note.to == "here":
            await self._finish(note)
            return
        record = (await self._book.records()).get(note.old)
        there = {mailbox.wire_name.hex() for mailbox in listed if mailbox.is_selectable}
        if record is not None and note.wire in there and record.wire_name.hex() not in there:
            await self._finish(note)
        else:
            await self._write_note(None)

    async def _note(self) -> _Rename | None:
        raw = await self._store.facts.get(self._account, _NOTE)
        return _Rename(**json.loads(raw)) if raw else None

    async def _write_note(self, note: _Rename | None) -> None:
        text = json.dumps({name: getattr(note, name) for name in _Rename.__slots__}) if note else None
        await self._store.facts.set(self._account, _NOTE, text)


def _names_there(
    client: ImapClient, wanted: MailboxName, taken: Collection[MailboxName]
) -> tuple[bytes, MailboxName]:
    """The wire name, and the name a listing will show for it; LocalProtocolError where there can be none."""
    wire_name = client.wire_name_for(wanted)
    name = client.name_for(wire_name)
    if name in taken:
        raise LocalProtocolError(f"{wanted!r} is {name!r} on the server, which exists", reason="name_taken")
    return wire_name, name
