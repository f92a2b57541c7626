"""What is said unasked is kept, and given once."""

from daemon.model.flags import SEEN
from daemon.model.uidset import UidSet
from daemon.net.imap.heard import MOST_PIECES, HeardNotes, entry_of
from daemon.wire.imap.responses import FetchData


def test_drain_gives_all_once():
    notes = HeardNotes()
    assert not notes.has_news
    notes.note_vanished(UidSet([3]))
    notes.note_vanished(UidSet([9]))
    assert notes.has_news
    assert notes.is_gone(9)
    assert not notes.is_gone(6)
    assert notes.drain().vanished == UidSet([3, 9])
    assert not notes.has_news
    assert not notes.is_gone(9)
    assert not notes.drain().vanished


def test_flags_are_news_and_neither_a_coming_nor_a_going():
    notes = HeardNotes()
    notes.note_fetch(FetchData(seq=1, flags=frozenset()))
    assert (notes.has_own_news, notes.has_comings_or_goings) == (True, False)


def test_messages_that_come_or_go_are_told_from_flags():
    for note in (
        lambda notes: notes.note_exists(is_other=True),
        HeardNotes.note_expunge,
        lambda notes: notes.note_vanished(UidSet([3])),
    ):
        notes = HeardNotes()
        note(notes)
        assert (notes.has_own_news, notes.has_comings_or_goings) == (True, True)
        notes.forget()
        assert (notes.has_own_news, notes.has_comings_or_goings) == (False, False)


def test_flags_are_told_of_by_uid_as_far_as_there_is_one_and_room_for_it():
    notes = HeardNotes()
    notes.note_fetch(FetchData(seq=1, uid=7, flags=frozenset({SEEN})))
    heard = notes.drain()
    assert (heard.flagged, heard.has_unnamed_change) == (UidSet([7]), False)
    notes.note_fetch(FetchData(seq=1, flags=frozenset()))
    assert notes.drain().has_unnamed_change
    assert not notes.drain().has_unnamed_change
    for uid in range(1, MOST_PIECES + 2):
        notes.note_fetch(FetchData(seq=1, uid=uid, flags=frozenset()))
    heard = notes.drain()
    assert (len(heard.flagged), heard.has_unnamed_change) == (MOST_PIECES, True)


def test_fetch_without_flags_is_no_news():
    notes = HeardNotes()
    notes.note_fetch(FetchData(seq=1, uid=4))
    assert not notes.has_news


def test_closing_survives_a_change_of_mailbox_and_is_no_coming():
    notes = HeardNotes()
    notes.note_exists(is_other=True)
    notes.note_closing()
    notes.forget()
    assert (notes.has_own_news, notes.has_comings_or_goings) == (True, False)


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
