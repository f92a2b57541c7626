"""NOTIFY SET as RFC 5465 §8 writes it, and the requests a server would answer with BAD."""

import pytest

from daemon.model.errors import LocalProtocolError
from daemon.wire.imap import notify
from daemon.wire.imap.commands import FetchItem, Literal
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


def test_named_mailboxes_are_written_as_they_must_be():
    command = notify.notify_set(
        [
            Group(
                watched=Watched.MAILBOXES, notices=MESSAGES[:2], mailboxes=[b"A", b'two "words"', b"\xc3\xa4"]
            ),
            Group(watched=Watched.SUBTREE, notices=(), mailboxes=[b"Lists"]),
        ]
    )
    assert text(command) == (
        b'NOTIFY SET (mailboxes (A "two \\"words\\"" \xc3\xa4) (MessageNew MessageExpunge)) (subtree (Lists) NONE)'
    )


def test_items_come_with_new_messages_of_the_selected_mailbox():
    group = Group(watched=Watched.SELECTED, notices=MESSAGES[:2], items=[FetchItem.UID, FetchItem.FLAGS])
    assert (
        text(notify.notify_set([group])) == b"NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge))"
    )


@pytest.mark.parametrize("watched", [Watched.INBOXES, Watched.SUBSCRIBED])
def test_groups_without_names(watched):
    group = Group(watched=watched, notices=[Notice.MAILBOX_NAME])
    assert text(notify.notify_set([group])) == f"NOTIFY SET ({watched} (MailboxName))".encode()


def test_none():
    assert text(notify.notify_none()) == b"NOTIFY NONE"


@pytest.mark.parametrize(
    "options",
    [
        {"watched": Watched.PERSONAL, "notices": [Notice.MESSAGE_NEW]},
        {"watched": Watched.PERSONAL, "notices": [Notice.MESSAGE_EXPUNGE]},
        {"watched": Watched.PERSONAL, "notices": [Notice.FLAG_CHANGE]},
        {"watched": Watched.SELECTED, "notices": [*MESSAGES, Notice.MAILBOX_NAME]},
        {"watched": Watched.PERSONAL, "notices": MESSAGES, "items": [FetchItem.UID]},
        {"watched": Watched.SELECTED, "notices": (), "items": [FetchItem.UID]},
        {"watched": Watched.MAILBOXES, "notices": MESSAGES},
        {"watched": Watched.PERSONAL, "notices": MESSAGES, "mailboxes": [b"A"]},
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
