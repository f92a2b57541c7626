"""daemon.cli.progress: one line, a few times a second, on a terminal only."""

import io

import pytest

from daemon.cli import progress
from daemon.cli.progress import ProgressLine
from daemon.model.ids import AccountId
from daemon.model.passes import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "env", "is_wanted"),
    [
        (Terminal(), {"TERM": "xterm"}, True),
        (Terminal(), {}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (Terminal(), {"NOTIFY_SOCKET": "/run/x"}, False),
        (Terminal(), {"JOURNAL_STREAM": "8:1"}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
    ],
)
def test_line_is_for_persons_only(stream, env, is_wanted):
    assert progress.is_wanted(stream, env) is is_wanted


def done(messages: int, octets: int, account: str = "work") -> Progress:
    return Progress(
        account=AccountId(account),
        messages_done=messages,
        messages_total=1000,
        bytes_done=octets,
        bytes_total=10_000_000,
    )


@pytest.fixture
def line():
    """A line on a terminal of 80 columns, with a clock to be set."""
    stream, now = Terminal(), [0.0]
    made = ProgressLine(stream, monotonic=lambda: now[0], width=lambda: 80)
    made.stream, made.now = stream, now
    return made


def last(line) -> str:
    return line.stream.getvalue().rsplit("\x1b[K", 1)[1]


def test_rate_and_time_left_are_shown(line):
    line.show(done(0, 0))
    line.now[0] = 2.0
    line.show(done(200, 2_000_000))
    assert last(line) == "200 of 1,000 messages, 2.0 MB of 10 MB, 100/s, 1.0 MB/s, 9 s left"


def test_first_batch_alone_tells_no_time_left(line):
    line.show(done(0, 0))
    line.now[0] = 0.5
    line.show(done(200, 100))
    assert "left" not in last(line)


def test_accounts_are_added_up(line):
    line.show(done(100, 1_000_000))
    line.now[0] = 1.0
    line.show(done(50, 500_000, "home"))
    assert last(line).startswith("150 of 2,000 messages, 1.5 MB of 20 MB")


def test_refresh_is_a_few_times_a_second(line):
    for step in range(1000):
        line.now[0] = step / 1000
        line.show(done(step, step))
    assert line.stream.getvalue().count("\r") == 4


def test_line_is_cut_to_the_terminal(line):
    line._width = lambda: 20
    line.show(done(0, 0))
    assert len(last(line)) == 19


def test_clear_takes_the_line_away_once(line):
    line.show(done(0, 0))
    line.clear()
    line.clear()
    assert line.stream.getvalue().endswith("\r\x1b[K")
    assert line.stream.getvalue().count("\r") == 2


def test_rate_follows_the_last_seconds(line):
    for second in range(20):
        line.now[0] = float(second)
        line.show(done(second * (1 if second < 10 else 10), 0))
    assert "10/s" in last(line)
