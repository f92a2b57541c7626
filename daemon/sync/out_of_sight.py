"""Files moved to where nothing is kept in step: into a directory that config excludes, or that can be no mailbox.

Such a move is no deletion and asks nothing of the server: the message stays there, its row says that the file lies aside,
and it is not fetched again. A file that comes back is the same message, in whichever mailbox and under whichever name
(sync.md 9): by its row where it was, else as a move. That takes two proofs: the octets of the new file, and that the old
one has left the directories that are not kept in step. One that is still there was copied, and the copy is a new message.
A message that is found nowhere stays set aside. Costs nothing while nothing is missing and nothing aside.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from structlog.typing import FilteringBoundLogger

from daemon.model.errors import StoreForeign
from daemon.model.ids import AccountId, MailboxName, MaildirName, MessageId
from daemon.model.mailbox import MailboxRecord, Owner
from daemon.model.message import Message
from daemon.model.views import BaseEntry, BaseState, LocalEntry, RemoteView
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
        """New files that are messages set aside, by message; the mailboxes of these have been looked at as well.

        Those whose file still lies aside are left out, whatever has their octets.
        """
        if self._aside is None:
            self._aside = set(await self._store.base.aside(self._account))
        appeared = {name: one.facts.local_appeared for name, one in seen.items() if one.facts.local_appeared}
        if not self._aside or not appeared:
            return seen, {}
        messages = await self._store.messages.get_many(self._aside)
        self._aside.intersection_update(messages)
        places = await self._places(seen, messages, appeared, tally)
        sources: list[MailboxRecord] = []
        for name in {messages[message_id].mailbox for message_id in places}:
            is_whole = name in seen and seen[name].listing.stamp is not None
            if name in served and not is_whole:
                sources.append(served[name])
        more = await look_at(sources, beside=seen) if sources else {}
        return {**seen, **more}, places

    async def settle(
        self, seen: _Views, returned: _Places, claimed: Collection[Place]
    ) -> tuple[_Views, _Places]:
        """The facts with these moves back, and with what went out of sight no longer undecided; the moves that count.

        A file that is `claimed` by a message which is missing goes to that one: the other stays set aside.
        """
        moved: dict[MessageId, Place] = {}
        free = _free_places(seen, claimed)
        settled: dict[MailboxName, Seen] = {}
        for name, one in seen.items():
            back = [
                entry
                for entry in one.base.entries
                if entry.state is BaseState.ASIDE
                and entry.uid is not None
                and entry.message_id is not None
                and entry.message_id in returned
                and _name_of(returned[entry.message_id]) in free
                and entry.maildir_name not in one.listing.entries
                and entry not in (*one.facts.gone_on_both, *one.facts.deleted_and_vanished)
            ]
            moved |= {entry.message_id: returned[entry.message_id] for entry in back if entry.message_id}
            facts = one.facts
            if back:
                facts = replace(
                    facts,
                    local_vanished=(*facts.local_vanished, *back),
                    returned=(*facts.returned, *back),
                )
            if facts.returned:
                self._aside = None  # to be asked for again, once the pass has noted it
            settled[name] = replace(one, facts=facts)
        lost = {name: entries for name, one in settled.items() if (entries := _without_file(one))}
        if lost:
            settled |= await self._settle_lost(settled, lost)
        return settled, moved

    async def _places(
        self,
        seen: _Views,
        messages: Mapping[MessageId, Message],
        appeared: Mapping[MailboxName, Sequence[LocalEntry]],
        tally: Tally,
    ) -> _Places:
        """Where the files are that have left the directories which are not kept in step."""
        directories = {name: seen[name].record.directory for name in appeared}
        away = dict(messages)
        while True:
            strays = await find_strays(
                self._tree, directories, away.values(), appeared, tally=tally, log=self._log
            )
            if not strays.places:
                return {}
            still_aside = await self._still_aside(messages, strays.places, tally)
            if still_aside.isdisjoint(strays.places):
                return strays.places
            away = {message_id: one for message_id, one in away.items() if message_id not in still_aside}

    async def _still_aside(
        self, messages: Mapping[MessageId, Message], places: _Places, tally: Tally
    ) -> frozenset[MessageId]:
        """Messages whose file is not proved to have left: it is there under its name, or another one of its octets is."""
        directories = [directory for directory, _ in await self._not_kept()]
        names = {one.maildir_name for one in messages.values() if one.maildir_name is not None}
        try:
            gone = (await self._tree.confirm_missing(names, directories)).gone
            listed = {
                MailboxName(directory): [
                    entry
                    for name, entry in (await self._tree.scan(directory)).entries.items()
                    if name not in names
                ]
                for directory in directories
            }
        except StoreForeign:  # gone between the two looks: nothing is proved
            return frozenset(messages)
        still_named = {message_id for message_id, one in messages.items() if one.maildir_name not in gone}
        renamed = await find_strays(
            self._tree,
            {name: name for name in listed},
            [
                messages[message_id]
                for message_id, place in places.items()
                if message_id not in still_named
                and place[1].maildir_name != messages[message_id].maildir_name
            ],
            listed,
            tally=tally,
            log=self._log,
        )
        return frozenset(still_named) | renamed.places.keys() | renamed.doubtful

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
        hidden: list[str] = []
        for directory, record in await self._not_kept():
            if record is not None:
                hidden.append(directory)
                continue
            stranger = await self._tree.look_at(directory)
            if stranger is None or stranger.owner is Owner.OTHER:  # gone again, or for a person to look at
                continue
            if stranger.name is None or self._book.is_left_out(stranger.name):
                hidden.append(directory)
        return hidden

    async def _not_kept(self) -> list[tuple[str, MailboxRecord | None]]:
        """Directories of no mailbox that is kept in step, with the record where there is one."""
        records = {record.directory: record for record in (await self._book.records()).values()}
        return [
            (directory, record)
            for directory in await self._tree.list_directories()
            if (record := records.get(directory)) is None
            or record.frozen_reason == GONE
            or not self._book.patterns.keeps(record)
        ]


def _free_places(seen: _Views, claimed: Collection[Place]) -> frozenset[tuple[MailboxName, MaildirName]]:
    """New files that are of no message which is missing: neither by their octets nor by their names."""
    missing_names = {
        entry.maildir_name
        for one in seen.values()
        for entry in (*one.facts.local_vanished, *one.facts.deleted_and_vanished)
        if entry.state is not BaseState.ASIDE
    }
    new = {(name, entry.maildir_name) for name, one in seen.items() for entry in one.facts.local_appeared}
    taken = {_name_of(place) for place in claimed}
    return frozenset(place for place in new - taken if place[1] not in missing_names)


def _name_of(place: Place) -> tuple[MailboxName, MaildirName]:
    return place[0], place[1].maildir_name


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
