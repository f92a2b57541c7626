"""Subscriptions both ways: those on the server, and the lines of the tree's `subscriptions`, which Dovecot in front reads.

Base is what both sides last agreed on; the side that differs from it has changed and wins, mailbox by mailbox. Only
mailboxes that are kept and listed are looked at. A file that is missing or empty says nothing and is written anew: a
subscription is no mail, but one lost file must not end all of them.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.errors import Blast, ServerRefused, StoreError
from daemon.model.ids import AccountId, MailboxName
from daemon.model.mailbox import MailboxRecord, RemoteMailbox
from daemon.net.imap.client import ImapClient
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store

_BASE: Final = "subscriptions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Mailboxes to subscribe to, or not any more, on either side; `agreed` is the base that follows."""

    subscribe: frozenset[MailboxName]
    unsubscribe: frozenset[MailboxName]
    add_line: frozenset[MailboxName]
    remove_line: frozenset[MailboxName]
    agreed: frozenset[MailboxName]


def merge(
    kept: Collection[MailboxName],
    *,
    base: Collection[MailboxName],
    here: Collection[MailboxName] | None,
    there: Collection[MailboxName],
) -> Difference:
    """What each side must do; `here` None: this side says nothing. Base of mailboxes that are not `kept` stays."""
    wanted = frozenset(
        name
        for name in kept
        if (name in there if here is None or (name in there) != (name in base) else name in here)
    )
    lines = frozenset[MailboxName]() if here is None else frozenset(here)
    return Difference(
        subscribe=wanted.difference(there),
        unsubscribe=frozenset(kept).intersection(there) - wanted,
        add_line=wanted - lines,
        remove_line=frozenset(kept).intersection(lines) - wanted,
        agreed=wanted | frozenset(base).difference(kept),
    )


class Subscriptions:
    """Those of one account."""

    def __init__(
        self, *, account: AccountId, store: Store, tree: MaildirTree, log: FilteringBoundLogger
    ) -> None:
        self._account = account
        self._store = store
        self._tree = tree
        self._log = log

    async def follow(
        self,
        client: ImapClient,
        records: Mapping[MailboxName, MailboxRecord],
        remote: Mapping[MailboxName, RemoteMailbox],
    ) -> None:
        """Bring both sides together; no command is sent where they agree. What one side refuses is tried again."""
        try:
            lines = await self._tree.read_subscriptions()
        except StoreError as exc:
            self._log.warning("subscriptions.unreadable", reason=exc.reason, detail=str(exc))
            return
        names = {record.directory: name for name, record in records.items()}
        here = None if lines is None else {names[line] for line in lines if line in names}
        there = {name for name in records if remote[name].is_subscribed}
        base = await self._base()
        difference = merge(records.keys(), base=base, here=here, there=there)
        agreed = set(difference.agreed)
        for name in sorted(difference.subscribe | difference.unsubscribe):
            if not await self._tell_server(client, records[name], name in difference.subscribe):
                agreed ^= {name}
        if difference.add_line or difference.remove_line:
            is_written = await self._write(
                add=[records[name].directory for name in difference.add_line],
                remove=[records[name].directory for name in difference.remove_line],
            )
            if not is_written:  # else the missing lines would count as removed by somebody
                agreed ^= difference.add_line | difference.remove_line
        await self._keep(agreed, base)

    async def renamed(self, old: MailboxRecord, new: MailboxRecord) -> None:
        """The line and the base of a mailbox follow its name."""
        base = await self._base()
        if old.name in base:
            await self._keep({*base, new.name} - {old.name}, base)
        try:
            lines = await self._tree.read_subscriptions()
        except StoreError:
            return
        if lines and old.directory in lines and old.directory != new.directory:
            await self._write(add=[new.directory], remove=[old.directory])

    async def removed(self, record: MailboxRecord) -> None:
        """The mailbox is gone on both sides."""
        base = await self._base()
        await self._keep(base - {record.name}, base)
        try:
            lines = await self._tree.read_subscriptions()
        except StoreError:
            return
        if lines and record.directory in lines:
            await self._write(add=[], remove=[record.directory])

    async def _tell_server(self, client: ImapClient, record: MailboxRecord, is_wanted: bool) -> bool:
        try:
            if is_wanted:
                await client.subscribe(record.wire_name)
            else:
                await client.unsubscribe(record.wire_name)
        except ServerRefused as exc:
            if exc.blast is Blast.ACCOUNT:
                raise
            self._log.warning("subscription.refused", mailbox=record.name, code=exc.code)
            return False
        self._log.info("subscription.changed", mailbox=record.name, is_subscribed=is_wanted)
        return True

    async def _write(self, *, add: Collection[str], remove: Collection[str]) -> bool:
        """Whether the lines are there now; where another program holds the file, the next pass tries again."""
        try:
            await self._tree.change_subscriptions(add=add, remove=remove)
        except StoreError as exc:
            if exc.blast is not Blast.MAILBOX:
                raise
            self._log.warning("subscriptions.waiting", reason=exc.reason)
            return False
        return True

    async def _base(self) -> frozenset[MailboxName]:
        raw = await self._store.facts.get(self._account, _BASE)
        return frozenset(map(MailboxName, json.loads(raw))) if raw else frozenset()

    async def _keep(self, agreed: Collection[MailboxName], base: Collection[MailboxName]) -> None:
        if set(agreed) != set(base):
            await self._store.facts.set(self._account, _BASE, json.dumps(sorted(agreed)))
