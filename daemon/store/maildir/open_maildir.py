"""A mailbox's directory, held open: every path below the root goes through descriptors, step by step.

No step may be a symbolic link, so nothing that another program puts into the tree can lead us out of it. The root
itself may be one: where it lies is the administrator's choice. Blocks; runs in a named pool.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from daemon.model.errors import StoreForeign
from daemon.store.maildir import names
from daemon.store.maildir.errors import disk_errors

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_STEP: Final = _DIRECTORY | os.O_NOFOLLOW
_MISSING: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})

MISSING_REMEDY: Final = (
    "mount the disk or restore the directory; if it was removed on purpose, approve that for the account"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Modes of what we make, whatever the umask; with a group that group may read (decisions.md 18)."""

    group_id: int | None = None

    @property
    def directory_mode(self) -> int:
        """0700, or 2750: the set-group-id bit hands the group down to what is made below."""
        return 0o700 if self.group_id is None else 0o2750

    @property
    def file_mode(self) -> int:
        """0600, or 0640."""
        return 0o600 if self.group_id is None else 0o640

    def apply(self, directory_fd: int) -> None:
        """Give an open directory its group and mode."""
        if self.group_id is not None:
            os.fchown(directory_fd, -1, self.group_id)
        os.fchmod(directory_fd, self.directory_mode)


class OpenMaildir:
    """Descriptors of a mailbox's directory and, when asked for, of its tmp/, new/ and cur/."""

    def __init__(self, root: Path, directory: str) -> None:
        """Open it; `path` is for a person to read.

        Raises:
            StoreForeign: It, or a step on the way, is missing or no directory (reason store_missing).
            StoreError: The disk refuses.
        """
        self.directory = directory
        self.path = root / directory
        self._parts: dict[str, int] = {}
        self.fd = open_directory(root, directory)

    def part(self, name: str) -> int:
        """Descriptor of `tmp`, `new` or `cur`."""
        fd = self._parts.get(name)
        if fd is None:
            with _missing_is_foreign(self.path / name):
                fd = os.open(name, _STEP, dir_fd=self.fd)
            self._parts[name] = fd
        return fd

    def sync(self, *part_names: str) -> None:
        """Make the names in these parts durable."""
        for name in part_names:
            with disk_errors(f"cannot sync {self.directory}/{name}"):
                os.fsync(self.part(name))

    def names(self, part: str | None = None) -> list[str]:
        """What lies in a part, or in the directory itself."""
        fd = self.fd if part is None else self.part(part)
        with disk_errors(f"cannot list {self.directory}"), os.scandir(fd) as listing:
            return [entry.name for entry in listing]

    def close(self) -> None:
        """Give the descriptors back; harmless when repeated."""
        parts, self._parts = self._parts, {}
        for fd in parts.values():
            os.close(fd)
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_directory(root: Path, directory: str) -> int:
    """A descriptor of the directory; raises as `OpenMaildir`."""
    steps = names.check_directory(directory)
    with _missing_is_foreign(root / directory):
        fd = os.open(root, _DIRECTORY)
        for step in steps:
            try:
                below = os.open(step, _STEP, dir_fd=fd)
            finally:
                os.close(fd)
            fd = below
    return fd


def make_directories(root: Path, directory: str, *, access: Access, has_parts: bool) -> int:
    """A descriptor of the directory, made where missing, with tmp/, new/ and cur/ if it is to have them.

    The root must exist. What was made is durable in its parent.
    """
    with disk_errors(f"cannot make {directory}"):
        fd = os.open(root, _DIRECTORY)
        try:
            for step in names.check_directory(directory):
                _make_one(fd, step, access)
                below = os.open(step, _STEP, dir_fd=fd)
                os.close(fd)
                fd = below
            if has_parts:
                for part in names.MAILDIR_PARTS:
                    _make_one(fd, part, access)
        except BaseException:
            os.close(fd)
            raise
    return fd


def list_maildirs(root: Path, *, is_nested: bool) -> tuple[str, ...]:
    """Directories of all Maildirs in the tree (`cur` and `new` in them), the root as `.`; links are not followed."""
    found: list[str] = []
    waiting = ["."]
    while waiting:
        directory = waiting.pop()
        try:
            fd = open_directory(root, directory)
        except StoreForeign:
            if directory == ".":
                raise
            continue  # renamed or removed since its parent was listed
        try:
            with disk_errors(f"cannot list {directory}"), os.scandir(fd) as listing:
                below = [entry.name for entry in listing if entry.is_dir(follow_symlinks=False)]
        finally:
            os.close(fd)
        if "cur" in below and "new" in below:
            found.append(directory)
        if directory == "." or is_nested:
            lead = "" if directory == "." else f"{directory}/"
            waiting += [
                f"{lead}{name}"
                for name in below
                if name not in names.MAILDIR_PARTS and (is_nested or name.startswith("."))
            ]
    return tuple(sorted(found))


def _make_one(parent: int, name: str, access: Access) -> None:
    try:
        os.mkdir(name, access.directory_mode & 0o777, dir_fd=parent)
    except FileExistsError:
        return
    made = os.open(name, _STEP, dir_fd=parent)
    try:
        access.apply(made)
    finally:
        os.close(made)
    os.fsync(parent)


@contextmanager
def _missing_is_foreign(path: Path) -> Iterator[None]:
    with disk_errors(f"cannot open {path}"):
        try:
            yield
        except OSError as exc:
            if exc.errno not in _MISSING:
                raise
            raise StoreForeign(
                f"the mail directory {path} is missing or no directory",
                reason="store_missing",
                remedy=MISSING_REMEDY,
            ) from exc
