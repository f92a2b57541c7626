"""Mailboxes in memory: the truth that the demo's servers show, changed by their clients or directly by a test.

No protocol and no I/O. Numbers follow RFC 9051 §2.3.1 (UIDs ascend, are never used again) and RFC 7162 §3.1
(each change takes the mailbox's next mod-sequence; what is gone is remembered with it).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from daemon.model.flags import NO_FLAGS, FlagSet
from daemon.model.ids import INBOX
from daemon.model.mailbox import SpecialUse

DELIMITER: Final = "/"
_FIRST_UID_VALIDITY: Final = 1001


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """One message. A change of its flags is a new value. `internal_date` is seconds since 1970, UTC."""

    uid: int
    octets: bytes = field(repr=False)
    flags: FlagSet
    internal_date: int
    mod_seq: int


class Mailbox:
    """The messages under one name, by ascending UID; tells its watchers of every change."""

    def __init__(self, uid_validity: int, *, special_use: SpecialUse | None = None) -> None:
        self.uid_validity = uid_validity
        self.mailbox_id = f"M{uid_validity:08x}"  # stays when UIDVALIDITY changes
        self.special_use = special_use
        self.is_subscribed = True
        self.has_mod_seqs = (
            True  # else clients are told of none, as by servers that keep none for some mailboxes
        )
        self.uid_next = 1
        self.highest_mod_seq = 1
        self.messages: dict[int, StoredMessage] = {}
        self._gone: list[tuple[int, int]] = []
        self._watchers: list[Callable[[], None]] = []

    def deliver(self, octets: bytes, *, internal_date: int, flags: FlagSet = NO_FLAGS) -> int:
        """The UID of the new message."""
        uid = self.uid_next
        self.uid_next += 1
        self.messages[uid] = StoredMessage(
            uid=uid, octets=octets, flags=flags, internal_date=internal_date, mod_seq=self._next_mod_seq()
        )
        self._tell()
        return uid

    def set_flags(self, uid: int, flags: FlagSet) -> bool:
        """Whether anything changed; KeyError for a UID that is not here."""
        message = self.messages[uid]
        if message.flags == flags:
            return False
        self.messages[uid] = replace(message, flags=flags, mod_seq=self._next_mod_seq())
        self._tell()
        return True

    def expunge(self, uids: Iterable[int]) -> list[int]:
        """The UIDs that were here and now are not, ascending."""
        removed = sorted(set(uids) & self.messages.keys())
        for uid in removed:
            del self.messages[uid]
            self._gone.append((uid, self._next_mod_seq()))
        if removed:
            self._tell()
        return removed

    def gone_since(self, mod_seq: int) -> list[int]:
        """UIDs expunged by changes above `mod_seq`, ascending."""
        return sorted(uid for uid, when in self._gone if when > mod_seq)

    def reset(self, uid_validity: int) -> None:
        """Give every message a new UID under another UIDVALIDITY, as a restored server does."""
        kept = list(self.messages.values())
        self.uid_validity, self.uid_next, self.highest_mod_seq = uid_validity, 1, 1
        self.messages, self._gone = {}, []
        for message in kept:
            self.deliver(message.octets, internal_date=message.internal_date, flags=message.flags)
        self._tell()

    def end(self) -> None:
        """The mailbox was deleted: whoever has it selected must let go of it."""
        self.uid_validity = 0
        self._tell()

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have `changed` called after every change; returns what ends that."""
        self._watchers.append(changed)
        return lambda: self._watchers.remove(changed)

    def _next_mod_seq(self) -> int:
        self.highest_mod_seq += 1
        return self.highest_mod_seq

    def _tell(self) -> None:
        for changed in tuple(self._watchers):
            changed()


class User:
    """One login and its mailboxes by decoded name, `/` between parts. INBOX is always there."""

    def __init__(self, name: str, password: str) -> None:
        self.name = name
        self.password = password
        self.mailboxes: dict[str, Mailbox] = {}
        self._next_uid_validity = _FIRST_UID_VALIDITY
        self.create(INBOX)

    @property
    def inbox(self) -> Mailbox:
        return self.mailboxes[INBOX]

    def find(self, name: str) -> Mailbox | None:
        """The mailbox of that name; INBOX in any case."""
        return self.mailboxes.get(canonical(name))

    def create(self, name: str, *, special_use: SpecialUse | None = None) -> Mailbox:
        """A new mailbox, and those above it; ValueError for a name that is taken or no name."""
        name = canonical(name.removesuffix(DELIMITER))
        if name in self.mailboxes:
            raise ValueError("it exists already")
        parts = name.split(DELIMITER)
        if not all(parts):
            raise ValueError("a part of the name is empty")
        for depth in range(1, len(parts)):
            above = DELIMITER.join(parts[:depth])
            if canonical(above) not in self.mailboxes:
                self.mailboxes[above] = Mailbox(self.new_uid_validity())
        self.mailboxes[name] = Mailbox(self.new_uid_validity(), special_use=special_use)
        return self.mailboxes[name]

    def delete(self, name: str) -> None:
        """Remove a mailbox with its mail; ValueError for INBOX, an unknown name, or one with mailboxes below it."""
        name = canonical(name)
        if name == INBOX:
            raise ValueError("INBOX stays")
        if name not in self.mailboxes:
            raise ValueError("there is no such mailbox")
        if self.below(name):
            raise ValueError("there are mailboxes below it")
        self.mailboxes.pop(name).end()

    def rename(self, old: str, new: str) -> None:
        """Rename a mailbox and those below it; of INBOX the mail moves and INBOX stays (RFC 9051 §6.3.6)."""
        old, new = canonical(old), canonical(new.removesuffix(DELIMITER))
        if old not in self.mailboxes:
            raise ValueError("there is no such mailbox")
        if new.startswith(old + DELIMITER):
            raise ValueError("a mailbox cannot go below itself")
        target = self.create(new)
        if old == INBOX:
            for message in list(self.inbox.messages.values()):
                target.deliver(message.octets, internal_date=message.internal_date, flags=message.flags)
            self.inbox.expunge(list(self.inbox.messages))
            return
        for name in [old, *self.below(old)]:
            self.mailboxes[new + name[len(old) :]] = self.mailboxes.pop(name)

    def below(self, name: str) -> list[str]:
        return [other for other in self.mailboxes if other.startswith(name + DELIMITER)]

    def new_uid_validity(self) -> int:
        """A number no mailbox of this user has had."""
        self._next_uid_validity += 1
        return self._next_uid_validity


def canonical(name: str) -> str:
    """The name as it is kept: INBOX in capitals, also as the first part."""
    first, delimiter, rest = name.partition(DELIMITER)
    return (INBOX if first.upper() == INBOX else first) + delimiter + rest
