"""What is said unasked is kept in order, merged, and given once."""

from daemon.model.flags import FLAGGED, SEEN
from daemon.model.uidset import UidSet
from daemon.net.imap.heard import HeardNotes, entry_of
from daemon.wire.imap.responses import FetchData


def test_drain_gives_all_once():
    notes = HeardNotes()
    assert not notes.has_news
    notes.note_exists(4)
    notes.note_vanished(UidSet([3]))
    notes.note_vanished(UidSet([9]))
    notes.note_expunge()
    notes.note_fetch(FetchData(seq=1, uid=5, flags=frozenset({SEEN}), mod_seq=8))
    assert notes.has_news
    heard = notes.drain()
    assert heard.exists == 4
    assert heard.vanished == UidSet([3, 9])
    assert heard.has_expunge
    assert [(entry.uid, entry.flags, entry.mod_seq) for entry in heard.changed] == [(5, {SEEN}, 8)]
    assert not heard.is_closing
    assert not notes.has_news
    assert notes.drain().exists is None


def test_later_word_on_a_message_replaces_the_earlier():
    notes = HeardNotes()
    notes.note_fetch(FetchData(seq=1, uid=5, flags=frozenset({SEEN}), mod_seq=8))
    notes.note_fetch(FetchData(seq=1, uid=5, flags=frozenset({FLAGGED}), mod_seq=7))
    (entry,) = notes.drain().changed
    assert entry.flags == {FLAGGED}
    assert entry.mod_seq == 8


def test_vanished_message_has_no_change_left():
    notes = HeardNotes()
    notes.note_fetch(FetchData(seq=1, uid=5, flags=frozenset({SEEN})))
    notes.note_vanished(UidSet([5]))
    assert notes.is_gone(5)
    assert not notes.is_gone(6)
    assert notes.drain().changed == ()


def test_flags_without_uid_are_a_change_nobody_can_name():
    notes = HeardNotes()
    notes.note_fetch(FetchData(seq=1, flags=frozenset()))
    heard = notes.drain()
    assert heard.has_unnamed_change
    assert heard.changed == ()


def test_fetch_without_flags_is_no_news():
    notes = HeardNotes()
    notes.note_fetch(FetchData(seq=1, uid=4))
    assert not notes.has_news


def test_closing_survives_a_change_of_mailbox():
    notes = HeardNotes()
    notes.note_exists(1)
    notes.note_closing()
    notes.forget()
    heard = notes.drain()
    assert heard.exists is None
    assert heard.is_closing


def test_entry_keeps_what_a_later_fetch_leaves_out():
    first = entry_of(5, FetchData(seq=1, uid=5, flags=frozenset(), size=10, internal_date=20, mod_seq=3))
    later = entry_of(5, FetchData(seq=1, uid=5, flags=frozenset({SEEN})), first)
    assert (later.flags, later.size, later.internal_date, later.mod_seq) == ({SEEN}, 10, 20, 3)


def test_new_entry_is_what_the_constructor_makes():
    from daemon.model.views import RemoteEntry
    from daemon.net.imap.heard import new_entry

    data = FetchData(seq=1, uid=5, size=9, internal_date=7, mod_seq=8, email_id="M1")
    made = new_entry(5, frozenset({SEEN}), data)
    assert made == RemoteEntry(
        uid=5, flags=frozenset({SEEN}), size=9, internal_date=7, mod_seq=8, email_id="M1"
    )
    assert new_entry(5, frozenset(), FetchData(seq=1, gmail_message_id=12)).email_id == "12"


def test_email_id_told_once_is_kept():
    from daemon.net.imap.heard import entry_of

    first = entry_of(5, FetchData(seq=1, email_id="M1", flags=frozenset()))
    assert entry_of(5, FetchData(seq=1, flags=frozenset({SEEN})), first).email_id == "M1"
