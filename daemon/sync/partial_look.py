"""Looking at what was told: the changes that a watch saw in the tree, wishes, and the server's news since the marks.

Where all that may have changed in a mailbox is known by name or UID, base, files and server are looked at for these alone,
so that a change costs the change and not the mailbox. The views are those of a whole look with everything left out that
is as it was; the plan made from them is the same. It is an economy and no other way: what cannot be told from the part
is left to the whole look, which this one has not touched. The directory's stamp stays unsettled, so that the next complete
pass finds what a watch may have missed.

A file is missing here only if a listing of its mailbox lacks it, and the watch saw it unlinked, or saw it renamed and it
lies in another of these mailboxes (sync.md 9, 12). More than a few that were unlinked are left to the whole look and its
proof, and so is a file that went nobody knows where.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import Blast, MailError, StoreForeign
from daemon.model.flags import LETTER_FLAGS, in_spelling_of
from daemon.model.ids import AccountId, MailboxName, MaildirName
from daemon.model.local_news import FileEvent, LocalNews, NewsOfFiles
from daemon.model.mailbox import MailboxRecord
from daemon.model.uidset import UidSet
from daemon.model.views import BaseEntry, BaseState, BaseView, LocalEntry, RemoteView
from daemon.net.imap.client import ImapClient
from daemon.store.base import Wanted
from daemon.store.maildir.lookup import Lookup, Sought
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.guard import DeletionBreaker, Side
from daemon.sync.local_scan import Listing, LocalScan, view_of
from daemon.sync.plan import back_from_aside, plan_mailbox
from daemon.sync.remote_scan import RemoteNews, add_sizes, has_marks, scan_news
from daemon.sync.seen import Seen
from daemon.sync.wishes import Wishes


class _Whole(Exception):
    """The whole mailbox has to be looked at, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialLook:
    """Looks at parts of the mailboxes of one account."""

    account: AccountId
    store: Store
    tree: MaildirTree
    scan: LocalScan
    breaker: DeletionBreaker
    clock: Clock
    log: FilteringBoundLogger

    async def see(
        self,
        client: ImapClient,
        records: Sequence[MailboxRecord],
        *,
        news: LocalNews | None,
        wishes: Wishes,
        ignored: Mapping[MailboxName, frozenset[MaildirName]],
    ) -> dict[MailboxName, Seen] | None:
        """The views and facts of these mailboxes; None where one of them has to be looked at whole. Nothing has changed
        then.

        `news` is what was heard of the tree since the last look, None where nothing listens: then only the stamp of a
        directory can say that nothing has changed in it.
        """
        told: dict[MailboxName, NewsOfFiles] = {}
        try:
            for record in records:
                told[record.name] = await self._told(client, record, news)
            parts = [await self._part(client, record, told[record.name], wishes) for record in records]
            moved = _moved(parts).difference(*ignored.values())
            seen = {
                part.record.name: await self._judged(
                    part, moved, wishes, ignored.get(part.record.name, frozenset())
                )
                for part in parts
            }
        except _Whole as why:
            reason = str(why)
        except MailError as exc:
            if exc.blast in {Blast.ACCOUNT, Blast.SERVICE} and not isinstance(exc, StoreForeign):
                raise
            reason = exc.reason
        else:
            return seen
        self.log.debug("mailboxes.looked_at_whole", why=reason)
        if len(told) == len(records):  # the server was asked: whoever looks now is to be told all of it again
            await client.unselect()
        return None

    async def _told(self, client: ImapClient, record: MailboxRecord, news: LocalNews | None) -> NewsOfFiles:
        """What may have changed in the mailbox's directory."""
        if not (has_marks(record) and client.has_condstore and client.caps.has("UNSELECT")):
            raise _Whole("no marks")
        if news is None:
            if await self.scan.unsettled([record]):
                raise _Whole("the directory has changed")
            return {}
        if record.name in news.unknown:
            raise _Whole("files have changed")
        return news.files.get(record.name, {})

    async def _part(
        self, client: ImapClient, record: MailboxRecord, told: NewsOfFiles, wishes: Wishes
    ) -> "_Part":
        server = await scan_news(client, record)
        if server is None:
            raise _Whole("the server cannot say what has changed")
        base, has_void = await self._base(record, told, wishes, server)
        await self._require_all_told(client, record, base, server, has_void=has_void)
        stored = {entry.uid for entry in base.entries if entry.state is not BaseState.FAILED}
        await add_sizes(client, stored, server.changed)
        return _Part(
            record=record,
            told=told,
            base=base,
            remote=server.view(client, record),
            found=await self.tree.look_up(record.directory, _sought(base, told)),
        )

    async def _judged(
        self, part: "_Part", moved: Collection[MaildirName], wishes: Wishes, ignored: frozenset[MaildirName]
    ) -> Seen:
        record, base, found = part.record, part.base, part.found
        if back_from_aside(base, found.entries):
            raise _Whole("a file is back from out of sight")
        missing = self._missing(part, moved)
        if any(
            entry.is_ours and name not in moved and name not in ignored
            for name, entry in part.new_files.items()
        ):
            raise _Whole("a file that was on the server before may have come from another mailbox")
        listing = Listing(
            entries=found.entries,
            lettered_keywords=found.keywords,
            unexplained=found.unknown_letters,
            stamp=None,
        )
        local = view_of(
            record.name, listing, missing=missing, operations=wishes.pending.values(), ignored=ignored
        )
        return Seen(
            record=record,
            base=base,
            listing=listing,
            remote=part.remote,
            facts=plan_mailbox(base, local, part.remote, now=self.clock.now()),
            adoptable={},
            size=await self._size(record) if missing or part.remote.vanished else None,
            has_more_files=not found.is_empty,
        )

    async def _base(
        self, record: MailboxRecord, told: NewsOfFiles, wishes: Wishes, server: RemoteNews
    ) -> tuple[BaseView, bool]:
        part = await self.store.base.load_part(
            self.account,
            record.name,
            Wanted(
                names=told.keys(),
                message_ids=wishes.pending.keys(),
                uids=UidSet(server.changed) | server.vanished,
            ),
        )
        if part is None:
            raise _Whole("too much has changed")
        return _without_repetitions(part.view, told, wishes, server), part.has_void

    async def _require_all_told(
        self,
        client: ImapClient,
        record: MailboxRecord,
        base: BaseView,
        server: RemoteNews,
        *,
        has_void: bool,
    ) -> None:
        """The server's part is all there is to know, and can be judged without the rest of base."""
        known = {entry.uid for entry in base.entries}
        appeared = server.changed.keys() - known
        if appeared and has_void:
            raise _Whole("what appeared may belong to files without a partner")
        exists = client.selection.exists if client.selection is not None else 0
        if exists and client.has_qresync:
            return
        counts = await self.store.base.count(self.account, record.name)
        if counts.placed and not exists:
            raise _Whole("the mailbox turned empty on the server")
        if counts.placed + len(appeared) != exists:
            raise _Whole("messages are gone and the server does not say which")

    def _missing(self, part: "_Part", moved: Collection[MaildirName]) -> Collection[MaildirName]:
        """Names of base that are proved to be gone, because they were unlinked or lie in another mailbox now."""
        found = part.found
        unlinked: set[MaildirName] = set()
        departed: set[MaildirName] = set()
        for entry in part.base.entries:
            name = entry.maildir_name
            if name is None:
                continue
            news = part.told.get(name)
            event = None if news is None else news.event
            if name in found.entries:
                if event is FileEvent.ARRIVED and not _is_as_agreed(entry, found):
                    raise _Whole("a second file may have come under a known name")
            elif event is None or name not in found.absent:
                raise _Whole("a file is not where it was")
            elif event is FileEvent.DEPARTED and name in moved:
                departed.add(name)
            elif event is FileEvent.DEPARTED:
                raise _Whole("a file went nobody knows where")
            elif event is FileEvent.UNLINKED:
                unlinked.add(name)
            # else: it went after the watch has told of it, and will be told of again
        if len(unlinked) > self.breaker.room(Side.THERE, self.clock.now()):
            raise _Whole("many files have gone")
        return unlinked | departed

    async def _size(self, record: MailboxRecord) -> int:
        return (await self.store.base.count(self.account, record.name)).synced


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What was looked up of one mailbox."""

    record: MailboxRecord
    told: NewsOfFiles
    base: BaseView
    remote: RemoteView
    found: Lookup

    @property
    def new_files(self) -> Mapping[MaildirName, LocalEntry]:
        """Files that base does not know."""
        known = {entry.maildir_name for entry in self.base.entries}
        return {name: entry for name, entry in self.found.entries.items() if name not in known}


def _moved(parts: Sequence[_Part]) -> frozenset[MaildirName]:
    """Unique names that went from one of these mailboxes and lie, new there, in exactly one other."""
    departed = {
        entry.maildir_name
        for part in parts
        for entry in part.base.entries
        if entry.maildir_name in part.found.absent
        and entry.state is BaseState.SYNCED
        and (news := part.told.get(entry.maildir_name)) is not None
        and news.event is FileEvent.DEPARTED
    }
    came = Counter(name for part in parts for name in part.new_files)
    return frozenset(name for name, count in came.items() if count == 1 and name in departed)


def _without_repetitions(base: BaseView, told: NewsOfFiles, wishes: Wishes, server: RemoteNews) -> BaseView:
    """Base without what the server says once more, until its mark moves: flags that both sides have agreed on since."""

    def is_known(entry: BaseEntry) -> bool:
        said = server.changed.get(entry.uid) if entry.uid is not None else None
        return (
            said is not None
            and entry.state is BaseState.SYNCED
            and said.flags == entry.flags
            and entry.uid not in server.vanished
            and entry.maildir_name not in told
            and entry.message_id not in wishes.pending
        )

    known = {entry.uid for entry in base.entries if entry.uid is not None and is_known(entry)}
    for uid in known:
        del server.changed[uid]
    return replace(base, entries=tuple(entry for entry in base.entries if entry.uid not in known))


def _sought(base: BaseView, told: NewsOfFiles) -> dict[MaildirName, Sought]:
    """Where the files of these names should be."""
    sought = {
        entry.maildir_name: Sought(flags=entry.flags)
        for entry in base.entries
        if entry.maildir_name is not None
    }
    known = frozenset(sought)
    for name, news in told.items():
        if not news.is_gone:
            sought[name] = Sought(path=news.path)
        elif name in known:
            sought[name] = Sought()
    return sought


def _is_as_agreed(entry: BaseEntry, found: Lookup) -> bool:
    """Whether the file's name shows what both sides agreed on, as that of a file that we have put there."""
    name = entry.maildir_name
    if name is None or name in found.unknown_letters:
        return False
    shown = found.entries[name].flags
    agreed = in_spelling_of(entry.flags, shown)
    return shown == agreed & (LETTER_FLAGS | in_spelling_of(found.keywords, agreed))
