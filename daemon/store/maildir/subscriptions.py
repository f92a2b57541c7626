r"""The tree's `subscriptions` file, which Dovecot in front of it reads and writes: one mailbox a line.

A file of version 2 begins with `V<tab>2` and an empty line, and has a tab between the parts of a name; an older one has
the layout's own separator. Names are those of directories on disk. The file is changed as Dovecot does it: under
`subscriptions.lock`, made with O_EXCL, which takes the new text and is then renamed. Lines that are not ours to change
stay as they are, in their order. Blocks; runs in a named pool.
"""

import os
import stat
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Final

from daemon.model.errors import Blast, StoreError
from daemon.store.maildir.errors import disk_errors
from daemon.store.maildir.names import Layout
from daemon.store.maildir.open_maildir import OpenMaildir

FILE: Final = "subscriptions"
LOCK_FILE: Final = "subscriptions.lock"
LOCK_DEADLINE_SECONDS: Final = 2.0
LOCK_STALE_SECONDS: Final = 30.0  # Dovecot overrides a lock that has not changed for so long
MAX_BYTES: Final = 8 << 20
_HEADER: Final = b"V\t2\n\n"
_RETRY_SECONDS: Final = 0.02


class SubscriptionsLocked(StoreError):
    """Another program holds the lock of the file; nothing was changed, the next pass tries again."""

    blast = Blast.MAILBOX
    default_reason = "subscriptions_locked"


def line_of(directory: str, layout: Layout) -> str:
    """How version 2 names the mailbox in this directory."""
    if layout == "maildir++":
        return "INBOX" if directory == "." else directory.removeprefix(".").replace(".", "\t")
    return directory.replace("/", "\t")


def directory_of(line: str, layout: Layout) -> str:
    """The directory that a line of version 2 means."""
    if layout == "maildir++":
        return "." if line == "INBOX" else "." + line.replace("\t", ".")
    return line.replace("\t", "/")


def read(maildir: OpenMaildir, layout: Layout) -> frozenset[str] | None:
    """Directories of the subscribed mailboxes; None for a file that is missing or empty, and so says nothing."""
    raw = _read_raw(maildir)
    if not raw:
        return None
    lines = _lines(raw, layout)
    return frozenset(directory_of(line, layout) for line in lines if line)


def change(
    maildir: OpenMaildir, layout: Layout, *, add: Collection[str], remove: Collection[str], mode: int
) -> None:
    """Add and remove directories; nothing is written where nothing differs.

    Raises:
        SubscriptionsLocked: The lock did not come free in time.
    """
    wanted, unwanted = _named(add, layout), _named(remove, layout)
    with disk_errors(f"cannot change {FILE}"):
        fd = _lock(maildir, mode)
        try:
            raw = _read_raw(maildir)
            is_old = bool(raw) and not raw.startswith(_HEADER)
            before = _lines(raw, layout)
            after = [line for line in before if line not in unwanted]
            after += sorted(wanted.difference(after))
            if after == before and raw:
                os.unlink(LOCK_FILE, dir_fd=maildir.fd)
                return
            os.write(fd, b"" if is_old else _HEADER)
            for line in after:
                _write_all(fd, _format(line, layout, is_old=is_old))
            _keep_owner(maildir, fd)
            os.fsync(fd)
            os.rename(LOCK_FILE, FILE, src_dir_fd=maildir.fd, dst_dir_fd=maildir.fd)
            os.fsync(maildir.fd)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(LOCK_FILE, dir_fd=maildir.fd)
            raise
        finally:
            os.close(fd)


def _named(directories: Iterable[str], layout: Layout) -> frozenset[str]:
    return frozenset(line_of(directory, layout) for directory in directories)


def _lines(raw: bytes, layout: Layout) -> list[str]:
    """The lines, as version 2 would write them."""
    is_old = not raw.startswith(_HEADER)
    body = raw if is_old else raw[len(_HEADER) :]
    lines = body.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n") if body else []
    separator = "." if layout == "maildir++" else "/"
    return [line.replace(separator, "\t") for line in lines] if is_old else lines


def _format(line: str, layout: Layout, *, is_old: bool) -> bytes:
    separator = "." if layout == "maildir++" else "/"
    text = line.replace("\t", separator) if is_old else line
    return text.encode("utf-8", "surrogateescape") + b"\n"


def _read_raw(maildir: OpenMaildir) -> bytes:
    with disk_errors(f"cannot read {FILE}"):
        try:
            fd = os.open(FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=maildir.fd)
        except FileNotFoundError:
            return b""
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
                raise StoreError(f"{FILE} is no ordinary file", reason="store_io")
            with os.fdopen(fd, "rb", closefd=False) as file:
                return file.read(MAX_BYTES)
        finally:
            os.close(fd)


def _lock(maildir: OpenMaildir, mode: int) -> int:
    """A descriptor of the lock, which is ours."""
    deadline = time.monotonic() + LOCK_DEADLINE_SECONDS
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        try:
            return os.open(LOCK_FILE, flags, mode, dir_fd=maildir.fd)
        except FileExistsError:
            pass
        with suppress(FileNotFoundError):
            status = os.stat(LOCK_FILE, dir_fd=maildir.fd, follow_symlinks=False)
            if time.time() - status.st_mtime > LOCK_STALE_SECONDS:
                os.unlink(LOCK_FILE, dir_fd=maildir.fd)
                continue
        if time.monotonic() >= deadline:
            raise SubscriptionsLocked(f"{LOCK_FILE} is held by another program")
        time.sleep(_RETRY_SECONDS)


def _keep_owner(maildir: OpenMaildir, fd: int) -> None:
    """Who may read the file stays as it was."""
    with suppress(FileNotFoundError):
        status = os.stat(FILE, dir_fd=maildir.fd, follow_symlinks=False)
        with suppress(PermissionError):
            os.fchown(fd, status.st_uid, status.st_gid)
        os.fchmod(fd, stat.S_IMODE(status.st_mode))


def _write_all(fd: int, octets: bytes) -> None:
    while octets:
        octets = octets[os.write(fd, octets) :]
