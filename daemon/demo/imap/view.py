"""One session's view of its selected mailbox: message sequence numbers, and what the client has yet to be told.

A client is told of changes only at the moments RFC 9051 §5.2 and §7.5.1 allow, so the view lags behind the mailbox
until `news` is taken.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from daemon.demo.imap.arguments import BadCommand
from daemon.demo.imap.fetch import flags_text
from daemon.demo.mailbox import Mailbox, StoredMessage
from daemon.model.uidset import UidSet

_ANY: Final = "*"


class View:
    """What this client knows of the mailbox."""

    def __init__(self, mailbox: Mailbox, *, is_read_only: bool) -> None:
        self.mailbox = mailbox
        self.is_read_only = is_read_only
        self.uid_validity = mailbox.uid_validity
        self.uids = list(mailbox.messages)
        self._told = {uid: message.mod_seq for uid, message in mailbox.messages.items()}
        self._told_mod_seq = mailbox.highest_mod_seq

    @property
    def is_void(self) -> bool:
        """Whether the mailbox was deleted or got new UIDs, which no client can be told while it has it selected."""
        return self.mailbox.uid_validity != self.uid_validity

    def seq(self, uid: int) -> int:
        """The message sequence number of a UID in the view."""
        return bisect_left(self.uids, uid) + 1

    def by_uid(self, text: str) -> list[StoredMessage]:
        """The messages of a UID set; UIDs that are not here are no error."""
        return self._present(select_numbers(text, self.uids))

    def by_seq(self, text: str) -> list[StoredMessage]:
        """The messages of a sequence set; BadCommand for numbers beyond the last."""
        count = len(self.uids)
        numbers = select_numbers(text, range(1, count + 1))
        if not numbers or any(high > count for _, high in ranges_of(text, count)):
            raise BadCommand("no such message sequence number")
        return self._present(self.uids[number - 1] for number in numbers)

    def was_told(self, message: StoredMessage) -> None:
        """The client has the message's present flags."""
        self._told[message.uid] = message.mod_seq

    def news(
        self,
        *,
        may_expunge: bool,
        with_uid: bool = False,
        with_mod_seq: bool = False,
        as_vanished: bool = False,
    ) -> Iterator[bytes]:
        """Untagged lines that bring the client up to date; what may not be said yet stays for the next time."""
        if self._told_mod_seq == self.mailbox.highest_mod_seq:
            return
        messages = self.mailbox.messages
        gone = [uid for uid in self.uids if uid not in messages]
        if may_expunge and gone:
            if as_vanished:
                yield f"* VANISHED {UidSet(gone)}\r\n".encode()
            else:
                for uid in reversed(gone):
                    yield f"* {self.seq(uid)} EXPUNGE\r\n".encode()
            for uid in gone:
                del self.uids[bisect_left(self.uids, uid)], self._told[uid]
        new = [uid for uid in messages if uid not in self._told]
        if new:
            self.uids += new
            self._told |= {uid: messages[uid].mod_seq for uid in new}
            yield f"* {len(self.uids)} EXISTS\r\n".encode()
        for uid in self.uids:
            message = messages.get(uid)
            if message is not None and message.mod_seq > self._told[uid]:
                self.was_told(message)
                yield self.flags_line(message, with_uid=with_uid, with_mod_seq=with_mod_seq)
        if may_expunge or not gone:
            self._told_mod_seq = self.mailbox.highest_mod_seq

    def flags_line(self, message: StoredMessage, *, with_uid: bool, with_mod_seq: bool) -> bytes:
        uid = f"UID {message.uid} " if with_uid else ""
        mod_seq = f" MODSEQ ({message.mod_seq})" if with_mod_seq and self.mailbox.has_mod_seqs else ""
        return f"* {self.seq(message.uid)} FETCH ({uid}FLAGS ({flags_text(message.flags)}){mod_seq})\r\n".encode()

    def _present(self, uids: Iterable[int]) -> list[StoredMessage]:
        messages = self.mailbox.messages
        return [messages[uid] for uid in uids if uid in messages]


def select_numbers(text: str, existing: Sequence[int]) -> list[int]:
    """Those of `existing` (ascending) that the set names; `*` is the last of them."""
    found: set[int] = set()
    for low, high in ranges_of(text, existing[-1] if existing else 0):
        found.update(existing[bisect_left(existing, low) : bisect_left(existing, high + 1)])
    return sorted(found)


def ranges_of(text: str, last: int) -> list[tuple[int, int]]:
    """ABNF: sequence-set = (seq-number / seq-range) ["," sequence-set], with `*` for `last`."""
    ranges = []
    for part in text.split(","):
        first, colon, second = part.partition(":")
        ends = [first, second] if colon else [first]
        if not all(end == _ANY or (end.isdigit() and int(end) > 0) for end in ends):
            raise BadCommand("not a sequence set")
        numbers = [last if end == _ANY else int(end) for end in ends]
        ranges.append((min(numbers), max(numbers)))
    return ranges
