"""Values of a plan: what they need to have, and when there is nothing in them."""

import dataclasses

import pytest

from daemon.model.views import BaseEntry
from daemon.sync.actions import MailboxActions, Refetch, file_of, message_of, uid_of

BARE = BaseEntry(message_id=None, uid=None, maildir_name=None, flags=frozenset())
FULL = BaseEntry(message_id="m", uid=3, maildir_name="f", flags=frozenset())


def test_complete_entry_gives_what_is_asked():
    assert (message_of(FULL), uid_of(FULL), file_of(FULL)) == ("m", 3, "f")


@pytest.mark.parametrize("ask", [message_of, uid_of, file_of])
def test_entry_without_it_is_a_defect_and_not_a_guess(ask):
    with pytest.raises(LookupError):
        ask(BARE)


def test_actions_are_empty_only_without_any():
    """A field forgotten here would let a directory count as settled while something is to be done in it."""
    assert MailboxActions(mailbox="INBOX").is_empty
    for field in dataclasses.fields(MailboxActions):
        if field.name != "mailbox":
            one = Refetch(mailbox="INBOX", base=FULL)
            assert not MailboxActions(mailbox="INBOX", **{field.name: (one,)}).is_empty, field.name
