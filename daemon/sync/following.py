"""Files follow their messages: what was moved on the server is renamed here, behind an intent.

The order: intents, one rename for each file into the directory of its new mailbox, fsync of the directories, one index
transaction that gives the message its new place and tells of it, intents closed. The message keeps its id, and the flags
that the file shows are both sides' changes together; base takes the server's, so that what was flagged here meanwhile is
pushed by the next pass. A kill between any two steps leaves the file in the old place, where the next pass finds the move
again, or in the new one, where recovery finds it by its intent.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.errors import Blast, StoreError
from daemon.model.events import EventName, NewEvent
from daemon.model.flags import FlagSet
from daemon.model.ids import AccountId, MailboxName
from daemon.model.mailbox import MailboxRecord
from daemon.model.message import Message
from daemon.model.operations import Intent, IntentKind
from daemon.model.passes import PassResult
from daemon.store.base import Arrival
from daemon.store.intents import NewIntent
from daemon.store.maildir.flags import FlagChange, FlagResult
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.actions import MoveLocal, file_of, message_of
from daemon.sync.isolation import isolated
from daemon.sync.moves import moved_event
from daemon.sync.refusals import Asked, Refusals
from daemon.sync.tally import Tally
from daemon.sync.task_errors import to_its_end

FOLLOW_SET: Final = 256  # files behind one intents transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What became of the moves: `unfinished` mailboxes are looked at again, `owed` ones differ in flags or wishes."""

    unfinished: frozenset[MailboxName] = frozenset()
    owed: frozenset[MailboxName] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """Carries out the server's moves of one pass in the tree."""

    account: AccountId
    store: Store
    tree: MaildirTree
    now: float
    log: FilteringBoundLogger
    tally: Tally
    refusals: Refusals

    async def carry_out(
        self, records: Mapping[MailboxName, MailboxRecord], moves: Sequence[MoveLocal]
    ) -> Followed:
        """Have each file where its message is. A file that went away meanwhile is left to the next pass."""
        routes: dict[tuple[MailboxName, MailboxName], list[MoveLocal]] = defaultdict(list)
        for move in moves:
            routes[move.lies_in, move.target].append(move)
        done = set[int]()
        for (origin, target), group in routes.items():
            with isolated(records[target], self.tally, self.log):
                for start in range(0, len(group), FOLLOW_SET):
                    part = group[start : start + FOLLOW_SET]
                    # A cancelled wait would leave the pool renaming files whose intent recovery has closed.
                    followed = await to_its_end(self._follow(records[origin], records[target], part))
                    done.update(map(id, followed))
        left = [move for move in moves if id(move) not in done]
        return Followed(
            unfinished=frozenset(name for move in left for name in (move.source, move.target)),
            owed=frozenset(move.target for move in moves if id(move) in done),
        )

    async def _follow(
        self, origin: MailboxRecord, target: MailboxRecord, moves: Sequence[MoveLocal]
    ) -> list[MoveLocal]:
        """Those of the moves, all on one route, that were made."""
        known = await self.store.messages.get_many([message_of(move.base) for move in moves])
        pairs = [
            (move, message) for move in moves if (message := known.get(message_of(move.base))) is not None
        ]
        intents = await self.store.intents.open([self._intent(target, *pair) for pair in pairs])
        results = await self._rename(origin, target, [move for move, _ in pairs])
        made: list[MoveLocal] = []
        arrivals: list[Arrival] = []
        events: list[NewEvent] = []
        failed: list[int] = []
        for intent, (move, message), result in zip(intents, pairs, results, strict=True):
            if isinstance(result, StoreError):
                if result.blast is not Blast.MESSAGE:
                    raise result
                self._note(move, result)
                failed.append(intent.id)
                continue
            flags = result.flags | move.file.flags
            made.append(move)
            arrivals.append(_arrival(intent, move, message, flags))
            events += followed_events(intent, message, flags)
        await self.store.base.confirm(self.account, target.name, target.uid_validity, arrivals, events)
        await self.store.intents.close(failed, remember=False)
        await self.store.intents.close([intent.id for intent in intents if intent.id not in failed])
        self.tally.add(PassResult(moved=len(made)))
        return made

    async def _rename(
        self, origin: MailboxRecord, target: MailboxRecord, moves: Sequence[MoveLocal]
    ) -> list[FlagResult]:
        if origin.name != target.name:
            files = [move.file for move in moves]
            return await self.tree.move_many(origin.directory, files, target.directory)
        # Moved here as well, to the same mailbox: the file is in its place and may show other flags at most.
        found = await self.tree.find_many([move.file.maildir_name for move in moves], [target.directory])
        shown = {name: entry.flags for name, (_, entry) in found.items()}
        changes = [
            FlagChange(
                maildir_name=move.file.maildir_name,
                add=move.file.flags - shown.get(move.file.maildir_name, move.file.flags),
                remove=shown.get(move.file.maildir_name, move.file.flags) - move.file.flags,
                expected_path=move.file.path,
            )
            for move in moves
        ]
        return await self.tree.set_many_flags(target.directory, changes)

    def _intent(self, target: MailboxRecord, move: MoveLocal, message: Message) -> NewIntent:
        assert target.uid_validity is not None  # noqa: S101 - set when the mailbox was looked at
        content = message.content
        return NewIntent(
            kind=IntentKind.MOVE,
            account=self.account,
            mailbox=target.name,
            uid_validity=target.uid_validity,
            uid=move.entry.uid,
            maildir_name=move.file.maildir_name,
            message_id=message.id,
            flags=move.entry.flags,
            file_size=content.file_size,
            file_sha256=content.file_sha256,
            wire_size=content.wire_size,
            wire_sha256=content.wire_sha256,
            internal_date=message.internal_date,
        )

    def _note(self, move: MoveLocal, error: StoreError) -> None:
        """What cannot be renamed comes down instead, in the next pass; what only went away is looked for again."""
        self.log.info("file.not_moved", mailbox=move.target, reason=error.reason)
        if error.reason != "message_gone":
            self.refusals.note(Asked.FOLLOW, move.source, file_of(move.base), self.now)


def _arrival(intent: Intent, move: MoveLocal, message: Message, flags: FlagSet) -> Arrival:
    return Arrival(
        message_id=message.id,
        uid=move.entry.uid,
        maildir_name=intent.maildir_name,
        flags=flags,
        base_flags=move.entry.flags,
        content=message.content,
        internal_date=message.internal_date,
        mod_seq=move.entry.mod_seq,
        email_id=move.entry.email_id,
    )


def followed_events(intent: Intent, before: Message, flags: FlagSet) -> list[NewEvent]:
    """`message.moved`, and `message.flags` where the message shows others than before; `before` is its row until now."""
    if before.mailbox == intent.mailbox:
        return []  # told already
    events = [moved_event(intent, before.mailbox)]
    if flags != before.flags:
        events.append(
            NewEvent(
                name=EventName.MESSAGE_FLAGS,
                account=intent.account,
                mailbox=intent.mailbox,
                message_id=intent.message_id,
                data={"flags": sorted(flags)},
            )
        )
    return events
