"""Errors of the tree, and the one seam where `OSError` becomes a `StoreError`.

    StoreError
    |- MessageGone     no file of that unique name in cur/ or new/                 never, message
    |- NameTaken       a file of that name exists already; nothing was touched     never, message
    |- OtherDisk       source and target are on two file systems: no rename leads there   never, message
    |- FileUnreadable  the disk or its permissions do not give that one file       later, mailbox
    |- KeywordsLocked, SubscriptionsLocked   another program holds the file's lock       later, mailbox

`StoreError.reason` is disk_full (ENOSPC, EDQUOT), store_readonly (EROFS, EACCES, EPERM) or store_io (all else).
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from daemon.model.errors import Blast, Retry, StoreError

_REASON_OF_ERRNO: Final = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EROFS: "store_readonly",
    errno.EACCES: "store_readonly",
    errno.EPERM: "store_readonly",
}
_REMEDY_OF_REASON: Final = {
    "disk_full": "free space or raise the quota; the service goes on by itself",
    "store_readonly": "give the service's user write access to the tree, or mount it writable",
    "store_io": "look at the kernel log: the disk or file system reports faults",
}


class MessageGone(StoreError):
    """The file is in neither cur/ nor new/ of its mailbox any more: someone moved or removed it."""

    retry = Retry.NEVER
    blast = Blast.MESSAGE
    default_reason = "message_gone"


class NameTaken(StoreError):
    """A file of that name exists; it was not overwritten. Take another name."""

    retry = Retry.NEVER
    blast = Blast.MESSAGE
    default_reason = "name_taken"


class OtherDisk(StoreError):
    """The mailboxes lie on two file systems, so that a rename cannot move a file from one to the other."""

    retry = Retry.NEVER
    blast = Blast.MESSAGE
    default_reason = "other_disk"


class FileUnreadable(StoreError):
    """One message file cannot be opened or read. What is known of its mailbox is incomplete until it can."""

    blast = Blast.MAILBOX


def store_error(exc: OSError, what: str, kind: type[StoreError] = StoreError) -> StoreError:
    """The StoreError for a failed system call; `what` says what was being done, without message text."""
    reason = _REASON_OF_ERRNO.get(exc.errno or 0, "store_io")
    return kind(f"{what}: {exc.strerror or exc}", reason=reason, remedy=_REMEDY_OF_REASON[reason])


@contextmanager
def disk_errors(what: str, kind: type[StoreError] = StoreError) -> Iterator[None]:
    """Within it, every OSError leaves as StoreError, of this kind."""
    try:
        yield
    except OSError as exc:
        raise store_error(exc, what, kind) from exc
