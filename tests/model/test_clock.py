"""The machine's clocks."""

import time

from daemon.model.clock import SystemClock


def test_wall_time_is_seconds_since_1970_and_the_count_never_goes_back():
    clock = SystemClock()
    assert abs(clock.now() - time.time()) < 60
    counts = [clock.monotonic() for _ in range(100)]
    assert counts == sorted(counts)
