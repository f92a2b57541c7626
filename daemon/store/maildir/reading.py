"""Reading message files: found by unique name, opened without following or waiting, streamed in wire form.

Whoever renames a file between look-up and open only makes us look again. Blocks, except `wire_chunks`.
"""

import os
import stat
import threading
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from daemon.model.envelope import Content
from daemon.model.ids import MaildirName
from daemon.store.maildir import content, scan
from daemon.store.maildir.errors import FileUnreadable, MessageGone, disk_errors
from daemon.store.maildir.open_maildir import OpenMaildir
from daemon.store.pools import Pools

_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MAX_TRIES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStatus:
    """What stat says of a message file. `mtime` is INTERNALDATE for files that we delivered."""

    path: str
    size: int
    mtime: int
    inode: int


def open_file(maildir: OpenMaildir, name: MaildirName, path: str | None) -> int:
    """A descriptor of the regular file of that unique name, first tried at `path`.

    Raises:
        MessageGone: It is in neither new/ nor cur/.
        FileUnreadable: It is no regular file, or the disk refuses.
    """
    with disk_errors(f"cannot open {name}", FileUnreadable):
        for number in range(_MAX_TRIES):
            if number or path is None:
                path = scan.likely_path(maildir, name) or scan.paths_of(maildir, {name}).get(name)
            if path is None:
                continue
            part, _, file_name = path.partition("/")
            try:
                fd = os.open(file_name, _OPEN, dir_fd=maildir.part(part))
            except FileNotFoundError:
                continue
            if stat.S_ISREG(os.fstat(fd).st_mode):
                return fd
            os.close(fd)
            raise FileUnreadable(f"{path} in {maildir.directory} is no regular file")
    raise MessageGone(f"{name} is no longer in {maildir.directory}")


def read_file(root: Path, directory: str, name: MaildirName, path: str | None) -> bytes:
    """The file's octets, all in memory."""
    with OpenMaildir(root, directory) as maildir:
        fd = open_file(maildir, name, path)
    with disk_errors(f"cannot read {name}", FileUnreadable), os.fdopen(fd, "rb", buffering=0) as file:
        return file.readall()


def content_of(
    root: Path, directory: str, wanted: Collection[tuple[MaildirName, str | None]]
) -> list[Content]:
    """Facts of these files, in order, each read in chunks."""
    found = []
    with OpenMaildir(root, directory) as maildir:
        for name, path in wanted:
            fd = open_file(maildir, name, path)
            meter = content.ContentMeter()
            with disk_errors(f"cannot read {name}", FileUnreadable):
                try:
                    while chunk := os.read(fd, content.CHUNK_BYTES):
                        meter.feed(chunk)
                finally:
                    os.close(fd)
            found.append(meter.result())
    return found


def status_of(
    root: Path, directory: str, wanted: Collection[tuple[MaildirName, str | None]]
) -> dict[MaildirName, FileStatus]:
    """Size, time and inode of these files, without opening them; those that are gone are left out."""
    found: dict[MaildirName, FileStatus] = {}
    with OpenMaildir(root, directory) as maildir, disk_errors(f"cannot stat in {directory}"):
        waiting = dict(wanted)
        for number in range(3):
            for name, path in list(waiting.items()):
                if path is None:
                    continue
                part, _, file_name = path.partition("/")
                try:
                    status = os.stat(file_name, dir_fd=maildir.part(part), follow_symlinks=False)
                except FileNotFoundError:
                    continue
                del waiting[name]
                if stat.S_ISREG(status.st_mode):
                    found[name] = FileStatus(
                        path=path, size=status.st_size, mtime=int(status.st_mtime), inode=status.st_ino
                    )
            if not waiting or number == 2:
                break
            shown = scan.paths_of(maildir, waiting)
            waiting = {name: shown.get(name) for name in waiting}
    return found


async def wire_chunks(
    pools: Pools, root: Path, directory: str, name: MaildirName, path: str | None
) -> AsyncIterator[bytes]:
    """The message's wire form in chunks of about 256 KiB; memory does not grow with its size."""
    reader = _Reader(root, directory, name, path)
    try:
        while chunk := await pools.run("files", reader.next_chunk):
            yield chunk
    finally:
        reader.close()


class _Reader:
    """A file being read by pool threads. The task that wants it may end at any time, so whoever is last closes it:
    a descriptor closed under a reading thread could meanwhile be someone else's.
    """

    def __init__(self, root: Path, directory: str, name: MaildirName, path: str | None) -> None:
        self._where = (root, directory)
        self._name = name
        self._path = path
        self._lock = threading.Lock()
        self._fd = -1
        self._is_closed = False
        self._stream = content.WireStream()

    def next_chunk(self) -> bytes:
        """The next octets in wire form; empty at the end, and after `close`."""
        with self._lock:
            try:
                if self._is_closed:
                    return b""
                if self._fd < 0:
                    with OpenMaildir(*self._where) as maildir:
                        self._fd = open_file(maildir, self._name, self._path)
                with disk_errors(f"cannot read {self._name}", FileUnreadable):
                    return self._stream.convert(os.read(self._fd, content.CHUNK_BYTES))
            finally:
                self._close_if_over()

    def close(self) -> None:
        """Nobody wants more. Never blocks."""
        self._is_closed = True
        if self._lock.acquire(blocking=False):
            try:
                self._close_if_over()
            finally:
                self._lock.release()

    def _close_if_over(self) -> None:
        if self._is_closed and self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
