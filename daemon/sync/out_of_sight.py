"""Files moved to where nothing is kept in step: into a directory that config excludes, or that can be no mailbox.

Such a move is no deletion and asks nothing of the server: the message stays there, its row says that the file lies aside,
and it is not fetched again. A file that comes back is the same message, in whichever mailbox and under whichever name
(sync.md 9): by its row where it was, else as a move, proved by its octets. Costs nothing while nothing is missing and
nothing aside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from structlog.typing import FilteringBoundLogger

from daemon.model.ids import AccountId, MailboxName, MessageId
from daemon.model.mailbox import MailboxRecord, Owner
from daemon.model.views import BaseEntry, BaseState, RemoteView
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.mailbox_plan import GONE
from daemon.sync.mailboxes import MailboxBook
from daemon.sync.seen import Seen
from daemon.sync.strays import Place, find_strays
from daemon.sync.tally import Tally
from daemon.sync.tracing import LookAt

_Views = Mapping[MailboxName, Seen]
_Places = Mapping[MessageId, Place]


class OutOfSight:
    """Follows the files of one account out of sight and back."""

    def __init__(
        self,
        *,
        account: AccountId,
        store: Store,
        tree: MaildirTree,
        book: MailboxBook,
        log: FilteringBoundLogger,
    ) -> None:
        self._account = account
        self._store = store
        self._tree = tree
        self._book = book
        self._log = log
        self._aside: set[MessageId] | None = None

    async def find_returned(
        self, seen: _Views, served: Mapping[MailboxName, MailboxRecord], look_at: LookAt, tally: Tally
    ) -> tuple[_Views, _Places]:
        """New files that are messages set aside, by message; the mailboxes of these have been looked at as well."""
        if self._aside is None:
            self._aside = set(await self._store.base.aside(self._account))
        appeared = {name: one.facts.local_appeared for name, one in seen.items() if one.facts.local_appeared}
        if not self._aside or not appeared:
            return seen, {}
        messages = await self._store.messages.get_many(self._aside)
        self._aside.intersection_update(messages)
        directories = {name: seen[name].record.directory for name in appeared}
        strays = await find_strays(
            self._tree, directories, messages.values(), appeared, tally=tally, log=self._log
        )
        sources: list[MailboxRecord] = []
        for name in {messages[message_id].mailbox for message_id in strays.places}:
            is_whole = name in seen and seen[name].listing.stamp is not None
            if name in served and not is_whole:
                sources.append(served[name])
        more = await look_at(sources, beside=seen) if sources else {}
        return {**seen, **more}, strays.places

    async def settle(self, seen: _Views, returned: _Places) -> tuple[_Views, _Places]:
        """The facts with these moves back, and with what went out of sight no longer undecided; the moves that count."""
        moved: dict[MessageId, Place] = {}
        settled: dict[MailboxName, Seen] = {}
        for name, one in seen.items():
            back = [
                entry
                for entry in one.base.entries
                if entry.state is BaseState.ASIDE
                and entry.message_id in returned
                and entry.maildir_name not in one.listing.entries
                and entry not in (*one.facts.gone_on_both, *one.facts.deleted_and_vanished)
            ]
            moved |= {entry.message_id: returned[entry.message_id] for entry in back if entry.message_id}
            facts = (
                replace(one.facts, local_vanished=(*one.facts.local_vanished, *back)) if back else one.facts
            )
            settled[name] = replace(one, facts=facts) if back else one
        lost = {name: entries for name, one in settled.items() if (entries := _without_file(one))}
        if lost:
            settled |= await self._settle_lost(settled, lost)
        return settled, moved

    async def _settle_lost(
        self, seen: _Views, lost: Mapping[MailboxName, Sequence[BaseEntry]]
    ) -> dict[MailboxName, Seen]:
        names = {entry.maildir_name for entries in lost.values() for entry in entries if entry.maildir_name}
        found = await self._tree.find_many(names, await self._hidden())
        settled: dict[MailboxName, Seen] = {}
        for mailbox, entries in lost.items():
            one = seen[mailbox]
            elsewhere = found.keys() & {entry.maildir_name for entry in entries}
            if elsewhere:  # a copy of a file that is in its mailbox after all is no move
                elsewhere -= (await self._tree.find_many(elsewhere, [one.record.directory])).keys()
            gone = [entry for entry in entries if entry.maildir_name in elsewhere]
            if not gone:
                continue
            forgotten = [entry for entry in gone if _is_gone_there(entry, one.remote)]
            aside = [entry for entry in gone if entry not in forgotten]
            settled[mailbox] = replace(
                one,
                facts=replace(
                    one.facts,
                    undecided=tuple(entry for entry in one.facts.undecided if entry not in gone),
                    gone_on_both=(*one.facts.gone_on_both, *forgotten),
                    set_aside=tuple(aside),
                ),
            )
            if self._aside is not None:
                self._aside.update(entry.message_id for entry in aside if entry.message_id is not None)
            self._log.warning(
                "files.out_of_sight",
                mailbox=mailbox,
                files=len(gone),
                directories=sorted({found[name][0] for name in elsewhere}),
                effect="the messages stay on the server and are not fetched again",
            )
        return settled

    async def _hidden(self) -> list[str]:
        """Directories of the tree in which nothing is kept in step."""
        records = {record.directory: record for record in (await self._book.records()).values()}
        hidden: list[str] = []
        for directory in await self._tree.list_directories():
            record = records.get(directory)
            if record is not None:
                if record.frozen_reason == GONE or not self._book.patterns.keeps(record):
                    hidden.append(directory)
                continue
            stranger = await self._tree.look_at(directory)
            if stranger is None or stranger.owner is Owner.OTHER:  # gone again, or for a person to look at
                continue
            if stranger.name is None or self._book.is_left_out(stranger.name):
                hidden.append(directory)
        return hidden


def _without_file(one: Seen) -> list[BaseEntry]:
    """Messages whose file is not in its mailbox, and not proved to be missing from the tree either."""
    return [
        entry
        for entry in one.facts.undecided
        if entry.state is BaseState.SYNCED
        and entry.maildir_name is not None
        and entry.maildir_name not in one.listing.entries
    ]


def _is_gone_there(entry: BaseEntry, remote: RemoteView) -> bool:
    return entry.uid in remote.vanished or (remote.present is not None and entry.uid not in remote.present)
