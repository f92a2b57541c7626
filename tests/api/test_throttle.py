"""Failed logins: five are free, then refusals wait; memory is bounded; five quiet minutes forget."""

from api.throttle import FORGET_SECONDS, MAX_PEERS, FailedLogins


class Wound:
    """A clock that is set by hand."""

    def __init__(self):
        self.at = 1000.0

    def now(self):
        return self.at

    def monotonic(self):
        return self.at


def test_five_failures_are_free_and_the_next_waits():
    failed = FailedLogins(Wound())
    assert [failed.count("a") for _ in range(5)] == [0.0] * 5
    assert all(0.1 <= failed.count("a") <= 0.2 for _ in range(20))
    assert failed.total == 25


def test_peers_are_counted_apart():
    failed = FailedLogins(Wound())
    for _ in range(9):
        failed.count("a")
    assert failed.count("b") == 0.0


def test_quiet_peer_is_forgotten():
    clock = Wound()
    failed = FailedLogins(clock)
    for _ in range(9):
        failed.count("a")
    clock.at += FORGET_SECONDS + 1
    assert failed.count("a") == 0.0


def test_memory_is_bounded_and_the_longest_quiet_goes_first():
    failed = FailedLogins(Wound())
    for _ in range(9):
        failed.count("guesser")
    for number in range(MAX_PEERS - 1):
        failed.count(str(number))
    assert failed.count("guesser") > 0
    for number in range(MAX_PEERS):
        failed.count(f"other {number}")
    assert failed.count("guesser") == 0.0
