"""Files that are being written to, and how long each must rest before it is sent.

A file that changes while it is sent costs the line, for half a literal is out; with few logins allowed that would stop the
account for as long as somebody copies a large message in. Pure, kept in memory: a restart tries at once.
"""

from dataclasses import dataclass
from typing import Final

from daemon.model.ids import MailboxName, MaildirName

FIRST_REST_SECONDS: Final = 5.0  # a copy over a slow line stalls for as long without being at its end
MOST_REST_SECONDS: Final = 15 * 60.0


@dataclass(slots=True)
class _Watched:
    """The size at the last look, the time since which it is that, and how long that must be."""

    size: int
    since: float
    rest_seconds: float


class Unrest:
    """The restless files of one account."""

    def __init__(self) -> None:
        self._files: dict[tuple[MailboxName, MaildirName], _Watched] = {}

    def note(self, mailbox: MailboxName, name: MaildirName, size: int, now: float) -> bool:
        """The file has changed under our hands: it must rest, longer each time. True where it is the first time."""
        watched = self._files.get((mailbox, name))
        rest = FIRST_REST_SECONDS if watched is None else min(2 * watched.rest_seconds, MOST_REST_SECONDS)
        self._files[mailbox, name] = _Watched(size, now, rest)
        return watched is None

    def is_watched(self, mailbox: MailboxName, name: MaildirName) -> bool:
        """Whether the file has been noted before: its size is to be told before it is sent."""
        return (mailbox, name) in self._files

    def has_rested(self, mailbox: MailboxName, name: MaildirName, size: int, now: float) -> bool:
        """Whether the file, which has this size now, has been left alone for long enough."""
        watched = self._files.get((mailbox, name))
        if watched is None:
            return True
        if size != watched.size:
            watched.size, watched.since = size, now
        return now - watched.since >= watched.rest_seconds

    def forget(self, mailbox: MailboxName, name: MaildirName) -> None:
        """The file has been sent, or is gone."""
        self._files.pop((mailbox, name), None)
