r"""NOTIFY: which changes in which mailboxes the server tells by itself.

Pure. The rules that a server answers with BAD are kept here: MessageNew and MessageExpunge go together, FlagChange
needs both, mailbox events are not for the selected mailbox, and one group for that. Grammar: RFC 5465 §8. Raises
LocalProtocolError for a request that breaks them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from daemon.model.errors import LocalProtocolError
from daemon.wire.imap.commands import Command, make_command
from daemon.wire.imap.states import Kind, Lane


class Watched(StrEnum):
    """Which mailboxes a group is about.

    SELECTED_DELAYED keeps expunges back until a command that may tell them, IDLE among these (RFC 5465 §6.2).
    """

    SELECTED = "selected"
    SELECTED_DELAYED = "selected-delayed"
    PERSONAL = "personal"


class Notice(StrEnum):
    """What a server may be asked to tell."""

    MESSAGE_NEW = "MessageNew"
    MESSAGE_EXPUNGE = "MessageExpunge"
    FLAG_CHANGE = "FlagChange"
    MAILBOX_NAME = "MailboxName"
    SUBSCRIPTION_CHANGE = "SubscriptionChange"


MESSAGES: Final = (Notice.MESSAGE_NEW, Notice.MESSAGE_EXPUNGE, Notice.FLAG_CHANGE)
EVERYTHING: Final = (*MESSAGES, Notice.MAILBOX_NAME, Notice.SUBSCRIPTION_CHANGE)

_SELECTED: Final = frozenset({Watched.SELECTED, Watched.SELECTED_DELAYED})
_PAIR: Final = frozenset({Notice.MESSAGE_NEW, Notice.MESSAGE_EXPUNGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One event group. No `notices` means NONE: tell nothing of these."""

    watched: Watched
    notices: Sequence[Notice] = EVERYTHING

    def __post_init__(self) -> None:
        told = frozenset(self.notices)
        if told & (_PAIR | {Notice.FLAG_CHANGE}) and not told >= _PAIR:
            raise LocalProtocolError("MessageNew and MessageExpunge go together, and FlagChange needs them")
        if self.watched in _SELECTED and not told <= frozenset(MESSAGES):
            raise LocalProtocolError("the selected mailbox has message events only")


def notify_set(groups: Sequence[Group], *, with_status: bool = False) -> Command:
    """NOTIFY SET, which replaces what was asked before; `with_status` asks for the numbers of each mailbox first."""
    if not groups or sum(group.watched in _SELECTED for group in groups) > 1:
        raise LocalProtocolError("NOTIFY SET needs groups, and at most one for the selected mailbox")
    words = b"SET STATUS" if with_status else b"SET"
    return make_command(Kind.NOTIFY, Lane.ALONE, b" ".join([words, *map(_octets, groups)]))


def _octets(group: Group) -> bytes:
    """ABNF: event-group = "(" filter-mailboxes SP events ")"."""
    events = f"({' '.join(group.notices)})" if group.notices else "NONE"
    return f"({group.watched} {events})".encode()
