import pytest

from daemon.demo.imap.arguments import BadCommand
from daemon.demo.imap.view import View, ranges_of, select_numbers
from daemon.demo.mailbox import Mailbox
from daemon.model.flags import SEEN


@pytest.fixture
def mailbox() -> Mailbox:
    mailbox = Mailbox(5)
    for _ in range(5):
        mailbox.deliver(b"\r\n", internal_date=0)
    mailbox.expunge([2])
    return mailbox


def news(view: View, **options) -> list[bytes]:
    return list(view.news(**{"may_expunge": True, **options}))


def test_sequence_numbers_count_what_is_there(mailbox):
    view = View(mailbox, is_read_only=False)
    assert [view.seq(uid) for uid in (1, 3, 4, 5)] == [1, 2, 3, 4]
    assert [message.uid for message in view.by_seq("2:*")] == [3, 4, 5]
    assert [message.uid for message in view.by_uid("2:4,5")] == [3, 4, 5]


def test_number_beyond_the_last_message_is_refused_by_sequence_only(mailbox):
    view = View(mailbox, is_read_only=False)
    with pytest.raises(BadCommand):
        view.by_seq("5")
    assert view.by_uid("99") == []


def test_set_with_a_star_always_names_the_last():
    assert select_numbers("9:*", [1, 4]) == [4]
    assert select_numbers("*", []) == []
    assert ranges_of("5:2", 9) == [(2, 5)]


@pytest.mark.parametrize("text", ["", "0", "1:", "1:2:3", "a", ",", "-1"])
def test_text_that_is_no_set_is_refused(text):
    with pytest.raises(BadCommand):
        ranges_of(text, 3)


def test_expunges_are_told_from_the_last_to_the_first(mailbox):
    view = View(mailbox, is_read_only=False)
    mailbox.expunge([1, 4])
    mailbox.deliver(b"\r\n", internal_date=0)
    assert news(view) == [b"* 3 EXPUNGE\r\n", b"* 1 EXPUNGE\r\n", b"* 3 EXISTS\r\n"]
    assert news(view) == []


def test_expunges_wait_for_a_moment_when_they_may_be_told(mailbox):
    view = View(mailbox, is_read_only=False)
    mailbox.expunge([1])
    assert news(view, may_expunge=False) == []
    assert view.seq(3) == 2
    assert news(view, as_vanished=True) == [b"* VANISHED 1\r\n"]
    assert view.seq(3) == 1


def test_changed_flags_are_told_once_and_own_changes_not_at_all(mailbox):
    view = View(mailbox, is_read_only=False)
    mailbox.set_flags(3, frozenset({SEEN}))
    assert news(view, with_uid=True, with_mod_seq=True) == [
        b"* 2 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (%d))\r\n" % mailbox.highest_mod_seq
    ]
    assert news(view) == []
    mailbox.set_flags(4, frozenset({SEEN}))
    view.was_told(mailbox.messages[4])
    assert news(view) == []


def test_view_of_a_reset_mailbox_is_void(mailbox):
    view = View(mailbox, is_read_only=False)
    assert not view.is_void
    mailbox.reset(6)
    assert view.is_void
