"""Held deletions over restarts: what waits for a person, and what a person has approved.

A hold is kept until the reason for it is gone or somebody decides; a sliding window that has passed is no decision. An
approval is of the messages that the hold named, by their UIDs: it lets these go and none that is missed later, whichever
passes fail and whenever the process dies. What was carried out, or is not missing any more, leaves it at once.
Kept in state.sqlite3, because neither Maildir nor servers can give it back.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from daemon.model.events import EventName, NewEvent
from daemon.model.ids import AccountId, MailboxName, Uid
from daemon.model.uidset import UidSet
from daemon.model.views import BaseEntry
from daemon.store.store import Store
from daemon.sync.actions import MailboxFacts
from daemon.sync.guard import DIRECTORY_LOST, DeletionBreaker, HeldDeletions, Side

_HELD = "held"
_APPROVED = "held_approved"
_NONE: Final = UidSet()


class Holds:
    """The held deletions of one account."""

    def __init__(self, *, account: AccountId, store: Store, breaker: DeletionBreaker) -> None:
        self._account = account
        self._store = store
        self._breaker = breaker
        self._current: dict[MailboxName, HeldDeletions] = {}
        self._approved: dict[MailboxName, HeldDeletions] = {}

    @property
    def current(self) -> Mapping[MailboxName, HeldDeletions]:
        return self._current

    @property
    def undone(self) -> Collection[MailboxName]:
        """Mailboxes where something that was approved has not been carried out."""
        return self._approved.keys()

    def approved(self, mailbox: MailboxName) -> HeldDeletions | None:
        """The hold that a person has approved, as far as it has not been carried out."""
        return self._approved.get(mailbox)

    async def load(self) -> None:
        """Read what was held when the service last ran."""
        self._current = await self._read(_HELD)
        self._approved = await self._read(_APPROVED)

    async def approve(self, mailbox: MailboxName) -> None:
        """The deletions held in this mailbox now go on in the next pass; nothing happens where none are."""
        hold = self._current.get(mailbox)
        if hold is None:
            return
        self._approved[mailbox] = hold
        self._breaker.reset(mailbox)
        await self._save()

    async def record(
        self,
        held: Iterable[HeldDeletions],
        *,
        looked_at: Collection[MailboxName],
        undecided: Mapping[MailboxName, UidSet],
    ) -> None:
        """Take over what a pass held; a mailbox looked at with nothing to hold is free again.

        Of `undecided` messages nothing was found out: a hold of theirs stays.
        """
        before = dict(self._current)
        for mailbox in looked_at:
            hold = self._current.pop(mailbox, None)
            if hold is not None and (left := _both(hold.uids, undecided.get(mailbox, _NONE))):
                self._current[mailbox] = hold.only(left)
        for hold in held:
            earlier = before.get(hold.mailbox)
            if hold.reason == DIRECTORY_LOST:
                hold = await self._of_all(hold, earlier)  # noqa: PLW2901 - the same hold, with what it is of
            self._current[hold.mailbox] = hold
        fresh = [
            hold
            for name, hold in self._current.items()
            if name not in before or before[name].since != hold.since
        ]
        if fresh:
            await self._store.events.append(*(self._event(hold) for hold in fresh))
        if before != self._current:
            await self._save()

    async def confine(self, facts: Iterable[MailboxFacts]) -> None:
        """Take out of the approvals what is not missing any more in these mailboxes, which were looked at whole."""
        before = dict(self._approved)
        for fact in facts:
            approved = self._approved.get(fact.mailbox)
            if approved is not None:
                missing = [*fact.undecided]
                if approved.side is Side.THERE:
                    missing += fact.local_vanished
                if approved.side is Side.HERE or approved.reason == DIRECTORY_LOST:
                    missing += (*fact.remote_vanished_stated, *fact.remote_vanished_inferred)
                self._leave(approved, _both(approved.uids, uids_of(missing)))
        if before != self._approved:
            await self._save()

    async def spend(self, carried_out: Mapping[MailboxName, Collection[Uid]]) -> None:
        """These deletions have been carried out; a pass that ended early has spent those that it came to."""
        before = dict(self._approved)
        for mailbox, uids in carried_out.items():
            approved = self._approved.get(mailbox)
            if approved is not None:
                self._leave(approved, UidSet(uid for uid in approved.uids if uid not in uids))
        if before != self._approved:
            await self._save()

    async def withdraw(self, mailboxes: Collection[MailboxName]) -> None:
        """Nothing is left to be done about what was approved in these."""
        if not self._approved.keys().isdisjoint(mailboxes):
            self._approved = {name: hold for name, hold in self._approved.items() if name not in mailboxes}
            await self._save()

    async def _of_all(self, hold: HeldDeletions, earlier: HeldDeletions | None) -> HeldDeletions:
        """The hold of a mailbox whose directory is lost: of all its messages, and as old as the loss."""
        base = await self._store.base.load(self._account, hold.mailbox)
        return replace(
            hold,
            since=earlier.since if earlier is not None and earlier.reason == hold.reason else hold.since,
            uid_validity=base.uid_validity,
            uids=uids_of(entry for entry in base.entries if entry.maildir_name is not None),
        )

    def _leave(self, approved: HeldDeletions, uids: UidSet) -> None:
        if uids:
            self._approved[approved.mailbox] = approved.only(uids)
        else:
            del self._approved[approved.mailbox]

    async def rename(self, old: MailboxName, new: MailboxName) -> None:
        """The mailbox has another name; what is held in it, or approved, goes along."""
        hold = self._current.pop(old, None)
        if hold is not None:
            self._current[new] = replace(hold, mailbox=new)
        approved = self._approved.pop(old, None)
        if approved is not None:
            self._approved[new] = replace(approved, mailbox=new)
        if hold is not None or approved is not None:
            await self._save()

    async def drop(self, mailbox: MailboxName) -> None:
        """The mailbox is no more, and nothing is left to decide."""
        hold = self._current.pop(mailbox, None)
        if self._approved.pop(mailbox, None) is not None or hold is not None:
            await self._save()

    def _event(self, hold: HeldDeletions) -> NewEvent:
        return NewEvent(
            name=EventName.DELETION_HELD,
            account=self._account,
            mailbox=hold.mailbox,
            data={"count": hold.count, "size": hold.size, "side": hold.side.value, "reason": hold.reason},
        )

    async def _read(self, key: str) -> dict[MailboxName, HeldDeletions]:
        stored = json.loads(await self._store.facts.get(self._account, key) or "[]")
        # An approval by an older version names a mailbox and no messages: it is asked for again.
        holds = [_from_json(item) for item in stored if isinstance(item, dict)]
        return {hold.mailbox: hold for hold in holds}

    async def _save(self) -> None:
        await self._write(_HELD, self._current)
        await self._write(_APPROVED, self._approved)

    async def _write(self, key: str, holds: Mapping[MailboxName, HeldDeletions]) -> None:
        text = json.dumps(
            [{**asdict(replace(hold, uids=_NONE)), "uids": str(hold.uids)} for hold in holds.values()]
        )
        await self._store.facts.set(self._account, key, text if holds else None)


def uids_of(entries: Iterable[BaseEntry]) -> UidSet:
    """The UIDs of those that have one."""
    return UidSet(entry.uid for entry in entries if entry.uid is not None)


def _both(one: UidSet, other: UidSet) -> UidSet:
    return UidSet(uid for uid in one if uid in other) if other else other


def _from_json(item: dict[str, Any]) -> HeldDeletions:
    uids = item.get("uids")
    return HeldDeletions(
        **{**item, "side": Side(item["side"]), "uids": UidSet.parse(uids) if uids else UidSet()}
    )
