"""Held deletions over restarts: what waits for a person, and what a person has approved.

A hold is kept until the reason for it is gone or somebody decides; a sliding window that has passed is no decision.
Kept in state.sqlite3, because neither Maildir nor servers can give it back.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, replace

from daemon.model.events import EventName, NewEvent
from daemon.model.ids import AccountId, MailboxName
from daemon.store.store import Store
from daemon.sync.guard import DeletionBreaker, HeldDeletions, Side

_HELD = "held"
_APPROVED = "held_approved"


class Holds:
    """The held deletions of one account."""

    def __init__(self, *, account: AccountId, store: Store, breaker: DeletionBreaker) -> None:
        self._account = account
        self._store = store
        self._breaker = breaker
        self._current: dict[MailboxName, HeldDeletions] = {}
        self._approved = set[MailboxName]()

    @property
    def current(self) -> Mapping[MailboxName, HeldDeletions]:
        return self._current

    def is_approved(self, mailbox: MailboxName) -> bool:
        return mailbox in self._approved

    async def load(self) -> None:
        """Read what was held when the service last ran."""
        for item in json.loads(await self._store.facts.get(self._account, _HELD) or "[]"):
            hold = HeldDeletions(**{**item, "side": Side(item["side"])})
            self._current[hold.mailbox] = hold
        self._approved = set(json.loads(await self._store.facts.get(self._account, _APPROVED) or "[]"))

    async def approve(self, mailbox: MailboxName) -> None:
        """The deletions held in this mailbox go on in the next pass."""
        self._approved.add(mailbox)
        self._breaker.reset(mailbox)
        await self._save()

    async def record(self, held: Iterable[HeldDeletions], *, looked_at: Collection[MailboxName]) -> None:
        """Take over what a pass held; a mailbox looked at with nothing to hold is free again."""
        before = dict(self._current)
        for mailbox in looked_at:
            self._current.pop(mailbox, None)
        for hold in held:
            self._current[hold.mailbox] = hold
        fresh = [hold for name, hold in self._current.items() if name not in before]
        if fresh:
            await self._store.events.append(*(self._event(hold) for hold in fresh))
        if before != self._current:
            await self._save()

    async def spend(self, mailboxes: Collection[MailboxName]) -> None:
        """What was approved in these has been carried out; a pass that ended early spends nothing."""
        spent = self._approved & set(mailboxes)
        if spent:
            self._approved -= spent
            await self._save()

    async def rename(self, old: MailboxName, new: MailboxName) -> None:
        """The mailbox has another name; what is held in it, or approved, goes along."""
        hold = self._current.pop(old, None)
        if hold is not None:
            self._current[new] = replace(hold, mailbox=new)
        is_approved = old in self._approved
        if is_approved:
            self._approved = self._approved - {old} | {new}
        if hold is not None or is_approved:
            await self._save()

    async def drop(self, mailbox: MailboxName) -> None:
        """The mailbox is no more, and nothing is left to decide."""
        hold = self._current.pop(mailbox, None)
        if hold is not None or mailbox in self._approved:
            self._approved -= {mailbox}
            await self._save()

    def _event(self, hold: HeldDeletions) -> NewEvent:
        return NewEvent(
            name=EventName.DELETION_HELD,
            account=self._account,
            mailbox=hold.mailbox,
            data={"count": hold.count, "size": hold.size, "side": hold.side.value, "reason": hold.reason},
        )

    async def _save(self) -> None:
        held = [asdict(hold) for hold in self._current.values()]
        await self._store.facts.set(self._account, _HELD, json.dumps(held) if held else None)
        approved = sorted(self._approved)
        await self._store.facts.set(self._account, _APPROVED, json.dumps(approved) if approved else None)
