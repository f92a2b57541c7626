"""The store's lock: one process at a time, told apart by the kernel, not by a file's presence.

`flock` on `<path>/lock` ends with the process that holds it, so a stale file never blocks anyone. The number written
in it is for the message only.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

from daemon.model.errors import StoreError, StoreInUse

LOCK_NAME: Final = "lock"
POLL_SECONDS: Final = 0.1


class StoreLock:
    """The lock of one store, held or not."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK_NAME
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock; raises StoreInUse, with the owner's pid where known, or StoreError."""
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            reason = "store_readonly" if isinstance(error, PermissionError) else "store_io"
            raise StoreError(f"{self._path}: {error.strerror}", reason=reason) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = _read_pid(fd)
            os.close(fd)
            owner = f"process {pid}" if pid else "another process"
            raise StoreInUse(f"{self._path.parent} is in use by {owner}", pid=pid) from error
        except OSError as error:
            os.close(fd)
            raise StoreError(f"{self._path}: {error.strerror}") from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Give the lock back; harmless when it is not held. The file stays: removing it would race."""
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None


def _read_pid(fd: int) -> int | None:
    text = os.pread(fd, 32, 0).strip()
    return int(text) if text.isdigit() else None
