r"""NOTIFY: which changes in which mailboxes the server tells by itself.

Pure. The rules that a server answers with BAD are kept here: MessageNew and MessageExpunge go together, FlagChange
needs both, mailbox events are not for the selected mailbox, FETCH items for nothing else, and one group for the
selected mailbox. Grammar: RFC 5465 §8. Raises LocalProtocolError for a request that breaks them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from daemon.model.errors import LocalProtocolError
from daemon.wire.imap.arguments import Part, astring
from daemon.wire.imap.commands import Command, FetchItem, make_command
from daemon.wire.imap.states import Kind, Lane


class Watched(StrEnum):
    """Which mailboxes a group is about; SUBTREE and MAILBOXES name them.

    SELECTED_DELAYED keeps expunges back until a command that may tell them, IDLE among these (RFC 5465 §6.2).
    """

    SELECTED = "selected"
    SELECTED_DELAYED = "selected-delayed"
    INBOXES = "inboxes"
    PERSONAL = "personal"
    SUBSCRIBED = "subscribed"
    SUBTREE = "subtree"
    MAILBOXES = "mailboxes"


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
_NAMED: Final = frozenset({Watched.SUBTREE, Watched.MAILBOXES})
_PAIR: Final = frozenset({Notice.MESSAGE_NEW, Notice.MESSAGE_EXPUNGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One event group. No `notices` means NONE: tell nothing of these. `items` come with a new message."""

    watched: Watched
    notices: Sequence[Notice] = EVERYTHING
    mailboxes: Sequence[bytes] = ()
    items: Sequence[FetchItem] = ()

    def __post_init__(self) -> None:
        told = frozenset(self.notices)
        if told & (_PAIR | {Notice.FLAG_CHANGE}) and not told >= _PAIR:
            raise LocalProtocolError("MessageNew and MessageExpunge go together, and FlagChange needs them")
        if self.watched in _SELECTED and not told <= frozenset(MESSAGES):
            raise LocalProtocolError("the selected mailbox has message events only")
        if self.items and not (self.watched in _SELECTED and Notice.MESSAGE_NEW in told):
            raise LocalProtocolError("FETCH items go with MessageNew of the selected mailbox only")
        if bool(self.mailboxes) is not (self.watched in _NAMED):
            raise LocalProtocolError(f"'{self.watched}' and {len(self.mailboxes)} names do not go together")


def notify_set(groups: Sequence[Group], *, with_status: bool = False) -> Command:
    """NOTIFY SET, which replaces what was asked before; `with_status` asks for the numbers of each mailbox first."""
    if not groups or sum(group.watched in _SELECTED for group in groups) > 1:
        raise LocalProtocolError("NOTIFY SET needs groups, and at most one for the selected mailbox")
    parts: list[Part] = [b"SET STATUS" if with_status else b"SET"]
    for group in groups:
        parts += _parts(group)
    return make_command(Kind.NOTIFY, Lane.ALONE, *parts)


def notify_none() -> Command:
    """NOTIFY NONE: nothing is told any more, not even of the selected mailbox while no command is in flight."""
    return make_command(Kind.NOTIFY, Lane.ALONE, b"NONE")


def _parts(group: Group) -> list[Part]:
    """ABNF: event-group = "(" filter-mailboxes SP events ")"."""
    events = " ".join(
        f"{one} ({' '.join(group.items)})" if one is Notice.MESSAGE_NEW and group.items else one.value
        for one in group.notices
    )
    tail = f"({events}))".encode() if group.notices else b"NONE)"
    opening = f"({group.watched}".encode()
    if not group.mailboxes:
        return [opening + b" " + tail]
    names = [astring(name) for name in group.mailboxes]
    return [opening + b" (", *names, b")", tail]
