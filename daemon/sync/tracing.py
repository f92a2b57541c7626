r"""Where messages went that are missing from their mailbox: what the server moved, and what was renamed in the tree.

A message that vanished on the server stays here until every mailbox whose UIDNEXT moved has been looked at (one
LIST-STATUS): its file may have to follow it there (sync.md 10). A mailbox that cannot be looked at is waited for, but not
for ever: what is removed too early comes down again, so that only a download is lost. Files whose messages vanished and
that lie elsewhere in the tree were moved on both sides; the server's move counts then, and the file goes there. A file
that was removed here while its message was moved comes down in the new place. A deletion asked for by name follows the
message, except into the \\Trash mailbox of an account whose deletions end there: that is the deletion itself.

Decides which pairs there are by `sync.relocations`; what is done about them is `sync.following`.
"""

from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.ids import AccountId, MailboxName, MessageId, Uid
from daemon.model.mailbox import MailboxRecord, RemoteMailbox, SpecialUse
from daemon.model.operations import OperationKind
from daemon.model.settings import DeleteRule
from daemon.model.uidset import UidSet
from daemon.model.views import BaseEntry, BaseState
from daemon.net.imap.client import ImapClient
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.actions import MailboxFacts, MoveLocal, file_of, message_of
from daemon.sync.behind import behind_in, changed_in
from daemon.sync.bodies import header_digests
from daemon.sync.carried_letters import with_carried_letters
from daemon.sync.isolation import isolated
from daemon.sync.local_scan import view_of
from daemon.sync.mailboxes import KnownMailboxes, MailboxBook
from daemon.sync.plan import flags_after_move
from daemon.sync.refusals import Asked, Refusals
from daemon.sync.relocations import (
    Came,
    Gone,
    Pair,
    Whereabouts,
    less_moved,
    less_renamed,
    less_unread,
    less_waiting,
    pair_by_email_id,
    pair_by_header,
    suspects,
)
from daemon.sync.seen import Seen
from daemon.sync.selecting import select_for_change
from daemon.sync.strays import Place, Strays, find_strays
from daemon.sync.tally import Tally
from daemon.sync.wishes import Wishes

MOST_ROUNDS: Final = 3  # mailboxes that go on changing while they are looked at are left to the next pass
PATIENCE_SECONDS: Final = 600.0


class LookAt(Protocol):
    """Looks at these mailboxes; `beside` is what this pass has seen before."""

    def __call__(
        self, work: Sequence[MailboxRecord], *, beside: Mapping[MailboxName, Seen]
    ) -> Awaitable[Mapping[MailboxName, Seen]]: ...


_Names = frozenset[MailboxName]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """What was seen, less what is explained by a move; and the moves.

    `strays` are files moved here under another name. `is_behind`: something waits that a pass over all mailboxes, made
    now, would settle.
    """

    seen: Mapping[MailboxName, Seen]
    relocations: tuple[MoveLocal, ...] = ()
    strays: Mapping[MessageId, Place]
    is_behind: bool = False


class Tracing:
    """Follows the traces of one account's messages."""

    def __init__(
        self,
        *,
        account: AccountId,
        rule: DeleteRule,
        store: Store,
        tree: MaildirTree,
        book: MailboxBook,
        refusals: Refusals,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._account = account
        self._rule = rule
        self._store = store
        self._tree = tree
        self._book = book
        self._refusals = refusals
        self._clock = clock
        self._log = log
        self._waiting_since: dict[MailboxName, float] = {}

    async def trace(
        self,
        client: ImapClient,
        seen: Mapping[MailboxName, Seen],
        known: KnownMailboxes,
        served: Mapping[MailboxName, MailboxRecord],
        *,
        wishes: Wishes,
        look_at: LookAt,
        failed: _Names,
        tally: Tally,
    ) -> Traced:
        """The moves among what is missing; `look_at` looks at further mailboxes, or at some of `seen` again.

        `failed` could not be looked at in this pass and are not tried again.
        """
        cleared = frozenset[MessageId]()
        sources = await self._possible_sources(seen)
        for _ in range(MOST_ROUNDS):
            fresh = _ids_of(_vanished(seen)) - cleared
            if not fresh and not sources:
                break
            listed = await self._listed(client)
            behind, unknown = behind_in(listed, seen, known, served) if fresh else ({}, frozenset())
            behind |= changed_in(listed, seen, served, sources)
            sources = frozenset()
            tried = [record for name, record in behind.items() if name not in failed]
            more = await look_at(tried, beside=seen) if tried else {}
            seen = {**seen, **more}
            failed |= {record.name for record in tried if record.name not in more}
            if self._must_wait(unknown | (behind.keys() & failed)):
                break
            cleared |= fresh
        seen, found = await with_carried_letters(
            self._store,
            self._tree,
            seen,
            await self._strays(seen, tally),
            _missing_in(seen),
            tally=tally,
            log=self._log,
        )
        strays = found.places
        pairs = await self._pairs(client, seen, strays, tally)
        moves = tuple(
            self._move(lost, came, seen, wishes)
            for lost, came in pairs
            if self._is_to_follow(lost, came, seen, wishes)
        )
        explained = {
            name: replace(
                one,
                facts=less_unread(
                    less_renamed(less_moved(one.facts, moves), strays), found.unread, found.doubtful
                ),
            )
            for name, one in seen.items()
        }
        waiting = _ids_of(_vanished(explained)) - cleared
        if waiting:
            self._log.info("removals.waiting", messages=len(waiting), mailboxes=sorted(self._waiting_since))
        followed = {message_of(move.base) for move in moves}
        return Traced(
            seen={
                name: replace(one, facts=less_waiting(one.facts, waiting)) if waiting else one
                for name, one in explained.items()
            },
            relocations=moves,
            strays={message_id: place for message_id, place in strays.items() if message_id not in followed},
            is_behind=bool(waiting),
        )

    async def _listed(self, client: ImapClient) -> Mapping[MailboxName, RemoteMailbox]:
        """The numbers of all mailboxes that are kept, as of now."""
        # QUIRK Dovecot 2.3: STATUS of the selected mailbox tells what the session has seen, not what there is.
        await client.unselect()
        return self._book.kept(await client.list_mailboxes())

    def _must_wait(self, unseen: _Names) -> bool:
        now = self._clock.now()
        self._waiting_since = {name: self._waiting_since.get(name, now) for name in unseen}
        return any(now - since < PATIENCE_SECONDS for since in self._waiting_since.values())

    async def _possible_sources(self, seen: Mapping[MailboxName, Seen]) -> _Names:
        """Mailboxes that messages which came may have come from, as far as these are not known to be gone there.

        The news from the target may be heard before that from the source; without a second look it would be fetched.
        """
        if not self._store.counts_of(self._account).total:
            return frozenset()
        keys = {
            (entry.internal_date, entry.size)
            for one in seen.values()
            for entry in one.facts.remote_appeared
            if entry.internal_date is not None and entry.size is not None
        }
        alike = await self._store.messages.alike(self._account, keys) if keys else {}
        gone = _ids_of(_vanished(seen))
        return frozenset(name for name, ids in alike.items() if not ids <= gone)

    async def _strays(self, seen: Mapping[MailboxName, Seen], tally: Tally) -> Strays:
        """Where missing files lie under another name; the same name in another mailbox is for the plan to see.

        A mailbox under review is left out: a name that a backup brought back is no move.
        """
        appeared = {
            name: one.facts.local_appeared
            for name, one in seen.items()
            if one.facts.local_appeared and not one.is_under_review
        }
        missing = [entry for _, entry in _missing_in(seen)]
        if not appeared or not missing:
            return Strays()
        new_names = {entry.maildir_name for entries in appeared.values() for entry in entries}
        gone_on_both = _ids_of(
            (name, entry) for name, one in seen.items() for entry in one.facts.gone_on_both
        )
        paired = {file_of(entry) for entry in missing if entry.message_id not in gone_on_both} & new_names
        messages = await self._store.messages.get_many(
            [message_of(entry) for entry in missing if entry.maildir_name not in paired]
        )
        return await find_strays(
            self._tree,
            {name: seen[name].record.directory for name in appeared},
            messages.values(),
            {
                name: [entry for entry in entries if entry.maildir_name not in paired]
                for name, entries in appeared.items()
            },
            tally=tally,
            log=self._log,
        )

    async def _pairs(
        self,
        client: ImapClient,
        seen: Mapping[MailboxName, Seen],
        strays: Mapping[MessageId, Place],
        tally: Tally,
    ) -> list[Pair]:
        came = [
            Came(mailbox=name, entry=entry)
            for name, one in seen.items()
            for entry in one.facts.remote_appeared
        ]
        gone = await self._gone(seen, strays) if came else []
        pairs = pair_by_email_id(gone, came)
        paired_gone = {id(lost) for lost, _ in pairs}
        paired_came = {id(one) for _, one in pairs}
        gone = [lost for lost in gone if id(lost) not in paired_gone]
        came = [one for one in came if id(one) not in paired_came]
        headers: dict[tuple[MailboxName, Uid], bytes] = {}
        for mailbox, uids in suspects(gone, came).items():
            with isolated(seen[mailbox].record, tally, self._log):
                await select_for_change(client, seen[mailbox].record, for_reading=True)
                digests = await header_digests(client, UidSet(uids))
                headers |= {(mailbox, uid): digest for uid, digest in digests.items()}
        return [*pairs, *pair_by_header(gone, came, headers)]

    async def _gone(self, seen: Mapping[MailboxName, Seen], strays: Mapping[MessageId, Place]) -> list[Gone]:
        """The messages that vanished on the server and whose files are known to be somewhere."""
        now = self._clock.now()
        places = {
            message_of(entry): (mailbox, entry, file)
            for mailbox, entry in _lost(seen)
            if entry.message_id is not None
            and (file := _file_of(entry, seen[mailbox], strays)) is not None
            and not self._refusals.is_waiting(Asked.FOLLOW, mailbox, entry.maildir_name, now)
        }
        messages = await self._store.messages.get_many(places.keys())
        names = await self._store.email_ids.of(places.keys())
        return [
            Gone(
                mailbox=mailbox,
                base=entry,
                file=file,
                sizes=frozenset({content.file_size, content.wire_size}),
                internal_date=message.internal_date,
                header_sha256=content.header_sha256,
                wire_sha256=content.wire_sha256,
                email_id=names.get(message.id),
            )
            for message in messages.values()
            for mailbox, entry, file in (places[message.id],)
            for content in (message.content,)
        ]

    def _is_to_follow(self, lost: Gone, came: Came, seen: Mapping[MailboxName, Seen], wishes: Wishes) -> bool:
        """Whether the file goes there: not onto another one, and not where the message was thrown away by name."""
        target = seen[came.mailbox]
        name = lost.file.entry.maildir_name
        if lost.file.mailbox != came.mailbox and name in target.listing.entries:
            return False
        operation = wishes.pending.get(message_of(lost.base))
        return not (
            operation is not None
            and operation.kind is OperationKind.DELETE
            and self._rule is DeleteRule.TRASH
            and target.record.special_use is SpecialUse.TRASH
        )

    def _move(self, lost: Gone, came: Came, seen: Mapping[MailboxName, Seen], wishes: Wishes) -> MoveLocal:
        place, here = lost.file.mailbox, lost.file.entry
        local = view_of(
            place, seen[place].listing, missing=(), operations=wishes.pending.values(), ignored=()
        )
        return MoveLocal(
            source=lost.mailbox,
            target=came.mailbox,
            base=lost.base,
            entry=came.entry,
            lies_in=place,
            file=replace(here, flags=flags_after_move(lost.base, here, local, came.entry.flags)),
        )


def _vanished(seen: Mapping[MailboxName, Seen]) -> Iterator[tuple[MailboxName, BaseEntry]]:
    """Messages whose files are to be removed because the server no longer has them."""
    for name, one in seen.items():
        for entry in (*one.facts.remote_vanished_stated, *one.facts.remote_vanished_inferred):
            yield name, entry


def _lost(seen: Mapping[MailboxName, Seen]) -> Iterator[tuple[MailboxName, BaseEntry]]:
    yield from _vanished(seen)
    for name, one in seen.items():
        for entry in one.facts.gone_on_both:
            if entry.state is BaseState.SYNCED:
                yield name, entry


def _missing_in(seen: Mapping[MailboxName, Seen]) -> Iterator[tuple[MailboxName, BaseEntry]]:
    """Those messages of all mailboxes, but of one under review: a name that a backup brought back is no move."""
    for name, one in seen.items():
        if not one.is_under_review:
            for entry in _without_file(one.facts):
                yield name, entry


def _without_file(facts: MailboxFacts) -> Iterator[BaseEntry]:
    """Messages whose files are proved to be missing from their mailbox."""
    for entry in (*facts.local_vanished, *facts.deleted_and_vanished, *facts.gone_on_both):
        if (
            entry.state is BaseState.SYNCED
            and entry.message_id is not None
            and entry.maildir_name is not None
        ):
            yield entry


def _ids_of(entries: Iterable[tuple[MailboxName, BaseEntry]]) -> frozenset[MessageId]:
    return frozenset(entry.message_id for _, entry in entries if entry.message_id is not None)


def _file_of(entry: BaseEntry, one: Seen, strays: Mapping[MessageId, Place]) -> Whereabouts | None:
    """Where the file is; None where that is not known just now."""
    here = one.listing.entries.get(entry.maildir_name) if entry.maildir_name is not None else None
    if here is not None:
        return Whereabouts(mailbox=one.record.name, entry=here)
    place = strays.get(message_of(entry))
    return None if place is None else Whereabouts(mailbox=place[0], entry=place[1])
