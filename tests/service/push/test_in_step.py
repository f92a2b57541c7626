"""Lag: since when a mailbox is known to be in step."""

import pytest

from daemon.model.states import WatchMode
from daemon.service.push.in_step import InStep

ALL = frozenset({"INBOX", "a"})


@pytest.fixture
def book(fake_clock):
    return InStep(fake_clock)


def test_nothing_is_known_before_the_first_pass(book):
    assert book.lag_of("INBOX") is None
    book.begin_wait(WatchMode.NOTIFY, ALL)
    assert book.lag_of("INBOX") is None


def test_polled_mailbox_is_as_old_as_the_beginning_of_the_last_pass_over_it(book, fake_clock):
    began = fake_clock.monotonic()
    fake_clock.advance(3)
    book.note_pass(None, began)
    assert (book.mode_of("a"), book.lag_of("a")) == (WatchMode.POLL, 3)
    fake_clock.advance(4)
    book.note_pass(["a"], fake_clock.monotonic())
    assert (book.lag_of("a"), book.lag_of("INBOX")) == (0, 7)


def test_pushed_mailbox_has_no_lag_while_the_account_waits(book, fake_clock):
    book.note_pass(None, fake_clock.monotonic())
    book.begin_wait(WatchMode.NOTIFY, ALL)
    fake_clock.advance(50)
    assert (book.mode_of("a"), book.lag_of("a")) == (WatchMode.NOTIFY, 0.0)
    assert (book.mode_of("other"), book.lag_of("other")) == (WatchMode.POLL, 50)


def test_lag_of_a_pushed_mailbox_grows_while_a_pass_runs(book, fake_clock):
    book.note_pass(None, fake_clock.monotonic())
    book.begin_wait(WatchMode.NOTIFY, ALL)
    fake_clock.advance(50)
    book.end_wait()
    fake_clock.advance(2)
    assert book.lag_of("a") == 2
    book.begin_wait(WatchMode.NOTIFY, ALL)
    assert book.lag_of("a") == 0.0


def test_lost_line_leaves_everything_polled_and_as_old_as_the_loss(book, fake_clock):
    book.note_pass(None, fake_clock.monotonic())
    book.begin_wait(WatchMode.IDLE, frozenset({"INBOX"}))
    book.add_line("a")
    fake_clock.advance(50)
    book.drop_line("a")
    book.close()
    fake_clock.advance(2)
    assert {book.mode_of(name) for name in ALL} == {WatchMode.POLL}
    assert (book.lag_of("INBOX"), book.lag_of("a"), book.lag_of("other")) == (2, 2, 52)


def test_line_of_its_own_watches_one_mailbox(book, fake_clock):
    book.note_pass(None, fake_clock.monotonic())
    book.add_line("a")
    book.begin_wait(WatchMode.IDLE, frozenset({"INBOX"}))
    fake_clock.advance(9)
    assert (book.mode_of("a"), book.lag_of("a")) == (WatchMode.IDLE, 0.0)
    assert book.mode_of("INBOX") is WatchMode.IDLE


def test_falling_from_notify_to_idle_leaves_the_others_polled_from_then_on(book, fake_clock):
    book.note_pass(None, fake_clock.monotonic())
    book.begin_wait(WatchMode.NOTIFY, ALL)
    fake_clock.advance(30)
    book.end_wait()
    book.begin_wait(WatchMode.IDLE, frozenset({"INBOX"}))
    fake_clock.advance(5)
    assert (book.mode_of("a"), book.lag_of("a")) == (WatchMode.POLL, 5)
    assert (book.mode_of("INBOX"), book.lag_of("INBOX")) == (WatchMode.IDLE, 0.0)


def test_older_pass_never_makes_a_mailbox_older(book, fake_clock):
    early = fake_clock.monotonic()
    fake_clock.advance(10)
    book.note_pass(["a"], fake_clock.monotonic())
    book.note_pass(None, early)
    assert (book.lag_of("a"), book.lag_of("INBOX")) == (0, 10)
