"""A refusal lowers the number of lines for a while."""

import pytest

from daemon.service.push.line_budget import BLAME_SECONDS, LOSSES_BLAMED, LineBudget


@pytest.fixture
def budget(fake_clock):
    return LineBudget(fake_clock)


def test_all_wishes_are_allowed_at_first(budget):
    assert budget.allowed(7) == 7
    assert budget.words is None
    assert budget.seconds_left == 0.0


def test_refusal_holds_for_its_time_and_keeps_the_words(budget, fake_clock):
    budget.refuse(1, "too many connections", 60)
    assert (budget.allowed(3), budget.words) == (1, "too many connections")
    assert budget.allowed(0) == 0
    fake_clock.advance(59)
    assert (budget.allowed(3), budget.seconds_left) == (1, 1.0)
    fake_clock.advance(2)
    assert (budget.allowed(3), budget.words) == (3, None)


def test_main_line_lost_just_after_another_came_up_is_blamed_on_it(budget, fake_clock):
    budget.note_opened(2)
    fake_clock.advance(BLAME_SECONDS - 1)
    assert budget.note_main_lost(60)
    assert budget.allowed(3) == 1


def test_main_line_lost_later_is_nobodys_fault(budget, fake_clock):
    budget.note_opened(1)
    fake_clock.advance(BLAME_SECONDS + 1)
    assert not budget.note_main_lost(60)
    assert budget.allowed(3) == 3


def test_person_ends_the_limit(budget):
    budget.note_opened(1)
    budget.refuse(0, "no", 60)
    budget.forget()
    assert budget.allowed(2) == 2
    assert not budget.note_main_lost(60)


def lose(budget, clock, opened_seconds_ago=1.0):
    now = clock.monotonic()
    return budget.note_lost(now - opened_seconds_ago, now)


def test_losses_one_after_the_other_are_a_limit(budget, fake_clock):
    verdicts = []
    for _ in range(LOSSES_BLAMED):
        fake_clock.advance(10)
        verdicts.append(lose(budget, fake_clock))
    assert verdicts == [*[False] * (LOSSES_BLAMED - 1), True]


def test_lines_that_were_up_together_are_lost_once(budget, fake_clock):
    for ago in (1, 40, 80, 120):
        assert not lose(budget, fake_clock, ago)
        fake_clock.advance(30)
    assert not lose(budget, fake_clock)


def test_line_that_held_or_a_lost_main_line_is_a_new_beginning(budget, fake_clock):
    for note in (budget.note_held, lambda: budget.note_main_lost(60), budget.forget):
        for _ in range(LOSSES_BLAMED - 1):
            fake_clock.advance(10)
            assert not lose(budget, fake_clock)
        note()
