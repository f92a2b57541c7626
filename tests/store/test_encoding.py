"""Values in columns and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.model.flags import FLAGGED, FORWARDED, LETTER_FLAGS, SEEN, Flag
from daemon.store.encoding import (
    chunks,
    flags_from_text,
    flags_to_text,
    format_event_id,
    from_ms,
    id_from_bytes,
    id_to_bytes,
    parse_event_id,
    to_ms,
)

KEYWORDS = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='(){%*"\\]'),
    min_size=1,
    max_size=12,
)


def test_flags_are_letters_then_keywords():
    flags = frozenset({SEEN, FLAGGED, FORWARDED, Flag("$Junk"), Flag("later")})
    assert flags_to_text(flags) == "FPS $Junk later"
    assert flags_to_text(frozenset()) == ""


@given(st.frozensets(st.one_of(st.sampled_from(sorted(LETTER_FLAGS)), KEYWORDS.map(Flag))))
def test_flags_are_read_back_as_written(flags):
    assert flags_from_text(flags_to_text(flags)) == flags


def test_unknown_system_flag_is_kept():
    assert flags_from_text(flags_to_text(frozenset({Flag("\\Odd")}))) == {"\\Odd"}


def test_ids_are_read_back_as_written():
    assert id_from_bytes(id_to_bytes("00ff" * 8)) == "00ff" * 8
    with pytest.raises(ValueError, match="hex"):
        id_to_bytes("no id")


@given(st.floats(min_value=0, max_value=4e9))
def test_milliseconds_are_stable_once_rounded(seconds):
    once = from_ms(to_ms(seconds))
    assert from_ms(to_ms(once)) == once
    assert abs(once - seconds) <= 0.00051


def test_chunks_cover_everything_in_order():
    assert [list(part) for part in chunks(range(5), 2)] == [[0, 1], [2, 3], [4]]
    assert list(chunks([])) == []


def test_event_ids_of_one_epoch_sort_as_text():
    ids = [format_event_id("ab12", number) for number in (1, 9, 10, 999_999)]
    assert ids == sorted(ids)
    assert parse_event_id(ids[2]) == ("ab12", 10)


@pytest.mark.parametrize("text", ["", "-", "ab12", "ab12-", "-1", "ab12-x", "ab12-١", "ab12-" + "1" * 19])
def test_what_is_no_event_id_is_none(text):
    assert parse_event_id(text) is None
