"""Identity of the tree: the regular file `mailsyncd-id` in the account's root and in each mailbox directory.

It says which store and which account the directory belongs to. Where it is missing or names another store, the disk
may not be mounted or a backup may lie there: no deletion is inferred and nothing is written until a person approves
(sync.md 14). The root's file also carries the generation, raised at each start, by which a restored backup of the
tree is told from the tree (decisions.md 2). Device and inode are no identity. Blocks; runs in a named pool.
"""

import errno
import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from daemon.model.errors import StoreForeign
from daemon.model.ids import AccountId
from daemon.store.maildir import open_maildir
from daemon.store.maildir.errors import disk_errors
from daemon.store.maildir.open_maildir import Access, OpenMaildir

ID_FILE: Final = "mailsyncd-id"
_NEXT_FILE: Final = "mailsyncd-id.next"
_MAX_BYTES: Final = 4096
_FORM: Final = re.compile(
    rb"mailsyncd-id 1\nstore ([0-9A-Za-z_-]{1,64})\naccount ([a-z0-9_-]{1,32})\ngeneration (\d{1,15})\n\Z"
)
_ADOPT_REMEDY: Final = (
    "if this is the right directory, approve it for the account: the mail in it is kept and compared"
)
_MAY_LIE_IN_AN_EMPTY_TREE: Final = re.compile(
    r"(cur|new|tmp|maildirfolder|subscriptions|dovecot.*|\..*|mailsyncd-id\.next|lost\+found)\Z"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose directory it is."""

    store_id: str
    account: AccountId
    generation: int = 0


def read(maildir_fd: int, directory: str) -> Identity | None:
    """The identity of an open directory; None where the file is missing, no regular file, or not readable as one."""
    with disk_errors(f"cannot read {directory}/{ID_FILE}"):
        try:
            fd = os.open(
                ID_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=maildir_fd
            )
        except OSError as exc:
            if exc.errno in {errno.ENOENT, errno.ELOOP}:
                return None
            raise
        try:
            is_regular = stat.S_ISREG(os.fstat(fd).st_mode)
            raw = os.read(fd, _MAX_BYTES) if is_regular else b""
        finally:
            os.close(fd)
    found = _FORM.match(raw)
    if found is None:
        return None
    return Identity(
        store_id=found[1].decode(), account=AccountId(found[2].decode()), generation=int(found[3])
    )


def check(maildir: OpenMaildir, expected: Identity) -> Identity:
    """The directory's identity, which is the expected one whatever its generation.

    Raises:
        StoreForeign: No id file (store_missing), or another store's or account's (store_foreign).
    """
    found = read(maildir.fd, maildir.directory)
    if found is None:
        raise StoreForeign(
            f"the mail directory {maildir.path} has no {ID_FILE}: it is empty, was replaced, or is not mounted",
            reason="store_missing",
            remedy=open_maildir.MISSING_REMEDY,
        )
    if (found.store_id, found.account) != (expected.store_id, expected.account):
        raise StoreForeign(
            f"the mail directory {maildir.path} belongs to account {found.account} of store {found.store_id}",
            reason="store_foreign",
            remedy="point the account's maildir at its own directory; " + _ADOPT_REMEDY,
        )
    return found


def write(maildir_fd: int, directory: str, identity: Identity, access: Access) -> None:
    """Put the identity there, durable on return; an earlier one is replaced in one step."""
    with disk_errors(f"cannot write {directory}/{ID_FILE}"):
        with suppress(FileNotFoundError):
            os.unlink(_NEXT_FILE, dir_fd=maildir_fd)
        fd = os.open(
            _NEXT_FILE,
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
            access.file_mode,
            dir_fd=maildir_fd,
        )
        try:
            os.write(
                fd,
                f"mailsyncd-id 1\nstore {identity.store_id}\naccount {identity.account}\n"
                f"generation {identity.generation}\n".encode(),
            )
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(_NEXT_FILE, ID_FILE, src_dir_fd=maildir_fd, dst_dir_fd=maildir_fd)
        os.fsync(maildir_fd)


def claim(
    root: Path, identity: Identity, access: Access, *, root_is_maildir: bool, is_nested: bool, adopt: bool
) -> None:
    """Make the tree ours: one that does not exist, one that is empty, or with `adopt` an existing one with its mail.

    Claiming a tree that is ours already does nothing.

    Raises:
        StoreForeign: Another store's tree, or one with content and `adopt` is not set (both store_foreign).
    """
    with disk_errors(f"cannot make {root}"):
        root.mkdir(mode=access.directory_mode & 0o777, parents=True, exist_ok=True)
        parent = os.open(root.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)
    with OpenMaildir(root, ".") as maildir:
        found = read(maildir.fd, ".")
        if found is not None:
            check(maildir, identity)
            return
        here = maildir.names()
        maildirs = open_maildir.list_maildirs(root, is_nested=is_nested)
        if not adopt and (
            any(not _MAY_LIE_IN_AN_EMPTY_TREE.match(name) for name in here)
            or any(_has_messages(root, directory) for directory in maildirs)
        ):
            raise StoreForeign(
                f"{root} has content that this account did not put there",
                reason="store_foreign",
                remedy=_ADOPT_REMEDY,
            )
        _require_unclaimed(root, maildirs, identity)
        with disk_errors(f"cannot set the mode of {root}"):
            if not adopt:
                access.apply(maildir.fd)
    fd = open_maildir.make_directories(root, ".", access=access, has_parts=root_is_maildir)
    os.close(fd)
    # The root comes last: a claim that was interrupted is not yet a claim and is simply made again.
    for directory in (*(name for name in maildirs if name != "."), "."):
        with OpenMaildir(root, directory) as maildir:
            write(maildir.fd, directory, identity, access)


def _require_unclaimed(root: Path, maildirs: tuple[str, ...], identity: Identity) -> None:
    for directory in maildirs:
        with OpenMaildir(root, directory) as maildir:
            if read(maildir.fd, directory) is not None:
                check(maildir, identity)


def _has_messages(root: Path, directory: str) -> bool:
    with OpenMaildir(root, directory) as maildir, disk_errors(f"cannot list {directory}"):
        for part in ("new", "cur"):
            with os.scandir(maildir.part(part)) as listing:
                if any(not entry.name.startswith(".") for entry in listing):
                    return True
    return False
