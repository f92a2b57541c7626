"""One file in tmp/: created, written, synced, published or discarded, each step at most once.

A file whose fsync failed is lost: its descriptor is never synced again, for the kernel may have dropped the pages and
would report success the second time (faults.md L7). Blocks; runs in a named pool.
"""

import os
import threading
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from daemon.model.envelope import Content
from daemon.model.errors import LocalProtocolError, StoreError
from daemon.store.maildir import rename

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
LATEST_MTIME: Final = 1 << 33  # the year 2242: inside what ext4, XFS and btrfs can store

_descriptors = threading.BoundedSemaphore(256)
"""Descriptors that written files may hold until they are synced, in the whole process: RLIMIT_NOFILE is commonly
1,024. A file that gets none is synced and closed as soon as it is written: slower, never less safe.
"""


class _State(Enum):
    WRITING = auto()
    WRITTEN = auto()
    SYNCED = auto()
    PUBLISHED = auto()
    LOST = auto()


class TmpFile:
    """One file of ours in tmp/. Each step is atomic among threads: a caller may be cancelled while a pool works."""

    __slots__ = ("_fd", "_has_permit", "_lock", "_state", "_tmp_fd", "name")

    def __init__(self, tmp_fd: int, name: str, mode: int) -> None:
        self._tmp_fd = tmp_fd
        self.name = name
        self._lock = threading.Lock()
        self._state = _State.WRITING
        self._has_permit = _descriptors.acquire(blocking=False)
        try:
            self._fd = os.open(name, _CREATE, mode, dir_fd=tmp_fd)
        except BaseException:
            self._fd = -1
            self._close()
            raise

    def write(self, data: bytes) -> None:
        """Append; raises OSError, after which the file is to be discarded."""
        with self._lock:
            self._require(_State.WRITING)
            done = os.write(self._fd, data)
            while done < len(data):
                done += os.write(self._fd, memoryview(data)[done:])

    def finish(self, internal_date: int | None) -> None:
        """Nothing more will be written; sets the time (sync.md 3)."""
        with self._lock:
            self._require(_State.WRITING)
            if internal_date is not None:
                moment = min(max(internal_date, 0), LATEST_MTIME)
                os.utime(self._fd, (moment, moment))
            self._state = _State.WRITTEN
            if not self._has_permit:
                self._sync()
                return
            # Starts write-back without waiting for it: on ext4 with a journal the fsyncs of a batch then take half
            # the time, for the first of them no longer carries the data of all (measured).
            os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def sync(self) -> None:
        """Make octets and time durable and close; repeated calls do nothing. Raises OSError: the file is lost."""
        with self._lock:
            if self._state in {_State.SYNCED, _State.PUBLISHED}:
                return
            self._require(_State.WRITTEN)
            self._sync()

    def publish(self, target_fd: int, file_name: str) -> None:
        """Rename it to its place; raises FileExistsError when taken."""
        with self._lock:
            self._require(_State.SYNCED)
            rename.rename_exclusive(self._tmp_fd, self.name, target_fd, file_name)
            self._state = _State.PUBLISHED

    def discard(self) -> None:
        """Close and remove it unless it is published; never raises OSError: stale files are cleaned later."""
        with self._lock:
            if self._state is _State.PUBLISHED:
                return
            self._state = _State.LOST
            self._close()
            self._unlink()

    def _sync(self) -> None:
        try:
            os.fsync(self._fd)
        except OSError:
            self._state = _State.LOST
            self._close()
            self._unlink()
            raise
        self._close()
        self._state = _State.SYNCED

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        if self._has_permit:
            self._has_permit = False
            _descriptors.release()

    def _unlink(self) -> None:
        try:
            os.unlink(self.name, dir_fd=self._tmp_fd)
        except OSError:
            return

    def _require(self, state: _State) -> None:
        if self._state is _State.LOST:
            raise StoreError("the file was discarded or its octets were lost; write the message again")
        if self._state is not state:
            raise LocalProtocolError(
                f"a file in tmp/ is {self._state.name.lower()}, not {state.name.lower()}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedFile:
    """A whole message in tmp/, not yet durable and not yet visible."""

    tmp_name: str
    content: Content
    internal_date: int | None
    file: TmpFile = field(repr=False, compare=False)
