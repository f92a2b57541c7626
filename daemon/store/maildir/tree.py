"""MaildirTree: one account's tree, the door to this package.

Asynchronous methods run their blocking part in the store's named pools; the others do no I/O. Directories are strings
relative to the root (`.`, `.Sent`), as stored with each mailbox and never computed anew (sync.md 26). Wherever a
path may be given, it is where the file was last seen (`LocalEntry.path`): it spares a listing, and a stale one only
costs a look-up.

Raises only `StoreError` and its kinds (`errors.py`): StoreForeign (store_missing, store_foreign) when a directory or
its identity is not as it should be, MessageGone, NameTaken, and disk_full, store_readonly, store_io for the disk.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from daemon.model.clock import Clock, SystemClock
from daemon.model.envelope import Content
from daemon.model.errors import StoreError
from daemon.model.flags import NO_FLAGS, FlagSet
from daemon.model.ids import AccountId, MailboxName, MaildirName
from daemon.model.mailbox import Stranger
from daemon.model.views import LocalEntry
from daemon.store.maildir import delivery, names, reading
from daemon.store.maildir.blocking import BlockingTree
from daemon.store.maildir.delivery import Batch
from daemon.store.maildir.flags import FlagChange, FlagResult
from daemon.store.maildir.identity import Identity
from daemon.store.maildir.lookup import Lookup, Sought
from daemon.store.maildir.names import Layout
from daemon.store.maildir.open_maildir import Access
from daemon.store.maildir.reading import FileStatus
from daemon.store.maildir.scan import DirStamp, Missing, Scan, Twin
from daemon.store.maildir.tmpfile import StagedFile
from daemon.store.pools import Pools

SYNC_THREADS: Final = 8  # as many as the pool "fsync" has


class MaildirTree:
    """The Maildirs of one account under one root."""

    def __init__(
        self,
        root: Path,
        *,
        layout: Layout,
        account: AccountId,
        store_id: str,
        pools: Pools,
        clock: Clock | None = None,
        group_id: int | None = None,
    ) -> None:
        """No I/O. `root` is the account's directory; it may be a symbolic link, nothing below may.

        With `group_id` that group may read: directories get 2750 and files 0640, else 0700 and 0600.
        """
        self.root = root
        self.layout = layout
        self.account = account
        self._pools = pools
        self._clock = clock or SystemClock()
        self._access = Access(group_id=group_id)
        self._maker = names.NameMaker()
        self._blocking = BlockingTree(
            root,
            layout=layout,
            expected=Identity(store_id=store_id, account=account),
            access=self._access,
            maker=self._maker,
            clock=self._clock,
        )

    # Identity and directories

    async def check_identity(self, directory: str = ".") -> int:
        """The generation in the id file of a directory that is ours: the root, or a mailbox's.

        Raises:
            StoreForeign: store_missing or store_foreign, with the remedy.
        """
        return await self._pools.run("files", self._blocking.check_identity, directory)

    async def claim(self, *, adopt: bool = False, generation: int = 0) -> None:
        """Make the tree ours: for an account that the store has never seen, or when a person approves.

        Without `adopt` only a tree that does not exist or is empty; with it an existing Maildir and all mail in it.
        """
        await self._pools.run("files", self._blocking.claim, adopt, generation)

    async def record_generation(self, generation: int) -> None:
        """Write the generation into the root's id file, durably; the tree must be ours."""
        await self._pools.run("files", self._blocking.record_generation, generation)

    def directory_of(self, name: MailboxName) -> str:
        """The directory for a mailbox that has none yet (sync.md 26)."""
        return names.directory_of(name, self.layout)

    def mailbox_of(self, directory: str) -> MailboxName | None:
        """The mailbox that a directory made by someone else stands for; None where that cannot be told."""
        return names.mailbox_of(directory, self.layout)

    async def list_directories(self) -> tuple[str, ...]:
        """Directories of all Maildirs in the tree, ours or not."""
        return await self._pools.run("files", self._blocking.list_directories)

    async def ensure(self, directory: str) -> None:
        """Make the directory with tmp/, new/, cur/ and its id file, durable on return; one that is there is kept.

        For a mailbox that gets its directory now; for one that had it, `check_identity` comes first.
        """
        await self._pools.run("files", self._blocking.ensure, directory)

    async def remove_directory(self, directory: str) -> bool:
        """Whether the mailbox's directory could be removed: only when new/ and cur/ are empty. Never INBOX's root."""
        return await self._pools.run("files", self._blocking.remove_directory, directory)

    async def rename_directory(self, old: str, new: str) -> None:
        """Rename a mailbox's directory; never onto an existing one (NameTaken)."""
        await self._pools.run("files", self._blocking.rename_directory, old, new)

    async def look_at(self, directory: str) -> Stranger | None:
        """What a directory that no mailbox has yet is, and which files lie in it; None if it is gone again."""
        return await self._pools.run("files", self._blocking.look_at, directory)

    # Subscriptions

    async def read_subscriptions(self) -> frozenset[str] | None:
        """Directories of the mailboxes that the tree's `subscriptions` lists; None where it says nothing."""
        return await self._pools.run("files", self._blocking.read_subscriptions)

    async def change_subscriptions(self, *, add: Collection[str] = (), remove: Collection[str] = ()) -> None:
        """Add and remove lines of `subscriptions`, made where missing; what is so already is left alone.

        Raises:
            SubscriptionsLocked: Another program holds the file's lock; try in the next pass.
        """
        await self._pools.run("files", self._blocking.change_subscriptions, tuple(add), tuple(remove))

    # Listings

    async def scan(self, directory: str) -> Scan:
        """One complete listing of new/ and cur/; a name that is not in it is not thereby missing."""
        return await self._pools.run("files", self._blocking.scan, directory)

    async def look_up(self, directory: str, wanted: Mapping[MaildirName, Sought]) -> Lookup:
        """Where these files are now, without a listing as far as they are where they should be.

        Raises:
            StoreForeign: The mailbox's directory is missing or not ours: what is not found in it proves nothing.
        """
        return await self._pools.run("files", self._blocking.look_up, directory, dict(wanted))

    async def stamps(self, directories: Sequence[str]) -> list[DirStamp]:
        """State of each directory, by one job; equal to an earlier one only if nothing changed in between."""
        return await self._pools.run("files", self._blocking.stamps, tuple(directories))

    async def confirm_missing(self, wanted: Collection[MaildirName], directories: Sequence[str]) -> Missing:
        """What became of names that a scan did not show, by complete listings of all the account's `directories`."""
        return await self._pools.run(
            "files", self._blocking.confirm_missing, frozenset(wanted), tuple(directories)
        )

    async def find(self, name: MaildirName, directories: Sequence[str]) -> tuple[str, LocalEntry] | None:
        """Where the file is now, by one listing of each directory; None proves nothing."""
        return (await self.find_many([name], directories)).get(name)

    async def find_many(
        self, wanted: Collection[MaildirName], directories: Sequence[str]
    ) -> dict[MaildirName, tuple[str, LocalEntry]]:
        """Where these files are now; those not seen are left out."""
        return await self._pools.run("files", self._blocking.find_many, frozenset(wanted), tuple(directories))

    async def separate_twins(self, directory: str, twins: Sequence[Twin]) -> list[str]:
        """Make unique names unique again; paths of files that got a fresh name and are new messages now."""
        return await self._pools.run("files", self._blocking.separate_twins, directory, twins)

    async def status_of(
        self, directory: str, entries: Collection[LocalEntry]
    ) -> dict[MaildirName, FileStatus]:
        """Size, time and inode of these files; gone ones are left out."""
        wanted = [(entry.maildir_name, entry.path) for entry in entries]
        return await self._pools.run("files", reading.status_of, self.root, directory, wanted)

    # Delivery

    def new_name(self, *, size: int, wire_size: int) -> MaildirName:
        """A unique name with our mark."""
        return self._maker.message(self._clock.now(), size=size, wire_size=wire_size)

    def is_ours(self, name: MaildirName) -> bool:
        """Whether the name carries our mark."""
        return names.is_ours(name)

    def open_batch(self, directory: str) -> Batch:
        """A batch into one mailbox: `async with tree.open_batch(directory) as batch`. Nothing is opened before the
        first write; leaving it removes what was not published.
        """
        return Batch(
            self.root,
            directory,
            mode=self._access.file_mode,
            pools=self._pools,
            maker=self._maker,
            clock=self._clock,
        )

    async def sync_staged(self, staged: Sequence[StagedFile]) -> None:
        """Make octets and times of all durable, eight at a time. Repeated calls do nothing.

        Raises:
            StoreError: At least one is lost and removed; close the batch and fetch its messages again.
        """
        jobs = [
            self._pools.run("fsync", delivery.sync_files, staged[start::SYNC_THREADS])
            for start in range(min(SYNC_THREADS, len(staged)))
        ]
        for outcome in await asyncio.gather(*jobs, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def publish(
        self,
        directory: str,
        staged: Sequence[StagedFile],
        maildir_names: Sequence[MaildirName],
        flag_sets: Sequence[FlagSet],
    ) -> list[LocalEntry]:
        """Sync what is not yet synced, give the files their names, sync new/ and cur/: then they are delivered.

        No flags: new/, else cur/. The entries have the flags that the names express, which is less than what was
        asked for where a keyword got no letter: only those may become base.

        Raises:
            NameTaken: Some names exist and were left alone; the others are published and durable.
        """
        await self.sync_staged(staged)
        return await self._pools.run(
            "fsync", self._blocking.publish, directory, tuple(staged), tuple(maildir_names), tuple(flag_sets)
        )

    async def clean_tmp(self, directories: Sequence[str]) -> int:
        """How many files were removed from tmp/ that earlier processes of ours left there."""
        return await self._pools.run("files", self._blocking.clean_tmp, tuple(directories))

    # Changes

    async def set_flags(
        self,
        directory: str,
        name: MaildirName,
        add: FlagSet = NO_FLAGS,
        remove: FlagSet = NO_FLAGS,
        expected_path: str | None = None,
        *,
        likely_flags: FlagSet | None = None,
    ) -> LocalEntry:
        """The file after the change: one rename, durable on return; none where nothing changes.

        `likely_flags` are what the file shows as far as is known: where it does, the mailbox is not listed.

        Raises:
            MessageGone: The file is in neither new/ nor cur/.
            NameTaken: A second file of this unique name is in the way; separate the twins first.
        """
        change = FlagChange(
            maildir_name=name,
            add=add,
            remove=remove,
            expected_path=expected_path,
            likely_flags=likely_flags,
        )
        result = (await self.set_many_flags(directory, [change]))[0]
        if isinstance(result, StoreError):
            raise result
        return result

    async def set_many_flags(self, directory: str, changes: Sequence[FlagChange]) -> list[FlagResult]:
        """What became of each, in order: its entry, or the error it met. One directory sync for all."""
        return await self._pools.run("files", self._blocking.set_flags, directory, changes)

    async def remove(
        self,
        directory: str,
        maildir_names: Collection[MaildirName],
        *,
        paths: Mapping[MaildirName, str] | None = None,
    ) -> frozenset[MaildirName]:
        """The names whose file was unlinked, durable on return; absent ones count as done and are left out."""
        known = paths or {}
        wanted = {name: known.get(name) for name in maildir_names}
        return await self._pools.run("files", self._blocking.remove, directory, wanted)

    async def move(self, source: str, entry: LocalEntry, target: str) -> LocalEntry:
        """The same file in another mailbox's directory under the same unique name, durable on return.

        Raises:
            MessageGone: It was not at `entry.path` any more; look it up and plan again.
            NameTaken: The target has that name.
        """
        result = (await self.move_many(source, [entry], target))[0]
        if isinstance(result, StoreError):
            raise result
        return result

    async def move_many(self, source: str, entries: Sequence[LocalEntry], target: str) -> list[FlagResult]:
        """What became of each, in order: its entry there, or the error it met. One sync of the directories for all.

        The file's name there shows `entry.flags`, whatever it showed before.
        """
        return await self._pools.run("files", self._blocking.move, source, tuple(entries), target)

    async def carry_letters(
        self, source: str, target: str, moved: Sequence[tuple[LocalEntry, FlagSet]]
    ) -> list[LocalEntry]:
        """These files of `target` with the keywords that their letters meant in `source`, in order.

        A program has moved them from there and kept their letters, which may stand for other keywords here. Each comes
        with the flags that it showed there; where its letters say others by now, it is left as it is, and so is one that
        went away meanwhile.
        """
        return await self._pools.run("files", self._blocking.carry_letters, source, target, tuple(moved))

    # Reading

    async def read(self, directory: str, name: MaildirName, path: str | None = None) -> bytes:
        """The file's octets, all in memory."""
        return await self._pools.run("files", reading.read_file, self.root, directory, name, path)

    async def open(self, directory: str, name: MaildirName, path: str | None = None) -> int:
        """A descriptor of the regular file, for reading; the caller closes it."""
        return await self._pools.run("files", self._blocking.open, directory, name, path)

    async def content_of(self, directory: str, name: MaildirName, path: str | None = None) -> Content:
        """Facts of the file as it is now, read in chunks."""
        return (await self.contents_of(directory, [(name, path)]))[0]

    async def contents_of(
        self, directory: str, wanted: Collection[tuple[MaildirName, str | None]]
    ) -> list[Content]:
        """Facts of these files, in order, by one job of the pool; MessageGone for the first that is not there."""
        return await self._pools.run("files", reading.content_of, self.root, directory, wanted)

    def wire_chunks(self, directory: str, name: MaildirName, path: str | None = None) -> AsyncIterator[bytes]:
        """The message in wire form, in chunks of about 256 KiB."""
        return reading.wire_chunks(self._pools, self.root, directory, name, path)
