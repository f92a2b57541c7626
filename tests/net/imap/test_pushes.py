"""Pushes wait for the reader who was told of them, and a flood of them costs no memory."""

from daemon.net.imap import pushes
from daemon.net.imap.pushes import Pushes
from daemon.net.imap.values import Heard
from daemon.wire.imap.responses import StatusData


def status(name: bytes, **numbers) -> StatusData:
    return StatusData(wire_name=name, **numbers)


def test_nothing_is_given_before_it_was_announced():
    kept = Pushes()
    kept.note_status(status(b"A", message_count=1))
    assert kept.has_news
    assert kept.add_to(Heard()) == Heard()
    kept.announce()
    assert set(kept.add_to(Heard()).mailboxes) == {b"A"}
    assert not kept.has_news
    kept.announce()
    assert kept.add_to(Heard()) == Heard()


def test_numbers_of_a_mailbox_made_anew_replace_those_of_the_old():
    kept = Pushes()
    kept.note_status(status(b"A", message_count=5, uid_next=9, uid_validity=1))
    kept.note_status(status(b"A", message_count=0, uid_validity=2))
    kept.announce()
    numbers = kept.add_to(Heard()).mailboxes[b"A"]
    assert (numbers.message_count, numbers.uid_next, numbers.uid_validity) == (0, None, 2)


def test_flood_of_names_only_says_that_track_was_lost(monkeypatch):
    monkeypatch.setattr(pushes, "MOST_MAILBOXES", 10)
    kept = Pushes()
    for number in range(1000):
        kept.note_status(status(b"%d" % number))
        kept.note_listing()
    kept.announce()
    heard = kept.add_to(Heard())
    assert heard.has_lost_track
    assert heard.has_listing_change
    assert len(heard.mailboxes) <= 10


def test_overflow_is_news():
    kept = Pushes()
    kept.note_overflow()
    assert kept.has_news
