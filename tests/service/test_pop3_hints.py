"""What a person should know of an account that is well, in words."""

import pytest

from daemon.service import pop3_hints as hints
from daemon.wire.pop3.capabilities import Expire

DAY = 86400


def test_nothing_to_know_is_no_reason() -> None:
    assert hints.joined(hints.Hint(), hints.of_announced(0), hints.of_delay(60, 60)) == hints.Hint()


def test_most_pressing_gives_reason_and_remedy_and_all_are_told() -> None:
    first, second = hints.of_announced(7), hints.of_delay(900, 300)
    both = hints.joined(first, hints.Hint(), second)
    assert (both.reason, both.remedy) == ("removal_announced", first.remedy)
    assert both.detail == f"{first.detail}; {second.detail}"


@pytest.mark.parametrize(
    ("expire", "leave_on_server", "words"),
    [
        (Expire(0), True, "once it was fetched"),
        (Expire(1), True, "after a day"),
        (Expire(30), True, "after 30 days"),
        (Expire(30, is_per_user=True), True, "after 30 days"),
        (Expire(7), 14 * DAY, "after 7 days"),
        (Expire(14), 14 * DAY, None),
        (Expire(30), 14 * DAY, None),
        (Expire(0), False, None),
        (Expire(None), True, None),
        (None, True, None),
    ],
)
def test_expiry_is_told_where_mail_was_to_stay_longer(expire, leave_on_server, words) -> None:
    hint = hints.of_expiry(expire, leave_on_server)
    assert (hint.reason == "server_removes_mail") is (words is not None)
    assert words is None or words in hint.detail


def test_delay_within_the_interval_is_nothing_to_know() -> None:
    assert hints.of_delay(0, 300).reason is None
    assert hints.of_delay(300, 300).reason is None


def test_delay_beyond_the_interval_says_what_to_set() -> None:
    hint = hints.of_delay(900, 300)
    assert "15 minutes" in hint.detail
    assert '"900s"' in hint.remedy


def test_delay_of_more_than_a_day_says_what_is_done_instead() -> None:
    hint = hints.of_delay(10 * DAY, 300)
    assert "10 days" in hint.detail
    assert "a day apart" in hint.detail


def test_wait_at_a_start_says_that_it_ends() -> None:
    assert "90 seconds" in hints.of_wait(90).detail
    assert "goes on by itself" in hints.of_wait(0).remedy
