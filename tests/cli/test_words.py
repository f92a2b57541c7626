"""daemon.cli.words: numbers and foreign text as a person reads them."""

import pytest

from daemon.cli import words
from daemon.model.passes import PassResult


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (0, "0 bytes"),
        (950, "950 bytes"),
        (1000, "1.0 kB"),
        (3_720_000, "3.7 MB"),
        (371_000_000, "371 MB"),
        (999_900, "1.0 MB"),
        (5e15, "5000 TB"),
    ],
)
def test_sizes_have_three_digits_at_most(octets, text):
    assert words.size(octets) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (8.9, "8 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (12_000, "3 h 20 min"),
        (86_400, "1 d"),
        (187_200, "2 d 4 h"),
    ],
)
def test_durations_have_two_units_at_most(seconds, text):
    assert words.duration(seconds) == text


def test_counts_have_their_noun():
    assert words.count(1, "message") == "1 message"
    assert words.count(10_600, "message") == "10,600 messages"


def test_foreign_text_cannot_steer_the_terminal():
    assert words.printable("a\x1b[31mb\nc\u202ed é") == "a\ufffd[31mb\ufffdc\ufffdd é"


def test_outcome_names_what_was_done_and_what_is_left():
    assert words.outcome(PassResult()) == "nothing to do"
    result = PassResult(downloaded=1200, expunged_there=1, failed=2, held=1)
    assert words.outcome(result) == (
        "1,200 downloaded, 1 removed there, 2 left for later, 1 deletion held until somebody approves"
    )


def test_columns_are_aligned():
    assert words.table([("A", "N"), ("work", "10")], right=(False, True)) == ["A      N", "work  10"]
