"""A maildrop: one user's INBOX as it was when a POP3 client logged in (RFC 1939 §4).

What is marked as deleted goes when the session ends in order, and not before. No I/O.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from daemon.demo.mailbox import User

_CRLF: Final = b"\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One message as this session sees it. `uid` is the mailbox's; id and size are what a listing says of it."""

    uid: int
    octets: bytes = field(repr=False)
    uidl: str | None
    size: int | None


Show = Callable[[User], Sequence[Parcel]]
"""What a client finds in the maildrop of a user."""


def show_truth(user: User) -> list[Parcel]:
    """Every message of INBOX with an id that it keeps, and its true size."""
    inbox = user.inbox
    return [
        Parcel(uid=uid, octets=message.octets, uidl=f"{inbox.uid_validity}.{uid}", size=len(message.octets))
        for uid, message in inbox.messages.items()
    ]


class Maildrop:
    """The messages of one session by number, from 1."""

    def __init__(self, user: User, parcels: Sequence[Parcel]) -> None:
        self._user = user
        self._parcels = dict(enumerate(parcels, 1))
        self._marked: set[int] = set()

    @property
    def there(self) -> dict[int, Parcel]:
        """Those not marked as deleted."""
        return {number: one for number, one in self._parcels.items() if number not in self._marked}

    def find(self, word: bytes) -> tuple[int, Parcel]:
        """Number and message; KeyError for what is no number, unknown, or marked as deleted."""
        number = int(word) if word.isdigit() and len(word) < 10 else 0
        return number, self.there[number]

    def mark(self, number: int) -> None:
        self._marked.add(number)

    def unmark_all(self) -> None:
        self._marked.clear()

    def finish(self) -> None:
        """Delete what is marked."""
        self._user.inbox.expunge([self._parcels[number].uid for number in self._marked])


def stuffed(octets: bytes) -> bytes:
    """A multi-line answer's body: each line that begins with a dot has one more, and a lone dot ends it."""
    text = octets if octets.endswith(_CRLF) or not octets else octets + _CRLF
    text = (_CRLF + text).replace(b"\r\n.", b"\r\n..")[2:]
    return text + b"." + _CRLF


def top_of(octets: bytes, lines: int) -> bytes:
    """The header, the empty line and so many lines of the body."""
    head, empty, body = octets.partition(b"\r\n\r\n")
    return head + (empty or _CRLF) + b"".join(line + _CRLF for line in body.split(_CRLF)[:lines])
