r"""The push ladder: which way of being told is the best one left, and which mailboxes a connection each is worth.

Pure. NOTIFY tells of every mailbox on one connection (RFC 5465). IDLE tells of the selected one (RFC 2177), so that INBOX
is watched on the main line and the next busiest mailboxes on lines of their own. Without either the schedule asks
(LIST-STATUS or STATUS).

*Busiest* is who got most messages in the last 30 days, by internal date: the index knows that without a counter of its
own, and it survives a restart. \Trash and \Junk come last whatever they get: nobody waits for that mail.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from daemon.model.ids import INBOX, MailboxName
from daemon.model.mailbox import MailboxRecord, SpecialUse
from daemon.model.states import WatchMode

BUSY_DAYS: Final = 30
_UNLOVED: Final = frozenset({SpecialUse.TRASH, SpecialUse.JUNK})


def rung(*, has_notify: bool, has_idle: bool, can_watch_inbox: bool) -> WatchMode:
    """The highest rung that still bears. `can_watch_inbox`: it is known, not frozen, and can be selected."""
    if has_notify:
        return WatchMode.NOTIFY
    return WatchMode.IDLE if has_idle and can_watch_inbox else WatchMode.POLL


def extra_lines(max_connections: int) -> int:
    """How many lines beside the main one may do nothing but watch: one connection is kept in reserve for work, and for
    the account's owner, whose own mail program needs one too.
    """
    return max(0, max_connections - 2)


def busiest(
    records: Iterable[MailboxRecord], arrivals: Mapping[MailboxName, int], count: int
) -> tuple[MailboxRecord, ...]:
    """The mailboxes beside INBOX that are worth a line each, the busiest first.

    One without any recent mail is worth a line too, as long as there are lines: mail may be moved there.
    """
    ranked = sorted(
        (record for record in records if record.name != INBOX and record.frozen_reason is None),
        key=lambda record: (record.special_use in _UNLOVED, -arrivals.get(record.name, 0), record.name),
    )
    return tuple(ranked[:count])
