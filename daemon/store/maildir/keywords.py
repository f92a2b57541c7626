"""Keywords as Maildir letters a-z by the mailbox's `dovecot-keywords` file: lines of `N name`, 0 for `a`.

Dovecot guards this file by the dotlock of its UID list, `dovecot-uidlist.lock`; `dovecot-keywords.lock` is only the
name under which the new file is written before it is renamed (Dovecot 2.3 unlinks and recreates it while it holds the
former). It notices a new file by an mtime that differs in whole seconds. So do we: lock, read again, take a free
letter, never renumber or reuse, replace by rename (sync.md 27). Blocks; runs in a named pool.
"""

import errno
import os
import socket
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from daemon.model.errors import Blast, StoreError
from daemon.model.flags import (
    FLAG_OF_LETTER,
    FORWARDED,
    LETTER_FLAGS,
    LETTER_OF_FLAG,
    Flag,
    FlagSet,
    is_valid_flag,
    normalise_flags,
)
from daemon.store.maildir.errors import disk_errors
from daemon.store.maildir.open_maildir import OpenMaildir

KEYWORDS_FILE: Final = "dovecot-keywords"
LOCK_FILE: Final = "dovecot-uidlist.lock"
NEXT_FILE: Final = "dovecot-keywords.lock"
LETTER_COUNT: Final = 26
LOCK_DEADLINE_SECONDS: Final = 5.0
LOCK_STALE_SECONDS: Final = 120.0  # Dovecot's own limit before it overrides a silent lock
_MAX_FILE_BYTES: Final = 64 << 10
_RETRY_SECONDS: Final = 0.02


class KeywordsLocked(StoreError):
    """Dovecot holds the mailbox's lock for longer than we wait; try the mailbox again in the next pass."""

    blast = Blast.MAILBOX
    default_reason = "keywords_locked"


@dataclass(frozen=True, slots=True)
class KeywordMap:
    """Which letter stands for which keyword in one mailbox. Names compare without case, as Dovecot does.

    Not `is_usable`: a symbolic link, an oversized file or another oddity lies there; no letter is explained, and none is given.
    """

    flag_of_letter: dict[str, Flag] = field(default_factory=dict)
    raw: bytes = b""
    stamp: tuple[int, int, int] | None = None
    is_usable: bool = True

    @property
    def flags(self) -> FlagSet:
        """Keywords that have a letter."""
        return frozenset(self.flag_of_letter.values())

    def letters_of(self, flag: Flag) -> str:
        """The letters that stand for a flag, usually one; empty where it has none."""
        own = LETTER_OF_FLAG.get(flag, "")
        if own and flag != FORWARDED:
            return own
        # Dovecot writes $Forwarded as a keyword, other programs as P: both are set and both are cleared.
        return own + self.keyword_letters_of(flag)

    def keyword_letters_of(self, flag: Flag) -> str:
        """Those of them that the keyword file gives it."""
        lowered = flag.lower()
        return "".join(letter for letter, known in self.flag_of_letter.items() if known.lower() == lowered)


def letters_to_flags(letters: str, keyword_map: KeywordMap) -> tuple[FlagSet, bool]:
    """Flags of these letters, and whether a keyword letter among them is not in the map."""
    flags: set[Flag] = set()
    has_unknown = False
    for letter in letters:
        flag = FLAG_OF_LETTER.get(letter) or keyword_map.flag_of_letter.get(letter)
        if flag is not None:
            flags.add(flag)
        elif letter.islower():
            has_unknown = True
    return frozenset(flags), has_unknown


def read_map(maildir: OpenMaildir, known: KeywordMap | None = None) -> KeywordMap:
    """The mailbox's map; `known` itself while its file is the same."""
    with disk_errors(f"cannot read {maildir.directory}/{KEYWORDS_FILE}"):
        try:
            fd = os.open(
                KEYWORDS_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=maildir.fd
            )
        except OSError as exc:
            if exc.errno == errno.ELOOP:
                return KeywordMap(is_usable=False)
            if exc.errno != errno.ENOENT:
                raise
            return known if known is not None and known.stamp is None and known.is_usable else KeywordMap()
        try:
            status = os.fstat(fd)
            stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_FILE_BYTES:
                return KeywordMap(is_usable=False)
            if known is not None and known.stamp == stamp:
                return known
            raw = os.read(fd, _MAX_FILE_BYTES)
        finally:
            os.close(fd)
    return KeywordMap(parse_map(raw), raw, stamp)


def parse_map(raw: bytes) -> dict[str, Flag]:
    """Letters and keywords of the file's lines; lines that Dovecot would not use, or that no server takes, are left out."""
    found: dict[str, Flag] = {}
    for line in raw.splitlines():
        number, _, name = line.partition(b" ")
        if not number.isdigit() or len(number) > 2 or int(number) >= LETTER_COUNT or not name.isascii():
            continue
        text = name.decode("ascii")
        if is_valid_flag(text) and not text.startswith("\\"):
            found[chr(ord("a") + int(number))] = next(iter(normalise_flags([text])))
    return found


def with_letters(
    maildir: OpenMaildir,
    known: KeywordMap,
    wanted: Collection[Flag],
    *,
    mode: int,
    used_letters: Iterator[str],
) -> KeywordMap:
    """The map after giving each wanted keyword a letter; those that come too late get none.

    `used_letters` are those in the names of the mailbox's files, only read when a letter has to be given: one that
    the map does not explain belonged to a keyword whose line was lost, and is never given to another.

    Raises:
        KeywordsLocked: The lock did not come free in time; nothing was changed.
    """
    # $Forwarded comes last: without a letter it still has P, which Dovecot does not show.
    missing = [
        flag
        for flag in sorted(wanted, key=lambda flag: (flag == FORWARDED, flag))
        if (flag not in LETTER_FLAGS or flag == FORWARDED)
        and not known.keyword_letters_of(flag)
        and is_valid_flag(flag)
    ]
    if not missing or not known.is_usable or len(known.flag_of_letter) >= LETTER_COUNT:
        return known
    with _dotlock(maildir):
        current = read_map(maildir)
        taken = _numbered(current.raw) | set(current.flag_of_letter)
        missing = [flag for flag in missing if not current.keyword_letters_of(flag)]
        if not missing or not current.is_usable:
            return current
        taken.update(used_letters)
        free = [letter for letter in map(chr, range(ord("a"), ord("z") + 1)) if letter not in taken]
        added = list(zip(free, missing, strict=False))
        if not added:
            return current
        raw = current.raw if not current.raw or current.raw.endswith(b"\n") else current.raw + b"\n"
        raw += b"".join(b"%d %s\n" % (ord(letter) - ord("a"), flag.encode()) for letter, flag in added)
        _replace(maildir, raw, mode, current.stamp)
        return read_map(maildir)


def _numbered(raw: bytes) -> set[str]:
    """Letters that some line claims, readable or not."""
    numbers = (line.partition(b" ")[0] for line in raw.splitlines())
    return {chr(ord("a") + int(n)) for n in numbers if n.isdigit() and len(n) <= 2 and int(n) < LETTER_COUNT}


def _replace(maildir: OpenMaildir, raw: bytes, mode: int, old: tuple[int, int, int] | None) -> None:
    """Write the file anew under Dovecot's own name for that and rename it; who may read it stays as it was."""
    with disk_errors(f"cannot write {maildir.directory}/{KEYWORDS_FILE}"):
        with suppress(FileNotFoundError):
            os.unlink(NEXT_FILE, dir_fd=maildir.fd)
        fd = os.open(
            NEXT_FILE,
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
            mode,
            dir_fd=maildir.fd,
        )
        try:
            os.write(fd, raw)
            if old is not None:
                status = os.stat(KEYWORDS_FILE, dir_fd=maildir.fd, follow_symlinks=False)
                with suppress(PermissionError):
                    os.fchown(fd, status.st_uid, status.st_gid)
                os.fchmod(fd, stat.S_IMODE(status.st_mode))
                grown = max(int(time.time()), old[0] // 10**9 + 1)
                os.utime(fd, (grown, grown))
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(NEXT_FILE, KEYWORDS_FILE, src_dir_fd=maildir.fd, dst_dir_fd=maildir.fd)
        os.fsync(maildir.fd)


@contextmanager
def _dotlock(maildir: OpenMaildir) -> Iterator[None]:
    """Holds Dovecot's lock of the mailbox: a file made with O_EXCL that says `PID:HOST`."""
    deadline = time.monotonic() + LOCK_DEADLINE_SECONDS
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with disk_errors(f"cannot lock {maildir.directory}"):
        while True:
            try:
                fd = os.open(LOCK_FILE, flags, 0o600, dir_fd=maildir.fd)
            except FileExistsError:
                if _remove_stale_lock(maildir):
                    continue
                if time.monotonic() >= deadline:
                    raise KeywordsLocked(
                        f"{maildir.directory}/{LOCK_FILE} is held by another program"
                    ) from None
                time.sleep(_RETRY_SECONDS)
            else:
                break
        try:
            mine = os.fstat(fd).st_ino
            os.write(fd, f"{os.getpid()}:{socket.gethostname()}".encode())
        finally:
            os.close(fd)
        try:
            yield
        finally:
            _unlock(maildir, mine)


def _unlock(maildir: OpenMaildir, mine: int) -> None:
    """Remove the lock if it is still that file: after a long stall Dovecot may have taken ours over."""
    with suppress(FileNotFoundError):
        if os.stat(LOCK_FILE, dir_fd=maildir.fd, follow_symlinks=False).st_ino == mine:
            os.unlink(LOCK_FILE, dir_fd=maildir.fd)


def _remove_stale_lock(maildir: OpenMaildir) -> bool:
    """Whether the lock was left by a dead process, or silent beyond Dovecot's own limit, and is gone now."""
    try:
        fd = os.open(LOCK_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=maildir.fd)
    except FileNotFoundError:
        return True
    try:
        status = os.fstat(fd)
        owner = os.read(fd, 512)
    finally:
        os.close(fd)
    if not _is_dead(owner) and time.time() - status.st_mtime < LOCK_STALE_SECONDS:
        return False
    _unlock(maildir, status.st_ino)
    return True


def _is_dead(owner: bytes) -> bool:
    """Whether `PID:HOST` names a process of this machine that no longer runs."""
    pid, _, host = owner.partition(b":")
    if not pid.isdigit() or host != socket.gethostname().encode():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
