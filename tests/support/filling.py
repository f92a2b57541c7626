"""Messages put on a server: into its Maildir where it keeps one, else over IMAP."""

import os
import re
import time
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Final

from tests.support.server_side import server_side

NOON: Final = 1_700_000_000
_LETTERS: Final = {"S": "\\Seen", "F": "\\Flagged", "R": "\\Answered", "D": "\\Draft", "T": "\\Deleted"}


def append_all(server, user: str, mailbox: str, messages: Iterable[bytes], *, flags: str = "S") -> int:
    """How many were put there; the mailbox is made where it is not there yet."""
    bag = SimpleNamespace(server=server, user=user, password=server.password)
    words = " ".join(_LETTERS[letter] for letter in flags)
    count = 0
    with server_side(bag) as side:
        side.ensure(mailbox)
        for octets in messages:
            side.append(octets, mailbox, words, at=NOON + count)
            count += 1
    return count


def write_all(directory: Path, messages: Iterable[bytes], *, flags: str = "S") -> int:
    """How many were written into this Maildir, a second apart, with the size hints that Dovecot and Courier read."""
    for part in ("tmp", "new", "cur"):
        (directory / part).mkdir(parents=True, exist_ok=True)
    count = 0
    for octets in messages:
        wire = len(re.sub(rb"(?<!\r)\n", b"\r\n", octets))
        stamp = NOON + count
        name = f"{stamp}.M{count}P1{time.time_ns()}.host,S={len(octets)},W={wire}:2,{flags}"
        path = directory / "cur" / name
        path.write_bytes(octets)
        os.utime(path, (stamp, stamp))
        count += 1
    return count
