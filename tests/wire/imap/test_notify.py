"""NOTIFY SET as RFC 5465 §8 writes it, and the requests a server would answer with BAD."""

import pytest

from daemon.model.errors import LocalProtocolError
from daemon.wire.imap import notify
from daemon.wire.imap.commands import Literal
from daemon.wire.imap.notify import MESSAGES, Group, Notice, Watched


def text(command) -> bytes:
    return b"".join(part.octets if isinstance(part, Literal) else part for part in command.parts)


def test_all_of_the_personal_mailboxes():
    command = notify.notify_set(
        [Group(watched=Watched.SELECTED_DELAYED, notices=MESSAGES), Group(watched=Watched.PERSONAL)],
        with_status=True,
    )
    assert text(command) == (
        b"NOTIFY SET STATUS (selected-delayed (MessageNew MessageExpunge FlagChange))"
        b" (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))"
    )
    assert command.describe() == text(command).decode()


def test_events_are_those_asked_for():
    some = Group(watched=Watched.SELECTED, notices=MESSAGES[:2])
    none = Group(watched=Watched.PERSONAL, notices=())
    assert text(notify.notify_set([some, none])) == (
        b"NOTIFY SET (selected (MessageNew MessageExpunge)) (personal NONE)"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"watched": Watched.PERSONAL, "notices": [Notice.MESSAGE_NEW]},
        {"watched": Watched.PERSONAL, "notices": [Notice.MESSAGE_EXPUNGE]},
        {"watched": Watched.PERSONAL, "notices": [Notice.FLAG_CHANGE]},
        {"watched": Watched.SELECTED, "notices": [*MESSAGES, Notice.MAILBOX_NAME]},
    ],
)
def test_request_that_no_server_takes_is_refused_here(options):
    with pytest.raises(LocalProtocolError):
        Group(**options)


def test_two_groups_for_the_selected_mailbox_are_refused():
    both = [Group(watched=one, notices=MESSAGES) for one in (Watched.SELECTED, Watched.SELECTED_DELAYED)]
    with pytest.raises(LocalProtocolError):
        notify.notify_set(both)
    with pytest.raises(LocalProtocolError):
        notify.notify_set([])
