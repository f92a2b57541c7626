"""Flag changes carried out: pushed to the server, applied to files, agreed in base.

Base is written only after both sides have what it says, so a crash in between repeats the change, which is harmless.
What the server refuses, or says yes to and does not do, stays as the file's own: base keeps the server's word, and it is
asked again after a while only (faults.md S28).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import Blast, StoreError
from daemon.model.events import EventName, NewEvent
from daemon.model.flags import FlagSet, in_spelling_of
from daemon.model.ids import AccountId, MessageId, Uid
from daemon.model.mailbox import MailboxRecord
from daemon.model.operations import OperationKind
from daemon.model.passes import PassResult
from daemon.model.uidset import UidSet
from daemon.model.views import RemoteView
from daemon.net.imap.client import ImapClient
from daemon.store.base import FlagUpdate
from daemon.store.maildir.flags import FlagChange
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.actions import ChangeFlags, FlagDifference, file_of, message_of, uid_of
from daemon.sync.plan import storable
from daemon.sync.refusals import Asked, Refusals
from daemon.sync.selecting import select_for_change
from daemon.sync.tally import Tally
from daemon.sync.wishes import Wishes


class FlagChanges:
    """Carries out the flag changes of one pass."""

    def __init__(
        self,
        *,
        account: AccountId,
        store: Store,
        tree: MaildirTree,
        clock: Clock,
        log: FilteringBoundLogger,
        tally: Tally,
        wishes: Wishes,
        refusals: Refusals,
    ) -> None:
        self._account = account
        self._store = store
        self._tree = tree
        self._clock = clock
        self._log = log
        self._tally = tally
        self._wishes = wishes
        self._refusals = refusals

    async def apply(
        self, client: ImapClient, record: MailboxRecord, actions: Sequence[ChangeFlags]
    ) -> Mapping[MessageId, FlagSet]:
        """Server, file and base agree afterwards, but for what the server would not do.

        Returns the flags that both sides have now, of the messages that were looked at here.
        """
        differences = [action.difference for action in actions]
        undone = await self._push(client, record, differences)
        shown = await self._apply_to_files(record, differences)
        agreed: dict[MessageId, FlagSet] = {}
        updates: list[FlagUpdate] = []
        events: list[NewEvent] = []
        changed = 0
        for difference in differences:
            message_id = message_of(difference.base)
            if message_id not in shown:
                continue  # the file went away meanwhile: the next pass sees why
            is_unmatched = difference.base.uid is None
            agreed[message_id] = _agreed(difference, undone.get(difference.base.uid))
            updates.append(
                FlagUpdate(
                    message_id=message_id,
                    flags=shown[message_id],
                    base_flags=None if is_unmatched else agreed[message_id],
                )
            )
            if is_unmatched or _is_done(difference, agreed[message_id]):
                changed += 1
                events.append(
                    NewEvent(
                        name=EventName.MESSAGE_FLAGS,
                        account=self._account,
                        mailbox=record.name,
                        message_id=message_id,
                        data={"flags": sorted(shown[message_id])},
                    )
                )
        await self._store.base.record_flags(self._account, record.name, updates, events)
        self._tally.add(PassResult(flags_changed=changed))
        return agreed

    async def settle_wishes(
        self, record: MailboxRecord, remote: RemoteView, agreed: Mapping[MessageId, FlagSet]
    ) -> None:
        """Finish the wishes that base now fulfils, and fail those the server never will; `agreed` has base's flags."""
        for message_id, flags in agreed.items():
            operation = self._wishes.pending.get(message_id)
            if operation is None or operation.kind is not OperationKind.FLAGS:
                continue
            add, remove = (in_spelling_of(wish, flags) for wish in (operation.add, operation.remove))
            unmet = (add - flags) | (remove & flags)
            if not unmet:
                await self._wishes.applied(message_id)
            elif remote.is_read_only:
                await self._wishes.failed(
                    message_id, "read_only", f"{record.name} can only be read on the server"
                )
            elif unmet - storable(unmet, remote):
                words = ", ".join(sorted(unmet))
                await self._wishes.failed(
                    message_id, "flag_not_kept", f"{record.name} does not keep these flags: {words}"
                )

    async def _push(
        self, client: ImapClient, record: MailboxRecord, differences: Sequence[FlagDifference]
    ) -> Mapping[Uid | None, tuple[FlagSet, FlagSet]]:
        """STORE what differs there, messages with the same change in one command.

        Returns, by UID, the additions and removals that the server has not made.
        """
        undone: dict[Uid | None, tuple[FlagSet, FlagSet]] = {}
        groups: dict[tuple[FlagSet, FlagSet], list[FlagDifference]] = defaultdict(list)
        for difference in differences:
            change = (difference.push_add, difference.push_remove)
            if not any(change):
                continue
            if self._is_waiting(record, difference):
                undone[uid_of(difference.base)] = change
            else:
                groups[change].append(difference)
        if not groups:
            return undone
        await select_for_change(client, record)
        changes = [
            (UidSet(uid_of(difference.base) for difference in group), add, remove)
            for (add, remove), group in groups.items()
        ]
        verdicts = await client.store_many(changes)
        now = await self._flags_there(client, changes)
        for (add, remove), verdict in zip(groups, verdicts, strict=True):
            if verdict is not None and verdict.blast is Blast.ACCOUNT:
                raise verdict
            for difference in groups[add, remove]:
                uid = uid_of(difference.base)
                flags = now.get(uid)
                if flags is None:
                    missed = (add, remove)
                    if verdict is None:
                        # OK is said of a message that is gone as well. It may have been moved: what was meant for it goes
                        # with it, as long as base does not claim that the server has it.
                        undone[uid] = missed
                        continue
                else:
                    flags = in_spelling_of(flags, add | remove)
                    missed = (add - flags, remove & flags)
                if any(missed):
                    undone[uid] = missed
                    reason = verdict.reason if verdict is not None else "ignored"
                    detail = str(verdict) if verdict is not None else "the server did not change the flags"
                    await self._note_refusal(record, difference, reason, detail)
        return undone

    async def _flags_there(
        self, client: ImapClient, changes: Sequence[tuple[UidSet, FlagSet, FlagSet]]
    ) -> Mapping[Uid, FlagSet]:
        """What the server has after the change: OK alone is believed by no one who was ever lied to."""
        uids = UidSet.from_ranges(part for uids, _, _ in changes for part in uids.ranges)
        scan = await client.fetch_entries(uids, with_size=False)
        return {entry.uid: entry.flags for entry in scan.entries}

    def _is_waiting(self, record: MailboxRecord, difference: FlagDifference) -> bool:
        """Whether this was refused a moment ago; a wish by name is always worth a try."""
        base = difference.base
        return message_of(base) not in self._wishes.pending and self._refusals.is_waiting(
            Asked.FLAGS, record.name, base.maildir_name, self._clock.now()
        )

    async def _note_refusal(
        self, record: MailboxRecord, difference: FlagDifference, reason: str, detail: str
    ) -> None:
        self._log.warning("flags.refused", mailbox=record.name, uid=difference.base.uid, reason=reason)
        self._refusals.note(Asked.FLAGS, record.name, file_of(difference.base), self._clock.now())
        self._tally.add(PassResult(failed=1))
        await self._wishes.failed(message_of(difference.base), reason, detail)

    async def _apply_to_files(
        self, record: MailboxRecord, differences: Sequence[FlagDifference]
    ) -> Mapping[MessageId, FlagSet]:
        """The flags each message shows now: what its file says, and keywords that no file can show."""
        shown: dict[MessageId, FlagSet] = {}
        renames: list[tuple[FlagDifference, FlagChange]] = []
        for difference in differences:
            if difference.local_path is None or not (difference.local_add or difference.local_remove):
                shown[message_of(difference.base)] = difference.merged
                continue
            change = FlagChange(
                maildir_name=file_of(difference.base),
                add=difference.local_add,
                remove=difference.local_remove,
                expected_path=difference.local_path,
            )
            renames.append((difference, change))
        if renames:
            results = await self._tree.set_many_flags(record.directory, [change for _, change in renames])
            for (difference, _), result in zip(renames, results, strict=True):
                if isinstance(result, StoreError):
                    if result.blast is not Blast.MESSAGE:
                        raise result
                    self._log.info("file.not_renamed", mailbox=record.name, reason=result.reason)
                    continue
                in_file = in_spelling_of(result.flags, difference.merged)
                shown[message_of(difference.base)] = in_file | difference.merged
        return shown


def _agreed(difference: FlagDifference, undone: tuple[FlagSet, FlagSet] | None) -> FlagSet:
    """What both sides have: the merged flags, less what the server has not done."""
    if undone is None:
        return difference.merged
    missed_add, missed_remove = undone
    return (difference.merged - missed_add) | missed_remove


def _is_done(difference: FlagDifference, agreed: FlagSet) -> bool:
    """Whether anything changed anywhere: what waits for another try is no change."""
    return bool(agreed != difference.base.flags or difference.local_add or difference.local_remove)
