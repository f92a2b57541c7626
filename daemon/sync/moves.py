"""Local moves carried out on the server: UID MOVE behind an intent, no octet of a message crosses the line.

A move needs proof: the file's size and digest are those of base (sync.md 9). A file that is not provably the same
message goes up as a new one, and the next pass finds the old one missing. Where the answer to a MOVE is lost, or says
nothing of the new UIDs, the intent is resolved like an upload's (sync.md 21).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import NotFound, ServerRefused
from daemon.model.events import EventName, NewEvent
from daemon.model.ids import AccountId, MailboxName, MaildirName
from daemon.model.mailbox import MailboxRecord
from daemon.model.operations import Intent
from daemon.model.passes import PassResult
from daemon.model.uidset import UidSet
from daemon.model.views import LocalEntry
from daemon.net.imap.client import ImapClient
from daemon.store.base import Arrival
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.actions import MoveRemote, message_of, uid_of
from daemon.sync.file_facts import FileFacts, readable_facts
from daemon.sync.isolation import isolated
from daemon.sync.refusals import Asked, Refusals
from daemon.sync.selecting import same_validity, select_for_change
from daemon.sync.tally import Tally
from daemon.sync.uploads import arrival_of, is_credible, upload_intent

_Proved = tuple[MoveRemote, FileFacts]


class Moves:
    """Carries out the moves of one pass."""

    def __init__(
        self,
        *,
        account: AccountId,
        store: Store,
        tree: MaildirTree,
        clock: Clock,
        log: FilteringBoundLogger,
        tally: Tally,
        refusals: Refusals,
    ) -> None:
        self._account = account
        self._store = store
        self._tree = tree
        self._clock = clock
        self._log = log
        self._tally = tally
        self._refusals = refusals

    async def carry_out(
        self,
        client: ImapClient,
        records: Mapping[MailboxName, MailboxRecord],
        moves: Sequence[MoveRemote],
    ) -> Mapping[MailboxName, list[LocalEntry]]:
        """Do on the server what was done in the tree; gives the files that were not proved to be the same messages.

        A route that the server refuses is recorded and stays for later; the others go on.
        """
        routes: dict[tuple[MailboxName, MailboxName], list[_Proved]] = defaultdict(list)
        unproved: dict[MailboxName, list[LocalEntry]] = defaultdict(list)
        now = self._clock.now()
        for move in moves:
            if self._refusals.is_waiting(Asked.MOVE, move.target, move.entry.maildir_name, now):
                continue
            target = records[move.target]
            with isolated(target, self._tally, self._log):
                for facts in await readable_facts(
                    self._tree, target.directory, [move.entry], tally=self._tally, log=self._log
                ):
                    if await self._is_same(move, facts):
                        routes[move.source, move.target].append((move, facts))
                    else:
                        unproved[move.target].append(move.entry)
        for (source, goal), proved in routes.items():
            with isolated(records[goal], self._tally, self._log):
                if source == goal:
                    await self._rename(records[goal], proved)
                    continue
                await self._move(client, records[source], records[goal], proved)
        return unproved

    async def _is_same(self, move: MoveRemote, facts: FileFacts) -> bool:
        try:
            base = (await self._store.messages.get(message_of(move.base))).content
        except NotFound:
            return False
        found = facts.content
        return (found.file_sha256, found.file_size) == (base.file_sha256, base.file_size)

    async def _move(
        self,
        client: ImapClient,
        source: MailboxRecord,
        target: MailboxRecord,
        proved: Sequence[_Proved],
    ) -> None:
        status = await client.status(target.wire_name)
        validity = same_validity(target, status.uid_validity)
        await self._select(client, source, target, proved)
        intents = await self._store.intents.open(
            [
                upload_intent(
                    target,
                    validity,
                    status.uid_next,
                    file,
                    message_id=message_of(move.base),
                    flags=move.base.flags,
                )
                for move, file in proved
            ]
        )
        try:
            result = await client.move(UidSet(uid_of(move.base) for move, _ in proved), target.wire_name)
        except ServerRefused as refusal:
            # Some sets may have gone before the one that was refused: the intents stay, to be resolved.
            self._note_refusal(target, [move.entry.maildir_name for move, _ in proved], refusal)
            raise
        arrived = {
            intent.message_id: (intent, arrival_of(intent, uid, file.content, move.entry.flags))
            for intent, (move, file) in zip(intents, proved, strict=True)
            if (uid := result.pairs.get(uid_of(move.base))) is not None
            and is_credible(uid, result.uid_validity, intent)
        }
        refused = await self._store.base.confirm(
            self._account,
            target.name,
            validity,
            [arrival for _, arrival in arrived.values()],
            [moved_event(intent, source.name) for intent, _ in arrived.values()],
        )
        await self._store.intents.close(
            [intent.id for message_id, (intent, _) in arrived.items() if message_id not in refused]
        )
        # One without a new UID has moved all the same; its row follows when the intent is resolved.
        self._tally.add(PassResult(moved=len(intents)))

    async def _rename(self, record: MailboxRecord, proved: Sequence[_Proved]) -> None:
        """Note the unique names that these files have now; the server knows nothing of them."""
        await self._store.intents.remember(
            self._account,
            record.name,
            {facts.entry.maildir_name: message_of(move.base) for move, facts in proved},
        )
        known = await self._store.messages.get_many([message_of(move.base) for move, _ in proved])
        arrivals = [
            Arrival(
                message_id=message_of(move.base),
                uid=move.base.uid,
                maildir_name=facts.entry.maildir_name,
                flags=message.flags,  # whatever else changed about the file shows against the new name
                base_flags=move.base.flags,
                content=facts.content,
                internal_date=message.internal_date,
            )
            for move, facts in proved
            if (message := known.get(message_of(move.base))) is not None
        ]
        await self._store.base.confirm(self._account, record.name, record.uid_validity, arrivals)
        self._tally.add(PassResult(moved=len(arrivals)))

    async def _select(
        self, client: ImapClient, source: MailboxRecord, target: MailboxRecord, proved: Sequence[_Proved]
    ) -> None:
        try:
            await select_for_change(client, source)
        except ServerRefused as refusal:
            self._note_refusal(target, [move.entry.maildir_name for move, _ in proved], refusal)
            raise

    def _note_refusal(
        self, target: MailboxRecord, names: Collection[MaildirName], refusal: ServerRefused
    ) -> None:
        now = self._clock.now()
        for name in names:
            self._refusals.note(Asked.MOVE, target.name, name, now)
        self._log.warning("move.refused", mailbox=target.name, messages=len(names), reason=refusal.reason)


def moved_event(intent: Intent, source: MailboxName) -> NewEvent:
    """`message.moved`, from `source` to the intent's mailbox."""
    return NewEvent(
        name=EventName.MESSAGE_MOVED,
        account=intent.account,
        mailbox=intent.mailbox,
        message_id=intent.message_id,
        data={"from": source, "to": intent.mailbox},
    )
