"""What a server, or a disk, would not do, and when to ask again: nothing that was refused is repeated in every pass.

Kept in memory, so that a restart asks at once (faults.md S28).
"""

from enum import StrEnum
from typing import Final

from daemon.model.ids import MailboxName, MaildirName

REFUSAL_RETRY_SECONDS: Final = 15 * 60.0


class Asked(StrEnum):
    """What was asked for."""

    UPLOAD = "upload"
    MOVE = "move"
    FLAGS = "flags"
    DELETION = "deletion"
    FOLLOW = "follow"


class Refusals:
    """The refusals of one account, each for one file of one mailbox."""

    def __init__(self) -> None:
        self._until: dict[tuple[Asked, MailboxName, MaildirName], float] = {}

    def note(self, what: Asked, mailbox: MailboxName, name: MaildirName, now: float) -> None:
        """The server has just refused; ask again after a while."""
        self._until[what, mailbox, name] = now + REFUSAL_RETRY_SECONDS

    def is_waiting(self, what: Asked, mailbox: MailboxName, name: MaildirName | None, now: float) -> bool:
        """Whether it is too early to ask again."""
        if name is None:
            return False
        until = self._until.get((what, mailbox, name))
        if until is None:
            return False
        if until <= now:
            del self._until[what, mailbox, name]
            return False
        return True
