"""Marks held against what the server says."""

from dataclasses import replace

import pytest

from daemon.model.ids import AccountId, MailboxName, ModSeq, Uid, UidValidity
from daemon.model.mailbox import MailboxRecord, RemoteMailbox
from daemon.sync.marks import differs, unmarked, went_back

RECORD = MailboxRecord(
    account=AccountId("work"),
    name=MailboxName("INBOX"),
    wire_name=b"INBOX",
    delimiter="/",
    directory=".",
    uid_validity=UidValidity(1),
    uid_next=Uid(10),
    highest_mod_seq=ModSeq(5),
    message_count=9,
    is_first_pass_done=True,
)
LISTED = RemoteMailbox(
    name=RECORD.name,
    wire_name=b"INBOX",
    delimiter="/",
    uid_validity=UidValidity(1),
    uid_next=Uid(10),
    highest_mod_seq=ModSeq(5),
    message_count=9,
)


def test_equal_marks_are_no_difference():
    assert not differs(RECORD, LISTED)


@pytest.mark.parametrize("mark", ["uid_validity", "uid_next", "highest_mod_seq", "message_count"])
def test_any_other_mark_is_one(mark):
    assert differs(RECORD, replace(LISTED, **{mark: 99}))
    assert differs(RECORD, replace(LISTED, **{mark: None}))


def test_mailbox_without_a_whole_pass_always_differs():
    assert differs(replace(RECORD, is_first_pass_done=False), LISTED)


def test_without_its_mark_everything_is_compared():
    assert unmarked(RECORD).highest_mod_seq is None
    assert unmarked(RECORD).uid_next == RECORD.uid_next


def test_only_a_smaller_number_went_back():
    assert went_back(5, 4)
    assert not went_back(5, 5)
    assert not went_back(None, 4)
    assert not went_back(5, None)
