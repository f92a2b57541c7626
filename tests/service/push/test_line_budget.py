"""A refusal lowers the number of lines for a while."""

import pytest

from daemon.service.push.line_budget import BLAME_SECONDS, LineBudget


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
