"""Messages put on a server over IMAP, where its store is not for others to write."""

from collections.abc import Iterable
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
