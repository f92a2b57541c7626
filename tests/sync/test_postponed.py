"""What could not be had is asked for last, later and later, and a text remembers it."""

from daemon.net.pop3.values import MaildropEntry
from daemon.sync.postponed import (
    FIRST_SECONDS,
    MOST_KEPT,
    MOST_SECONDS,
    TOO_LARGE_SECONDS,
    Postponed,
    Trouble,
)

NOW = 1_700_000_000.75
FIRST, SECOND, THIRD = (MaildropEntry(number, f"id{number}", 100) for number in (1, 2, 3))


def test_refused_message_waits_longer_each_time():
    postponed = Postponed()
    waits = [postponed.note_failed(FIRST, Trouble.REFUSED, NOW) - NOW for _ in range(6)]
    assert (
        waits
        == [FIRST_SECONDS, 4 * FIRST_SECONDS, 16 * FIRST_SECONDS, 64 * FIRST_SECONDS] + [MOST_SECONDS] * 2
    )
    assert postponed.choose([FIRST, SECOND], NOW) == [SECOND]
    assert postponed.choose([FIRST, SECOND], NOW + MOST_SECONDS) == [SECOND, FIRST]


def test_line_lost_once_puts_a_message_last_and_twice_lets_it_wait():
    postponed = Postponed()
    assert postponed.note_failed(FIRST, Trouble.LINE_LOST, NOW) == NOW
    assert postponed.choose([FIRST, SECOND, THIRD], NOW) == [SECOND, THIRD, FIRST]
    assert postponed.note_failed(FIRST, Trouble.LINE_LOST, NOW) == NOW + FIRST_SECONDS
    assert postponed.choose([FIRST, SECOND, THIRD], NOW) == [SECOND, THIRD]


def test_message_that_is_too_large_waits_for_days():
    assert Postponed().note_failed(FIRST, Trouble.TOO_LARGE, NOW) == NOW + TOO_LARGE_SECONDS


def test_message_listed_beyond_every_limit_is_asked_for_last():
    """P5: the octets win, but they may cost as much as they say."""
    huge = MaildropEntry(1, "a", 2**32 - 1)
    assert Postponed().choose([huge, SECOND], NOW) == [SECOND, huge]


def test_message_that_came_and_one_that_is_not_listed_are_forgotten():
    postponed = Postponed()
    for entry in (FIRST, SECOND, THIRD):
        postponed.note_failed(entry, Trouble.REFUSED, NOW)
    postponed.note_had(FIRST)
    postponed.keep([SECOND])
    assert [postponed.tries(entry) for entry in (FIRST, SECOND, THIRD)] == [0, 1, 0]


def test_without_ids_one_message_does_not_hold_up_those_of_its_size():
    one, other = MaildropEntry(1, None, 100), MaildropEntry(2, None, 100)
    postponed = Postponed()
    postponed.note_failed(one, Trouble.REFUSED, NOW)
    assert postponed.choose([one, other], NOW) == [other]


def test_text_gives_back_what_was_known():
    postponed = Postponed()
    assert postponed.format() is None
    nameless = MaildropEntry(2, None, None)
    postponed.note_failed(FIRST, Trouble.REFUSED, NOW)
    postponed.note_failed(nameless, Trouble.LINE_LOST, NOW)
    assert postponed.is_changed
    again = Postponed(postponed.format())
    assert not postponed.is_changed
    assert not again.is_changed
    assert [again.tries(entry) for entry in (FIRST, nameless)] == [1, 1]
    assert again.choose([FIRST, nameless], NOW) == [nameless]


def test_text_is_bounded():
    postponed = Postponed()
    for number in range(MOST_KEPT + 10):
        postponed.note_failed(MaildropEntry(number, f"id{number}", 1), Trouble.REFUSED, NOW + number)
    again = Postponed(postponed.format())
    assert again.tries(MaildropEntry(9, "id9", 1)) == 0
    assert again.tries(MaildropEntry(10, "id10", 1)) == 1


def test_what_a_line_ended_at_is_suspect():
    postponed = Postponed()
    postponed.note_failed(FIRST, Trouble.REFUSED, NOW)
    postponed.note_failed(SECOND, Trouble.LINE_LOST, NOW)
    assert [postponed.is_suspect(entry) for entry in (FIRST, SECOND, THIRD)] == [False, True, False]
