"""Durable delivery: files written to tmp/, synced, renamed without overwriting, directories synced.

The order is the point (faults.md, timers): write -> fsync of the file -> rename -> fsync of new/ and cur/ -> only then
may anybody say that the message is here. Names in tmp/ carry our mark.
Blocks; runs in the named pools "files" and "fsync".
"""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from daemon.model.clock import Clock
from daemon.model.errors import StoreError
from daemon.model.ids import MaildirName
from daemon.store.maildir import content, names
from daemon.store.maildir.errors import NameTaken, disk_errors, store_error
from daemon.store.maildir.open_maildir import OpenMaildir
from daemon.store.maildir.sink import TmpSink
from daemon.store.maildir.tmpfile import StagedFile, TmpFile
from daemon.store.pools import Pools
from daemon.wire import mime


class Batch:
    """Messages on their way into one mailbox. Use it as an asynchronous context: what was not published by then is
    removed from tmp/.
    """

    def __init__(
        self, root: Path, directory: str, *, mode: int, pools: Pools, maker: names.NameMaker, clock: Clock
    ) -> None:
        self.directory = directory
        self._root = root
        self._mode = mode
        self._pools = pools
        self._maker = maker
        self._clock = clock
        self._lock = threading.Lock()
        self._maildir: OpenMaildir | None = None
        self._files: list[TmpFile] = []
        self._is_closed = False

    async def write(self, octets: bytes, *, internal_date: int | None) -> StagedFile:
        """One message staged. For many small ones `write_many` costs a fraction."""
        return (await self.write_many([(octets, internal_date)]))[0]

    async def write_many(self, items: Sequence[tuple[bytes, int | None]]) -> list[StagedFile]:
        """The messages staged, in order, by one job of the pool. All or none: on an error those of this call are gone.

        Without an internal date a file gets the time at which its header says it was received.

        Raises:
            StoreForeign: The mailbox's directory is missing.
            StoreError: disk_full, store_readonly, store_io.
        """
        return await self._pools.run("files", self._write_many, items)

    def sink(self, size: int | None, internal_date: int | None) -> TmpSink:
        """Where a large literal goes while it arrives; its file is made with the first octets written to disk.

        `size` None where it is known only at its end; the date as in `write_many`.
        """
        return TmpSink(self._pools, self._create, size, internal_date)

    async def close(self) -> None:
        """Remove what was not published and give the descriptors back; harmless when repeated."""
        await self._pools.run("files", self._close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _write_many(self, items: Sequence[tuple[bytes, int | None]]) -> list[StagedFile]:
        done: list[StagedFile] = []
        file: TmpFile | None = None
        try:
            with disk_errors(f"cannot write to the tmp of {self.directory}"):
                for octets, internal_date in items:
                    file = self._create()
                    file.write(octets)
                    facts = content.facts_of(octets)
                    date = internal_date if internal_date is not None else mime.received_date(octets)
                    file.finish(date)
                    done.append(StagedFile(tmp_name=file.name, content=facts, internal_date=date, file=file))
        except StoreError:
            if file is not None:
                file.discard()
            for staged in done:
                staged.file.discard()
            raise
        return done

    def _create(self) -> TmpFile:
        with self._lock:
            if self._is_closed:
                raise StoreError("the batch is closed")
            if self._maildir is None:
                self._maildir = OpenMaildir(self._root, self.directory)
            file = TmpFile(self._maildir.part("tmp"), self._maker.tmp(self._clock.now()), self._mode)
            self._files.append(file)
            return file

    def _close(self) -> None:
        with self._lock:
            self._is_closed = True
            files, self._files = self._files, []
            for file in files:
                file.discard()
            if self._maildir is not None:
                self._maildir.close()
                self._maildir = None


def sync_files(staged: Sequence[StagedFile]) -> None:
    """Make these durable, one after the other; the first that fails ends it (StoreError) and is lost."""
    for one in staged:
        try:
            one.file.sync()
        except OSError as exc:
            raise store_error(exc, f"cannot sync {one.tmp_name}: its octets count as lost") from exc


def publish(
    maildir: OpenMaildir, staged: Sequence[StagedFile], targets: Sequence[tuple[MaildirName, str]]
) -> list[str]:
    """Give synced files their names and make those durable: no letters -> new/, else cur/ with `:2,` and the letters.

    Returns their paths, in order. A taken name is left alone; the others are published all the same, then NameTaken
    is raised.
    """
    taken: list[MaildirName] = []
    paths: list[str] = []
    used: set[str] = set()
    with disk_errors(f"cannot publish to {maildir.directory}"):
        for one, (name, letters) in zip(staged, targets, strict=True):
            part, file_name = ("cur", f"{name}:2,{letters}") if letters else ("new", name)
            paths.append(f"{part}/{file_name}")
            try:
                one.file.publish(maildir.part(part), file_name)
            except FileExistsError:
                taken.append(name)
            else:
                used.add(part)
        maildir.sync(*sorted(used))
    if taken:
        raise NameTaken(f"{len(taken)} names in {maildir.directory} are taken, the first is {taken[0]}")
    return paths


def clean_tmp(root: Path, directory: str, maker: names.NameMaker) -> int:
    """How many stale files of ours were removed from tmp/: those that earlier processes left. Others' files stay."""
    removed = 0
    with OpenMaildir(root, directory) as maildir, disk_errors(f"cannot clean the tmp of {directory}"):
        tmp = maildir.part("tmp")
        with os.scandir(tmp) as listing:
            stale = [
                entry.name
                for entry in listing
                if entry.name.endswith(names.TMP_MARK)
                and not maker.is_own_tmp(entry.name)
                and entry.is_file(follow_symlinks=False)
            ]
        for name in stale:
            try:
                os.unlink(name, dir_fd=tmp)
            except FileNotFoundError:
                continue
            removed += 1
    return removed
