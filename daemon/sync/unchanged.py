"""Whether a maildrop is, octet for octet of its listing, as a poll left it that had nothing left to do. Pure, in memory.

Then the listing need not be read nor compared. It must never be taken for unchanged when it is not: what was listed, what
is remembered of it and the mailbox it came into have to be the same, and no time at which something falls due may have
come.
"""

from dataclasses import dataclass
from typing import Final

from daemon.model.mailbox import MailboxRecord

TRUSTED_SECONDS: Final = 3600.0  # then all is compared again, and what is gone is forgotten in its time


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a poll left. `seal` is of its listing, `revision` of what is remembered; times are seconds since 1970, UTC."""

    seal: bytes
    revision: int
    count: int
    at: float
    due_at: float | None

    def seal_if(self, revision: int, inbox: MailboxRecord, now: float) -> bytes | None:
        """The seal that says that nothing has changed; None where all must be looked at whatever is listed."""
        until = self.at + TRUSTED_SECONDS
        if self.due_at is not None:
            until = min(until, self.due_at)
        is_same_here = (
            revision == self.revision and inbox.is_first_pass_done and inbox.message_count == self.count
        )
        return self.seal if is_same_here and self.at <= now < until else None
