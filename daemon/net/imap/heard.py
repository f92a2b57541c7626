"""What the server says unasked, until someone drains it: which UIDs vanished or got other flags, or only that some did.

RFC 9051 §5.2 and §7: EXISTS, EXPUNGE and FETCH may come with any answer; VANISHED: RFC 7162 §3.2.10. Of other mailboxes:
`net.imap.pushes`. A scan asks for the rest, so that a flood costs no memory.
"""

from typing import Final

from daemon.model.flags import FlagSet
from daemon.model.ids import ModSeq, Uid
from daemon.model.uidset import UidSet
from daemon.model.views import RemoteEntry
from daemon.net.imap.pushes import Pushes
from daemon.net.imap.values import Heard
from daemon.wire.imap.responses import FetchData

MOST_PIECES: Final = 20_000
"""UIDs with other flags, and pieces of VANISHED, kept one by one; beyond it the scan asks for all of them."""


_NEW: Final = object.__new__
_SET_UID, _SET_FLAGS, _SET_SIZE, _SET_DATE, _SET_MOD_SEQ, _SET_EMAIL_ID = (
    vars(RemoteEntry)[name].__set__ for name in RemoteEntry.__slots__
)


class HeardNotes:
    """Collects for one selected mailbox, and for all by `pushes`. `has_news` is what wakes an IDLE."""

    __slots__ = (
        "_flagged",
        "_has_comings_or_goings",
        "_has_own_news",
        "_has_unnamed_change",
        "_is_closing",
        "_vanished",
        "_vanished_parts",
        "pushes",
    )

    def __init__(self) -> None:
        self._is_closing = False
        self.pushes = Pushes()
        self.forget()

    @property
    def has_news(self) -> bool:
        """Whether a wait need not begin or go on."""
        return self._has_own_news or self.pushes.has_news

    @property
    def has_own_news(self) -> bool:
        """Whether something was heard of the selected mailbox, or the line is closing, and nobody drained it."""
        return self._has_own_news

    @property
    def has_comings_or_goings(self) -> bool:
        """Whether part of that is that messages came into the selected mailbox or left it."""
        return self._has_comings_or_goings

    def forget(self) -> None:
        """Start anew, for another mailbox or after a drain; the line's closing and pushes of other mailboxes stay."""
        self._vanished: list[UidSet] = []
        self._vanished_parts = 0
        self._flagged: set[Uid] = set()
        self._has_unnamed_change = False
        self._has_comings_or_goings = False
        self._has_own_news = self._is_closing

    def note_exists(self, *, is_other: bool) -> None:
        """EXISTS; `is_other` than what was known."""
        self._has_comings_or_goings |= is_other
        self._has_own_news = True

    def note_expunge(self) -> None:
        self._has_comings_or_goings = self._has_own_news = True

    def note_vanished(self, uids: UidSet) -> None:
        self._vanished.append(uids)
        self._vanished_parts += uids.range_count
        if self._vanished_parts > MOST_PIECES:
            self._vanished.clear()
            self._vanished_parts = 0
        self._has_comings_or_goings = self._has_own_news = True

    def note_fetch(self, data: FetchData) -> None:
        """Flags told unasked; a FETCH without flags says nothing about changes."""
        if data.flags is None:
            return
        self._has_own_news = True
        if data.uid is not None and len(self._flagged) < MOST_PIECES:
            self._flagged.add(data.uid)
        else:
            self._has_unnamed_change = True

    def note_closing(self) -> None:
        self._is_closing = self._has_own_news = True

    def is_gone(self, uid: Uid) -> bool:
        """Whether this UID was said to have vanished and not been drained yet."""
        return any(uid in uids for uids in self._vanished)

    def take_pushes(self) -> Heard:
        """What was told of other mailboxes; clears it, and leaves what was heard of the selected one to `drain`."""
        self.pushes.announce()
        return self.pushes.add_to(Heard())

    def drain(self) -> Heard:
        """Everything heard so far; clears it."""
        heard = Heard(
            vanished=UidSet.union(self._vanished),
            flagged=UidSet(self._flagged),
            has_unnamed_change=self._has_unnamed_change,
        )
        self.forget()
        self._has_own_news = False
        return self.pushes.add_to(heard)


def entry_of(uid: Uid, data: FetchData, before: RemoteEntry | None = None) -> RemoteEntry:
    """The entry a FETCH describes; what it leaves out is taken from `before`."""
    size, date, mod_seq, flags = data.size, data.internal_date, data.mod_seq, data.flags
    email_id = email_id_of(data)
    if before is not None:
        email_id = before.email_id if email_id is None else email_id
        size = before.size if size is None else size
        date = before.internal_date if date is None else date
        flags = before.flags if flags is None else flags
        mod_seq = _later(before.mod_seq, mod_seq)
    return RemoteEntry(
        uid=uid,
        flags=frozenset() if flags is None else flags,
        size=size,
        internal_date=date,
        mod_seq=mod_seq,
        email_id=email_id,
    )


def new_entry(uid: Uid, flags: FlagSet, data: FetchData) -> RemoteEntry:
    """The entry of a message seen for the first time.

    A scan makes one for every message of a mailbox, and the constructor of a frozen dataclass takes three times as long.
    """
    entry = _NEW(RemoteEntry)
    _SET_UID(entry, uid)
    _SET_FLAGS(entry, flags)
    _SET_SIZE(entry, data.size)
    _SET_DATE(entry, data.internal_date)
    _SET_MOD_SEQ(entry, data.mod_seq)
    _SET_EMAIL_ID(entry, email_id_of(data))
    return entry


def email_id_of(data: FetchData) -> str | None:
    """What names these octets in every mailbox: EMAILID (RFC 8474 §5.1), else Gmail's X-GM-MSGID."""
    if data.email_id is not None:
        return data.email_id
    return None if data.gmail_message_id is None else str(data.gmail_message_id)


def _later(one: ModSeq | None, other: ModSeq | None) -> ModSeq | None:
    if one is None or other is None:
        return one if other is None else other
    return max(one, other)
