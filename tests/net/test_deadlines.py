"""The watch over one line, on a clock of its own."""

import asyncio

import pytest

from daemon.model.errors import ConnectionLost
from daemon.net.deadlines import DEFAULT_TIMERS, Deadlines


class StepLoop:
    """A loop with only a clock and timers, both moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[asyncio.TimerHandle] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay, call, *args):
        timer = asyncio.TimerHandle(self.now + delay, call, args, self)
        self.timers.append(timer)
        return timer

    def get_debug(self) -> bool:
        return False

    def _timer_handle_cancelled(self, timer) -> None:
        self.timers.remove(timer)

    def run_until(self, when: float) -> None:
        while due := [one for one in self.timers if one.when() <= when]:
            first = min(due, key=lambda one: one.when())
            self.timers.remove(first)
            self.now = max(self.now, first.when())
            first._run()
        self.now = when


class Line:
    def __init__(self) -> None:
        self.loop = StepLoop()
        self.unsent = 0
        self.error: ConnectionLost | None = None
        self.at: float | None = None
        self.watch = Deadlines(
            self.loop, DEFAULT_TIMERS, count_unsent=lambda: self.unsent, give_up=self.give_up
        )

    def give_up(self, error: ConnectionLost) -> None:
        assert self.error is None
        self.error, self.at = error, self.loop.now
        self.watch.stop()


@pytest.fixture
def line():
    return Line()


def test_silence_ends_the_line_after_sixty_seconds_and_not_much_later(line):
    """N3: reconnect within 65 s."""
    line.watch.set_due(is_due=True)
    line.loop.run_until(59)
    assert line.error is None
    line.loop.run_until(100)
    assert line.error.reason == "timeout"
    assert 60 <= line.at <= 62


def test_any_octet_starts_the_silence_anew(line):
    line.watch.set_due(is_due=True)
    line.loop.run_until(50)
    line.watch.note_received(1, is_inside_unit=False)
    line.loop.run_until(109)
    assert line.error is None
    line.watch.note_sending()
    line.loop.run_until(165)
    assert line.error is None
    line.loop.run_until(180)
    assert 169 <= line.at <= 171


def test_nothing_due_costs_no_timer(line):
    line.watch.note_received(10, is_inside_unit=False)
    assert not line.loop.timers
    line.watch.set_due(is_due=True)
    line.watch.set_due(is_due=False)
    line.loop.run_until(1000)
    assert line.error is None
    assert not line.loop.timers


def test_waiting_long_before_a_command_is_not_held_against_it(line):
    line.loop.run_until(500)
    line.watch.set_due(is_due=True)
    line.loop.run_until(555)
    assert line.error is None


def test_floor_holds_only_inside_a_unit(line):
    """sync.md 23."""
    for second in range(0, 300, 10):
        line.loop.run_until(second)
        line.watch.note_received(10, is_inside_unit=False)
    assert line.error is None
    line.watch.note_received(10, is_inside_unit=True)
    for second in range(300, 330, 10):
        line.loop.run_until(second)
        line.watch.note_received(10, is_inside_unit=True)
    line.loop.run_until(340)
    assert line.error.reason == "too_slow"


def test_one_kibibyte_in_thirty_seconds_is_enough(line):
    line.watch.note_received(1, is_inside_unit=True)
    for second in range(0, 600, 10):
        line.loop.run_until(second)
        line.watch.note_received(400, is_inside_unit=True)
    assert line.error is None


def test_pause_counts_for_nothing(line):
    line.watch.set_due(is_due=True)
    line.watch.note_received(1, is_inside_unit=True)
    line.watch.pause()
    line.loop.run_until(400)
    assert line.error is None
    line.watch.resume()
    line.loop.run_until(420)
    assert line.error is None
    line.loop.run_until(440)
    assert line.error.reason == "too_slow"


def test_server_that_takes_nothing_is_given_up_though_it_talks(line):
    """N6."""
    line.unsent = 500_000
    line.watch.note_sending()
    for second in range(0, 80, 5):
        line.loop.run_until(second)
        if line.error is None:
            line.watch.note_received(20, is_inside_unit=False)
    assert line.error.reason == "timeout"
    assert 60 <= line.at <= 70


def test_slow_upload_that_moves_is_no_fault(line):
    line.unsent = 900_000
    line.watch.set_due(is_due=True)
    line.watch.note_sending()
    for second in range(0, 300, 10):
        line.loop.run_until(second)
        line.unsent -= 1000
    assert line.error is None


def test_stopped_watch_stays_silent(line):
    line.watch.set_due(is_due=True)
    line.watch.stop()
    line.watch.note_sending()
    line.loop.run_until(500)
    assert line.error is None


def say_again_and_again(line, until, *, octets=30, answered_every=None):
    line.watch.set_due(is_due=True)
    for second in range(int(line.loop.now), until, 20):
        line.loop.run_until(second)
        if line.error is not None:
            return
        line.watch.note_received(octets, is_inside_unit=False)
        line.watch.set_due(is_due=True)
        if answered_every and second % answered_every == 0:
            line.watch.note_answered()


def test_still_working_said_for_an_hour_ends_the_line(line):
    """Whole lines, so that neither silence nor the floor inside a line is broken."""
    say_again_and_again(line, 5000)
    assert line.error.reason == "too_slow"
    assert 3600 <= line.at <= 3700


def test_answers_or_octets_in_that_hour_keep_the_line(line):
    say_again_and_again(line, 20_000, answered_every=3000)
    assert line.error is None
    say_again_and_again(line, 40_000, octets=1000)
    assert line.error is None
