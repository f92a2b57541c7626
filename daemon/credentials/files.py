"""Secrets in files: read once, only if nobody else can read them.

A file on a hanging network disk holds up its own account only: each read has a thread of its own and a deadline.
"""

import asyncio
import os
import stat
import threading
from pathlib import Path
from typing import Final

from daemon.model.errors import CredentialUnavailable

MOST_BYTES: Final = 64 * 1024  # OAuth refresh tokens of some providers take several KiB
READ_LIMIT_SECONDS: Final = 10.0


async def read_private(path: Path, *, is_guarded: bool = False) -> bytes:
    """The file's octets.

    Args:
        path: The file; links are followed.
        is_guarded: The directory is private by other means, as systemd's credentials are; the mode is not judged:
            an access list that lets the service read shows there as the group's permission.

    Raises:
        CredentialUnavailable: Absent, unreadable, no regular file, too large, or open to others.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()

    def settle(octets: bytes | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(octets or b"")

    def run() -> None:
        octets, error = None, None
        try:
            octets = _read(path, is_guarded=is_guarded)
        except CredentialUnavailable as unavailable:
            error = unavailable
        try:
            loop.call_soon_threadsafe(settle, octets, error)
        except RuntimeError:  # the loop was closed while the disk hung; nobody waits any more
            return

    threading.Thread(target=run, name="mailsyncd-secret", daemon=True).start()
    try:
        async with asyncio.timeout(READ_LIMIT_SECONDS):
            return await answer
    except TimeoutError as error:
        raise CredentialUnavailable(
            f"{path} could not be read within {READ_LIMIT_SECONDS:.0f} s",
            remedy="look at the disk it lies on",
        ) from error


def _read(path: Path, *, is_guarded: bool) -> bytes:
    try:
        # O_NONBLOCK: opening a FIFO would wait for a writer. Links are followed: secret stores use them.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            _judge(path, os.fstat(descriptor).st_mode, is_guarded=is_guarded)
            octets = os.read(descriptor, MOST_BYTES + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise CredentialUnavailable(
            f"{path} cannot be read: {os.strerror(error.errno or 0)}",
            remedy="create it with the password on its first line, readable by the service's user",
        ) from error
    if len(octets) > MOST_BYTES:
        raise CredentialUnavailable(
            f"{path} is larger than {MOST_BYTES} bytes", remedy="name the password's file"
        )
    return octets


def _judge(path: Path, mode: int, *, is_guarded: bool) -> None:
    if not stat.S_ISREG(mode):
        raise CredentialUnavailable(f"{path} is no regular file", remedy="name a file")
    if not is_guarded and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise CredentialUnavailable(
            f"{path} is open to others (mode {stat.S_IMODE(mode):04o})", remedy=f"chmod 600 {path}"
        )
