"""A maildrop is unchanged only while all that it was compared with is the same."""

from dataclasses import replace

import pytest

from daemon.model.mailbox import MailboxRecord
from daemon.sync.unchanged import TRUSTED_SECONDS, Standing

INBOX = MailboxRecord(
    account="a",
    name="INBOX",
    wire_name=b"INBOX",
    delimiter="/",
    directory=".",
    message_count=3,
    is_first_pass_done=True,
)
STANDING = Standing(seal=b"seal", revision=7, count=3, at=1000.0, due_at=1500.0)


def test_seal_counts_while_nothing_has_changed():
    assert STANDING.seal_if(7, INBOX, 1000.0) == STANDING.seal_if(7, INBOX, 1499.0) == b"seal"


@pytest.mark.parametrize(
    ("revision", "inbox", "now"),
    [
        (8, INBOX, 1000.0),
        (7, replace(INBOX, message_count=2), 1000.0),
        (7, replace(INBOX, is_first_pass_done=False), 1000.0),
        (7, INBOX, 999.0),
        (7, INBOX, 1500.0),
    ],
)
def test_seal_counts_no_more_when_anything_has_changed_or_falls_due(revision, inbox, now):
    assert STANDING.seal_if(revision, inbox, now) is None


def test_seal_counts_for_a_while_only():
    standing = replace(STANDING, due_at=None)
    assert standing.seal_if(7, INBOX, 1000.0 + TRUSTED_SECONDS - 1) == b"seal"
    assert standing.seal_if(7, INBOX, 1000.0 + TRUSTED_SECONDS) is None
