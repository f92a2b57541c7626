"""From what NOTIFY told to the mailboxes to look at."""

from dataclasses import replace

import pytest

from daemon.model.ids import AccountId
from daemon.model.mailbox import MailboxRecord
from daemon.net.imap.client import Heard, Selection, StatusResult
from daemon.service.push.news import by_wire_name, is_behind, read_news


def record(name: str, wire: bytes | None = None) -> MailboxRecord:
    return MailboxRecord(
        account=AccountId("work"),
        name=name,
        wire_name=wire or name.encode(),
        delimiter="/",
        directory=f".{name}",
        uid_validity=7,
        uid_next=5,
        highest_mod_seq=50,
        message_count=3,
    )


KEPT = by_wire_name([record("INBOX", b"Inbox"), record("a"), record("b")])
SAME = StatusResult(uid_validity=7, uid_next=5, message_count=3, highest_mod_seq=50)


def read(*, known=(), is_opening=False, **heard):
    return read_news(Heard(**heard), KEPT, known_strangers=known, is_opening=is_opening)


def test_numbers_that_are_known_are_no_news():
    news = read(mailboxes={b"a": SAME, b"INBOX": SAME})
    assert (news.mailboxes, news.is_everything, news.told_of) == (frozenset(), False, {"a", "INBOX"})


def test_any_other_number_is_news():
    others = (
        StatusResult(uid_validity=8, highest_mod_seq=50),
        StatusResult(uid_next=6, highest_mod_seq=50),
        StatusResult(message_count=2, highest_mod_seq=50),
        StatusResult(highest_mod_seq=51),
    )
    for told in others:
        assert read(mailboxes={b"a": told, b"b": SAME}).mailboxes == {"a"}


def test_push_without_mod_sequence_is_news_unless_it_is_the_opening():
    told = StatusResult(uid_validity=7, uid_next=5, message_count=3)
    assert read(mailboxes={b"a": told}).mailboxes == {"a"}
    assert read(mailboxes={b"a": told}, is_opening=True).mailboxes == frozenset()


def test_unknown_name_asks_for_everything_once():
    news = read(mailboxes={b"new": SAME})
    assert (news.is_everything, news.strangers) == (True, {b"new"})
    assert not read(mailboxes={b"new": SAME}, known={b"new"}).is_everything


def test_change_of_the_tree_and_lost_track_ask_for_everything():
    assert read(has_listing_change=True).is_everything
    assert read(has_lost_track=True).is_everything
    assert not read().is_everything


SELECTED = Selection(wire_name=b"a", uid_validity=7, uid_next=5, highest_mod_seq=50, exists=3)


def test_select_that_tells_what_is_stored_or_nothing_is_no_news():
    assert not is_behind(KEPT[b"a"], SELECTED)
    assert not is_behind(KEPT[b"a"], replace(SELECTED, uid_next=None, highest_mod_seq=None))


@pytest.mark.parametrize(
    "change", [{"uid_validity": 8}, {"uid_next": 6}, {"highest_mod_seq": 51}, {"exists": 2}, {"exists": 4}]
)
def test_select_that_tells_more_than_is_stored_is_news(change):
    assert is_behind(KEPT[b"a"], replace(SELECTED, **change))


def test_select_before_the_last_scan_is_no_news():
    assert not is_behind(KEPT[b"a"], replace(SELECTED, uid_next=4, highest_mod_seq=49, exists=2))
