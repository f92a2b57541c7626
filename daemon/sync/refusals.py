"""What a server, or a disk, would not do, and when to ask again: nothing that was refused is repeated in every pass.

Kept in memory, so that a restart asks at once (faults.md S28).
"""

from enum import StrEnum
from typing import Final

from daemon.model.ids import MailboxName, MaildirName

REFUSAL_RETRY_SECONDS: Final = 15 * 60.0
FINAL_RETRY_SECONDS: Final = 24 * 3600.0  # only another configuration of the server can change its mind
FINAL_CODES: Final = frozenset({"TOOBIG", "CANNOT"})
"""RFC 7889 §4 and RFC 5530 §3: the same message will be refused again, whatever it costs to send it."""


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

    def note(
        self, what: Asked, mailbox: MailboxName, name: MaildirName, now: float, *, code: str | None = None
    ) -> None:
        """The server has just refused, with this response code; ask again after a while."""
        wait = FINAL_RETRY_SECONDS if code in FINAL_CODES else REFUSAL_RETRY_SECONDS
        self._until[what, mailbox, name] = now + wait

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
