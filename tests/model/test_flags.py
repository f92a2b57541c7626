"""Flags: spelling, what is never kept, letters."""

import pytest

from daemon.model.flags import (
    FLAG_OF_LETTER,
    FORWARDED,
    SEEN,
    in_spelling_of,
    is_valid_flag,
    normalise_flags,
    system_flag_named,
)


def test_spelling_is_made_canonical_and_session_flags_are_dropped():
    assert normalise_flags(["\\SEEN", "\\recent", "\\*", "Work", "$forwarded", ""]) == {
        SEEN,
        "Work",
        FORWARDED,
    }


def test_letters_are_the_six_of_maildir():
    assert "".join(sorted(FLAG_OF_LETTER)) == "DFPRST"


def test_keywords_take_the_spelling_that_is_known():
    assert in_spelling_of(frozenset({SEEN, "Work", "home"}), frozenset({"wORK", "other"})) == {
        SEEN,
        "wORK",
        "home",
    }
    assert in_spelling_of(frozenset({"Work", "work"}), frozenset({"WORK"})) == {"WORK"}


@pytest.mark.parametrize(
    ("text", "flag"),
    [("Seen", SEEN), ("sEEN", SEEN), ("\\Seen", None), ("Seen2", None), ("$Forwarded", None), ("", None)],
)
def test_system_flag_without_its_backslash_is_known(text, flag):
    assert system_flag_named(text) == flag


@pytest.mark.parametrize("text", ["\\Seen", "\\answered", "$Junk", "work", "a-b.c"])
def test_settable_flags_are_valid(text):
    assert is_valid_flag(text)


@pytest.mark.parametrize(
    "text", ["", "\\Recent", "\\Foo", "two words", "a)b", 'a"b', "a\r\nb", "é", "x" * 101, "{5}", "a]"]
)
def test_what_a_server_could_not_take_is_invalid(text):
    assert not is_valid_flag(text)
