"""Matching files with server messages without UIDs (sync.md 7)."""

from daemon.model.flags import NO_FLAGS
from daemon.model.ids import MaildirName, Uid
from daemon.model.views import RemoteEntry
from daemon.sync.rematch import CHANCE, FileKey, candidates, leaves_doubt, match_by_header, of_a_size


def file(name, size=100, mtime=50, header=b"h", was_on_server=True, wire_size=None):
    return FileKey(
        maildir_name=MaildirName(name),
        file_size=size,
        wire_size=wire_size or size,
        mtime=mtime,
        header_sha256=header,
        was_on_server=was_on_server,
    )


def there(uid, size=100, date=50):
    return RemoteEntry(uid=Uid(uid), flags=NO_FLAGS, size=size, internal_date=date)


def test_unique_size_and_date_match_without_a_header():
    found = candidates([file("a"), file("b", size=7)], [there(1), there(2, size=9)])
    assert found.pairs == {"a": 1}
    assert not found.needs_header


def test_one_size_at_different_seconds_matches_without_a_header():
    found = candidates([file("a"), file("b", mtime=51)], [there(1, date=51), there(2), there(3, date=52)])
    assert found.pairs == {"a": 2, "b": 1}
    assert not found.needs_header


def test_file_that_fits_two_messages_by_its_two_sizes_is_paired_with_neither():
    found = candidates([file("a", size=90, wire_size=100)], [there(1), there(2, size=90)])
    assert not found.pairs
    assert found.needs_header == {1, 2}


def test_message_of_unknown_size_or_date_is_paired_with_nothing():
    found = candidates([file("a"), file("b", size=7)], [there(1, size=None), there(2, size=7, date=None)])
    assert not found.pairs
    assert found.needs_header == {2}


def many(count=CHANCE + 1):
    files = [file(f"f{at}", mtime=at) for at in range(count)]
    messages = [there(at + 1, date=at) for at in range(count)]
    return files, messages, candidates(files, messages).pairs


def test_thousands_that_fit_one_to_one_are_beyond_doubt():
    files, messages, pairs = many()
    assert len(pairs) == len(files)
    assert not leaves_doubt(files, messages, pairs, pairs)


def test_few_that_fit_may_do_so_by_chance():
    """The names of two mailboxes were exchanged, and each has one message of this size and second."""
    files, messages, pairs = many(1)
    assert leaves_doubt(files, messages, pairs, pairs)
    assert not leaves_doubt(files, messages, pairs, {}), "their headers have been seen"


def test_what_is_left_over_on_both_sides_makes_all_others_doubtful():
    files, messages, pairs = many()
    assert leaves_doubt([*files, file("x", size=9)], [*messages, there(9999, size=8)], pairs, pairs)


def test_what_is_left_over_on_one_side_was_removed_or_came():
    files, messages, pairs = many()
    assert not leaves_doubt([*files, file("x", size=9)], messages, pairs, pairs)
    assert not leaves_doubt(files, [*messages, there(9999, size=8)], pairs, pairs)
    new = file("x", size=9, was_on_server=False)
    assert not leaves_doubt([*files, new], [*messages, there(9999, size=8)], pairs, pairs)


def test_headers_are_of_use_where_some_file_has_the_size():
    files = [file("a"), file("b", size=90, wire_size=95)]
    assert of_a_size(files, [there(1), there(2, size=95), there(3, size=7), there(4, size=None)]) == {1, 2}


def test_file_not_known_from_a_server_needs_the_header():
    """A file of somebody else with the same size and second must not be taken for the message."""
    found = candidates([file("a", was_on_server=False)], [there(1)])
    assert not found.pairs
    assert found.needs_header == {1}


def test_two_messages_of_one_size_need_their_headers():
    found = candidates([file("a"), file("b")], [there(1), there(2)])
    assert found.needs_header == {1, 2}


def test_other_date_leaves_doubt():
    assert candidates([file("a", mtime=51)], [there(1)]).needs_header == {1}


def test_equal_keys_are_matched_as_multisets_in_uid_order():
    pairs = match_by_header([file("b"), file("a")], [there(9), there(4)], {Uid(4): b"h", Uid(9): b"h"})
    assert pairs == {"a": 4, "b": 9}


def test_one_file_is_never_given_two_messages():
    assert match_by_header([file("a")], [there(1), there(2)], {Uid(1): b"h", Uid(2): b"h"}) == {"a": 1}


def test_right_date_is_preferred_and_a_changed_mtime_still_matches():
    files = [file("a", mtime=1), file("b", mtime=50)]
    assert match_by_header(files, [there(1)], {Uid(1): b"h"}) == {"b": 1}
    assert match_by_header([file("a", mtime=1)], [there(1)], {Uid(1): b"h"}) == {"a": 1}


def test_file_that_was_on_the_server_takes_its_message_before_an_equal_new_one():
    """The new one then goes up; the other way round the old one would be shelved and both sides differ for ever."""
    files = [file("a", was_on_server=False), file("b")]
    assert match_by_header(files, [there(1)], {Uid(1): b"h"}) == {"b": 1}


def test_other_header_is_no_match():
    assert match_by_header([file("a")], [there(1)], {Uid(1): b"other"}) == {}


def test_file_with_bare_line_feeds_matches_by_its_wire_size():
    assert candidates([file("a", size=90, wire_size=100)], [there(1)]).pairs == {"a": 1}
