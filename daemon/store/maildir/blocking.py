"""What `tree.MaildirTree` does in the pools: each method one whole job on the tree, from opening to syncing.

Every call blocks. Calls for different mailboxes may run at once; for one mailbox they may too, for no step relies on
a name still being where it was.
"""

import dataclasses
import errno
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from daemon.model.clock import Clock
from daemon.model.errors import StoreError
from daemon.model.flags import FlagSet
from daemon.model.ids import INBOX, MaildirName
from daemon.model.mailbox import Stranger
from daemon.model.views import LocalEntry
from daemon.store.maildir import (
    delivery,
    flags,
    identity,
    keywords,
    lookup,
    names,
    open_maildir,
    reading,
    rename,
    scan,
    strangers,
    subscriptions,
)
from daemon.store.maildir.errors import MessageGone, NameTaken, OtherDisk, disk_errors
from daemon.store.maildir.flags import FlagChange, FlagResult
from daemon.store.maildir.identity import Identity
from daemon.store.maildir.keywords import KeywordMap
from daemon.store.maildir.lookup import Lookup, Sought
from daemon.store.maildir.open_maildir import Access, OpenMaildir
from daemon.store.maildir.scan import DirStamp, Missing, Scan, Twin
from daemon.store.maildir.tmpfile import StagedFile

_MAILDIR_MARK: Final = "maildirfolder"  # Maildir++: tells a delivery agent that this is no root
_IN_THE_WAY: Final = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR})
_REMOVABLE: Final = frozenset({identity.ID_FILE, _MAILDIR_MARK})


class BlockingTree:
    """The jobs of one account's tree."""

    def __init__(
        self,
        root: Path,
        *,
        layout: names.Layout,
        expected: Identity,
        access: Access,
        maker: names.NameMaker,
        clock: Clock,
    ) -> None:
        self.root = root
        self.layout = layout
        self._expected = expected
        self._access = access
        self._maker = maker
        self._clock = clock
        self.maps: dict[str, KeywordMap] = {}

    def check_identity(self, directory: str) -> int:
        with OpenMaildir(self.root, directory) as maildir:
            return identity.check(maildir, self._expected).generation

    def claim(self, adopt: bool, generation: int) -> None:
        identity.claim(
            self.root,
            self._identity(generation),
            self._access,
            root_is_maildir=names.directory_of(INBOX, self.layout) == ".",
            is_nested=self.layout == "fs",
            adopt=adopt,
        )

    def record_generation(self, generation: int) -> None:
        with OpenMaildir(self.root, ".") as maildir:
            if identity.check(maildir, self._expected).generation != generation:
                identity.write(maildir.fd, ".", self._identity(generation), self._access)

    def list_directories(self) -> tuple[str, ...]:
        return open_maildir.list_maildirs(self.root, is_nested=self.layout == "fs")

    def ensure(self, directory: str) -> None:
        with OpenMaildir(self.root, ".") as maildir:
            identity.check(maildir, self._expected)
        fd = open_maildir.make_directories(self.root, directory, access=self._access, has_parts=True)
        try:
            if identity.read(fd, directory) is None:
                if self.layout == "maildir++" and directory != ".":
                    self._mark_maildir(fd, directory)
                identity.write(fd, directory, self._identity(0), self._access)
        finally:
            os.close(fd)
        self.check_identity(directory)

    def remove_directory(self, directory: str) -> bool:
        """Part by part, so that mail which comes meanwhile stops it; children in an `fs` tree stay."""
        if directory == ".":
            return False
        with OpenMaildir(self.root, directory) as maildir, disk_errors(f"cannot remove {directory}"):
            identity.check(maildir, self._expected)
            here = set(maildir.names()).difference(names.MAILDIR_PARTS)
            removable = {name for name in here if name in _REMOVABLE or name.startswith("dovecot")}
            if self.layout == "maildir++" and here != removable:
                return False
            if maildir.names("new") or maildir.names("cur"):
                return False
            for name in maildir.names("tmp"):
                if name.endswith(names.TMP_MARK):
                    os.unlink(name, dir_fd=maildir.part("tmp"))
            try:
                for part in ("new", "cur", "tmp"):
                    os.rmdir(part, dir_fd=maildir.fd)
            except OSError:
                os.close(
                    open_maildir.make_directories(self.root, directory, access=self._access, has_parts=True)
                )
                return False
            for name in removable:
                os.unlink(name, dir_fd=maildir.fd)
        self.maps.pop(directory, None)
        with self._parent(directory) as parent, disk_errors(f"cannot remove {directory}"):
            with suppress(OSError):  # a mailbox below it, or a file that is not ours to remove
                os.rmdir(directory.rpartition("/")[2], dir_fd=parent.fd)
            os.fsync(parent.fd)
        return True

    def rename_directory(self, old: str, new: str) -> None:
        self.check_identity(old)
        new_name = new.rpartition("/")[2]
        if "." in {old, new}:
            raise StoreError("the root of a tree is not renamed")
        if "/" in new:
            above = new.rpartition("/")[0]
            os.close(open_maildir.make_directories(self.root, above, access=self._access, has_parts=False))
        with self._parent(old) as source, self._parent(new) as target, disk_errors(f"cannot rename {old}"):
            # A directory may be renamed onto an empty one: one made here, now or before a crash; nothing is overwritten.
            try:
                with suppress(FileExistsError):
                    os.mkdir(new_name, 0o700, dir_fd=target.fd)
                os.rename(old.rpartition("/")[2], new_name, src_dir_fd=source.fd, dst_dir_fd=target.fd)
            except OSError as exc:
                if exc.errno not in _IN_THE_WAY:
                    raise
                raise NameTaken(f"{new} exists") from exc
            os.fsync(target.fd)
            os.fsync(source.fd)
        if (known := self.maps.pop(old, None)) is not None:
            self.maps[new] = known

    def look_at(self, directory: str) -> Stranger | None:
        return strangers.look_at(self.root, directory, self._expected, self.layout)

    def change_subscriptions(self, add: Collection[str], remove: Collection[str]) -> None:
        with OpenMaildir(self.root, ".") as maildir:
            identity.check(maildir, self._expected)
            subscriptions.change(maildir, self.layout, add=add, remove=remove, mode=self._access.file_mode)

    def read_subscriptions(self) -> frozenset[str] | None:
        with OpenMaildir(self.root, ".") as maildir:
            return subscriptions.read(maildir, self.layout)

    def scan(self, directory: str) -> Scan:
        with OpenMaildir(self.root, directory) as maildir:
            keyword_map = self._map(maildir)
            found = scan.scan_maildir(maildir, keyword_map)
            if found.unknown_letters and (again := self._map(maildir)) is not keyword_map:
                found = scan.scan_maildir(maildir, again)
            return found

    def look_up(self, directory: str, wanted: Mapping[MaildirName, Sought]) -> Lookup:
        with OpenMaildir(self.root, directory) as maildir:
            identity.check(maildir, self._expected)
            keyword_map = self._map(maildir)
            found = lookup.look_up(maildir, keyword_map, wanted)
            if found.unknown_letters and (again := self._map(maildir)) is not keyword_map:
                found = lookup.look_up(maildir, again, wanted)
            return found

    def stamp(self, directory: str) -> DirStamp:
        with OpenMaildir(self.root, directory) as maildir:
            return scan.take_stamp(maildir)

    def stamps(self, directories: Sequence[str]) -> list[DirStamp]:
        return [self.stamp(directory) for directory in directories]

    def find_many(
        self, wanted: frozenset[MaildirName], directories: Sequence[str]
    ) -> dict[MaildirName, tuple[str, LocalEntry]]:
        found: dict[MaildirName, tuple[str, LocalEntry]] = {}
        for directory in directories:
            with OpenMaildir(self.root, directory) as maildir:
                keyword_map = self._map(maildir)
                for name, path in scan.paths_of(maildir, wanted).items():
                    found.setdefault(name, (directory, scan.entry_of(path, keyword_map)))
        return found

    def separate_twins(self, directory: str, twins: Sequence[Twin]) -> list[str]:
        def fresh() -> Iterator[MaildirName]:
            while True:
                yield self._maker.unmarked(self._clock.now())

        with OpenMaildir(self.root, directory) as maildir:
            return scan.separate_twins(maildir, twins, fresh())

    def publish(
        self,
        directory: str,
        staged: Sequence[StagedFile],
        maildir_names: Sequence[MaildirName],
        flag_sets: Sequence[FlagSet],
    ) -> list[LocalEntry]:
        with OpenMaildir(self.root, directory) as maildir:
            keyword_map = self._map_with(maildir, frozenset().union(*flag_sets))
            letters = [flags.letters_for(flag_set, keyword_map) for flag_set in flag_sets]
            paths = delivery.publish(maildir, staged, list(zip(maildir_names, letters, strict=True)))
        return [scan.entry_of(path, keyword_map) for path in paths]

    def clean_tmp(self, directories: Sequence[str]) -> int:
        return sum(delivery.clean_tmp(self.root, directory, self._maker) for directory in directories)

    def set_flags(self, directory: str, changes: Sequence[FlagChange]) -> list[FlagResult]:
        with OpenMaildir(self.root, directory) as maildir:
            wanted = frozenset().union(*(change.add for change in changes))
            return flags.set_flags(maildir, changes, self._map_with(maildir, wanted))

    def remove(self, directory: str, paths: Mapping[MaildirName, str | None]) -> frozenset[MaildirName]:
        with OpenMaildir(self.root, directory) as maildir:
            return flags.remove(maildir, paths)

    def move(self, source: str, entries: Sequence[LocalEntry], target: str) -> list[FlagResult]:
        results: list[FlagResult] = []
        left, reached = set[str](), set[str]()
        with OpenMaildir(self.root, source) as from_maildir, OpenMaildir(self.root, target) as to_maildir:
            # A keyword's letter is another one there; letters nobody can explain mean nothing there and stay behind.
            keyword_map = self._map_with(to_maildir, frozenset().union(*(entry.flags for entry in entries)))
            try:
                for entry in entries:
                    path = _path_there(entry, keyword_map)
                    try:
                        _rename(from_maildir, entry.path, to_maildir, path)
                    except (MessageGone, NameTaken, OtherDisk) as exc:
                        results.append(exc)
                        continue
                    left.add(entry.path.partition("/")[0])
                    reached.add(path.partition("/")[0])
                    results.append(scan.entry_of(path, keyword_map))
            finally:
                to_maildir.sync(*sorted(reached))
                from_maildir.sync(*sorted(left))
        return results

    def carry_letters(
        self, source: str, target: str, moved: Sequence[tuple[LocalEntry, FlagSet]]
    ) -> list[LocalEntry]:
        with OpenMaildir(self.root, source) as from_maildir, OpenMaildir(self.root, target) as to_maildir:
            here, there = self._map(from_maildir), self._map(to_maildir)
            meant = [flags.carried_flags(entry, shown, here, there) for entry, shown in moved]
        changed = [
            dataclasses.replace(entry, flags=flag_set)
            for (entry, _), flag_set in zip(moved, meant, strict=True)
            if flag_set is not None
        ]
        renamed = iter(self.move(target, changed, target) if changed else ())
        results = [
            entry if flag_set is None else next(renamed)
            for (entry, _), flag_set in zip(moved, meant, strict=True)
        ]
        return [
            result if isinstance(result, LocalEntry) else entry
            for result, (entry, _) in zip(results, moved, strict=True)
        ]

    def open(self, directory: str, name: MaildirName, path: str | None) -> int:
        with OpenMaildir(self.root, directory) as maildir:
            return reading.open_file(maildir, name, path)

    def confirm_missing(self, wanted: Collection[MaildirName], directories: Sequence[str]) -> Missing:
        return scan.confirm_missing(self.root, directories, wanted, dict(self.maps))

    def _identity(self, generation: int) -> Identity:
        return dataclasses.replace(self._expected, generation=generation)

    def _parent(self, directory: str) -> OpenMaildir:
        return OpenMaildir(self.root, directory.rpartition("/")[0] or ".")

    def _map(self, maildir: OpenMaildir) -> KeywordMap:
        keyword_map = keywords.read_map(maildir, self.maps.get(maildir.directory))
        self.maps[maildir.directory] = keyword_map
        return keyword_map

    def _map_with(self, maildir: OpenMaildir, wanted: FlagSet) -> KeywordMap:
        """The map, with letters for the keywords among these flags."""
        known = self._map(maildir)
        keyword_map = keywords.with_letters(
            maildir, known, wanted, mode=self._access.file_mode, used_letters=scan.letters_in_use(maildir)
        )
        self.maps[maildir.directory] = keyword_map
        return keyword_map

    def _mark_maildir(self, fd: int, directory: str) -> None:
        with disk_errors(f"cannot write {directory}/{_MAILDIR_MARK}"), suppress(FileExistsError):
            os.close(
                os.open(
                    _MAILDIR_MARK,
                    os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
                    self._access.file_mode,
                    dir_fd=fd,
                )
            )


def _path_there(entry: LocalEntry, keyword_map: KeywordMap) -> str:
    """The file's path in another mailbox: its unique name and what else its name says, with the letters used there."""
    part, _, file_name = entry.path.partition("/")
    name, info = names.split_file_name(file_name)
    _, tail = names.split_info(info)
    letters = flags.letters_for(entry.flags, keyword_map)
    if letters or tail or part == "cur":
        return f"cur/{name}:2,{letters}{tail}"
    return f"{part}/{name}"


def _rename(from_maildir: OpenMaildir, path: str, to_maildir: OpenMaildir, target: str) -> None:
    part, _, name = path.partition("/")
    to_part, _, to_name = target.partition("/")
    with disk_errors(f"cannot move {name} to {to_maildir.directory}"):
        try:
            rename.rename_exclusive(from_maildir.part(part), name, to_maildir.part(to_part), to_name)
        except FileNotFoundError as exc:
            raise MessageGone(f"{path} is no longer in {from_maildir.directory}") from exc
        except FileExistsError as exc:
            raise NameTaken(f"{target} exists in {to_maildir.directory}") from exc
        except OSError as exc:
            if exc.errno == errno.EXDEV:
                raise OtherDisk(f"{path} cannot be renamed into {to_maildir.directory}") from exc
            raise
