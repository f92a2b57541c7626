"""What NOTIFY told, read against what is stored: which mailboxes are to be looked at.

Pure. Numbers that equal the marks of the last scan are no news: a push that came while its mailbox was being looked at
costs nothing. Names that are not kept here (excluded by config, views over other mailboxes) are strangers: one full pass
finds out whether such a name is a new mailbox, and from then on it is passed over.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from daemon.model.ids import MailboxName
from daemon.model.mailbox import MailboxRecord
from daemon.net.imap.client import Heard, Selection, StatusResult
from daemon.net.imap.pushes import key_of
from daemon.service.wakes import Agenda

Kept = Mapping[bytes, MailboxRecord]
"""Records of the mailboxes that are kept in step, by the name under which pushes come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What to look at. `is_everything`: all of it, mailboxes themselves came, went or are in doubt.

    `told_of` are the kept mailboxes that were named, changed or not; `strangers` the wire names that are not kept.
    """

    mailboxes: frozenset[MailboxName] = frozenset()
    is_everything: bool = False
    told_of: frozenset[MailboxName] = frozenset()
    strangers: frozenset[bytes] = frozenset()

    @property
    def agenda(self) -> Agenda:
        """The same as what an account is to look at."""
        return Agenda(None if self.is_everything else self.mailboxes)


def by_wire_name(records: Iterable[MailboxRecord]) -> Kept:
    """These records as those that are kept."""
    return {key_of(record.wire_name): record for record in records}


def read_news(
    heard: Heard,
    records: Kept,
    *,
    known_strangers: Collection[bytes],
    is_opening: bool = False,
) -> News:
    """The news in what was heard; `records` are the kept mailboxes.

    `is_opening`: these are the numbers that NOTIFY begins with. They name all mailboxes, so where a server has no
    mod-sequences, equal counts are believed; later a push without them says that something changed.
    """
    kept = {name: result for name, result in heard.mailboxes.items() if name in records}
    strangers = frozenset(heard.mailboxes.keys() - kept.keys())
    changed = {
        records[name].name
        for name, told in kept.items()
        if _is_other(told, records[name]) or (told.highest_mod_seq is None and not is_opening)
    }
    return News(
        mailboxes=frozenset(changed),
        is_everything=heard.has_listing_change
        or heard.has_lost_track
        or not strangers.issubset(known_strangers),
        told_of=frozenset(records[name].name for name in kept),
        strangers=strangers,
    )


def is_behind(record: MailboxRecord, said: Selection) -> bool:
    """Whether a SELECT told what the last scan has not seen. Marks that are beyond its numbers come from a later scan."""
    if said.uid_validity != record.uid_validity or (said.highest_mod_seq or 0) > (
        record.highest_mod_seq or 0
    ):
        return True
    if said.uid_next is None or record.uid_next is None or said.uid_next == record.uid_next:
        return said.exists != record.message_count
    return said.uid_next > record.uid_next


def _is_other(told: StatusResult, record: MailboxRecord) -> bool:
    """Whether a number that was told differs from the mark of the last complete scan."""
    pairs = (
        (told.uid_validity, record.uid_validity),
        (told.uid_next, record.uid_next),
        (told.message_count, record.message_count),
        (told.highest_mod_seq, record.highest_mod_seq),
    )
    return any(now is not None and now != mark for now, mark in pairs)
