"""A maildrop as one session sees it."""

import pytest

from daemon.demo.mailbox import User
from daemon.demo.pop3.maildrop import Maildrop, show_truth, stuffed, top_of


@pytest.fixture
def user():
    user = User("reader", "secret")
    for text in (b"Subject: a\r\n\r\none\r\n", b"Subject: b\r\n\r\ntwo\r\n"):
        user.inbox.deliver(text, internal_date=1)
    return user


def test_what_is_marked_goes_at_the_end_and_not_before(user):
    drop = Maildrop(user, show_truth(user))
    drop.mark(1)
    assert list(drop.there) == [2]
    assert len(user.inbox.messages) == 2
    with pytest.raises(KeyError):
        drop.find(b"1")
    drop.unmark_all()
    drop.mark(2)
    drop.finish()
    assert [message.octets[:10] for message in user.inbox.messages.values()] == [b"Subject: a"]


@pytest.mark.parametrize("word", [b"0", b"3", b"-1", b"x", b"99999999999", b""])
def test_what_is_no_number_of_a_message_is_not_found(user, word):
    with pytest.raises(KeyError):
        Maildrop(user, show_truth(user)).find(word)


def test_ids_stay_the_same_and_follow_uidvalidity(user):
    first = [one.uidl for one in show_truth(user)]
    assert [one.uidl for one in show_truth(user)] == first
    user.inbox.reset(9)
    assert not set(first) & {one.uidl for one in show_truth(user)}


def test_lines_that_begin_with_a_dot_are_stuffed():
    assert stuffed(b".a\r\n..b\r\nc") == b"..a\r\n...b\r\nc\r\n.\r\n"
    assert stuffed(b"") == b".\r\n"


def test_top_is_header_empty_line_and_lines():
    assert top_of(b"A: 1\r\n\r\nx\r\ny\r\n", 0) == b"A: 1\r\n\r\n"
    assert top_of(b"A: 1\r\n\r\nx\r\ny\r\n", 1) == b"A: 1\r\n\r\nx\r\n"
