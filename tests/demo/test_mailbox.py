import pytest

from daemon.demo.mailbox import Mailbox, User, canonical
from daemon.model.flags import SEEN

FLAGS = frozenset({SEEN})


def deliver(mailbox: Mailbox, count: int = 1) -> list[int]:
    return [mailbox.deliver(b"Subject: x\r\n\r\n", internal_date=1) for _ in range(count)]


def test_uids_ascend_and_are_never_used_again():
    mailbox = Mailbox(7)
    assert deliver(mailbox, 3) == [1, 2, 3]
    mailbox.expunge([3])
    assert deliver(mailbox) == [4]


def test_every_change_takes_the_next_mod_seq():
    mailbox = Mailbox(7)
    first, second = deliver(mailbox, 2)
    before = mailbox.highest_mod_seq
    assert mailbox.set_flags(first, FLAGS)
    assert mailbox.messages[first].mod_seq == before + 1
    mailbox.expunge([second])
    assert mailbox.highest_mod_seq == before + 2


def test_flags_that_are_there_already_change_nothing():
    mailbox = Mailbox(7)
    (uid,) = deliver(mailbox)
    mailbox.set_flags(uid, FLAGS)
    before = mailbox.highest_mod_seq
    assert not mailbox.set_flags(uid, FLAGS)
    assert mailbox.highest_mod_seq == before


def test_what_is_gone_is_told_from_a_mod_seq_on():
    mailbox = Mailbox(7)
    deliver(mailbox, 4)
    mailbox.expunge([2])
    mark = mailbox.highest_mod_seq
    assert mailbox.expunge([4, 3, 99]) == [3, 4]
    assert mailbox.gone_since(mark) == [3, 4]
    assert mailbox.gone_since(0) == [2, 3, 4]


def test_reset_gives_new_uids_under_another_uid_validity():
    mailbox = Mailbox(7)
    deliver(mailbox, 3)
    mailbox.expunge([1])
    mailbox.set_flags(3, FLAGS)
    mailbox.reset(8)
    assert (mailbox.uid_validity, list(mailbox.messages), mailbox.uid_next) == (8, [1, 2], 3)
    assert mailbox.messages[2].flags == FLAGS
    assert mailbox.gone_since(0) == []


def test_watchers_hear_of_every_change_until_they_leave():
    mailbox = Mailbox(7)
    heard = []
    leave = mailbox.watch(lambda: heard.append(mailbox.highest_mod_seq))
    deliver(mailbox)
    mailbox.set_flags(1, FLAGS)
    mailbox.expunge([1])
    assert len(heard) == 3
    leave()
    deliver(mailbox)
    assert len(heard) == 3


def test_inbox_is_found_in_any_case_and_others_are_not():
    user = User("a", "b")
    user.create("Lists")
    assert user.find("inbox") is user.inbox
    assert user.find("lists") is None
    assert canonical("InBoX/a") == "INBOX/a"


def test_a_mailbox_below_another_brings_those_above_it():
    user = User("a", "b")
    user.create("A/B/C/")
    assert list(user.mailboxes) == ["INBOX", "A", "A/B", "A/B/C"]
    assert user.below("A") == ["A/B", "A/B/C"]


@pytest.mark.parametrize("name", ["", "A", "inbox", "A//B", "/A"])
def test_a_name_that_is_taken_or_none_is_refused(name):
    user = User("a", "b")
    user.create("A")
    with pytest.raises(ValueError, match=r"exists|empty"):
        user.create(name)


def test_every_mailbox_has_a_uid_validity_of_its_own_even_after_deletion():
    user = User("a", "b")
    first = user.create("A").uid_validity
    user.delete("A")
    assert user.create("A").uid_validity > first > user.inbox.uid_validity


@pytest.mark.parametrize(("name", "why"), [("INBOX", "stays"), ("X", "no such"), ("A", "below")])
def test_what_cannot_be_deleted_stays(name, why):
    user = User("a", "b")
    user.create("A/B")
    with pytest.raises(ValueError, match=why):
        user.delete(name)
    assert list(user.mailboxes) == ["INBOX", "A", "A/B"]


def test_rename_takes_those_below_along():
    user = User("a", "b")
    inner = user.create("A/B")
    deliver(inner)
    user.rename("A", "Z")
    assert list(user.mailboxes) == ["INBOX", "Z", "Z/B"]
    assert user.mailboxes["Z/B"].messages


def test_rename_of_inbox_moves_its_mail_only():
    user = User("a", "b")
    deliver(user.inbox, 2)
    user.rename("INBOX", "Old")
    assert not user.inbox.messages
    assert len(user.mailboxes["Old"].messages) == 2


@pytest.mark.parametrize(("old", "new"), [("X", "Y"), ("A", "INBOX"), ("A", "A/B/C")])
def test_rename_of_nothing_onto_something_or_below_itself_is_refused(old, new):
    user = User("a", "b")
    user.create("A/B")
    with pytest.raises(ValueError, match=r"exists|no such|below itself"):
        user.rename(old, new)
