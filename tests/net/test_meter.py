"""A link is called slow only after enough was seen of it."""

import pytest

from daemon.net.meter import LEAST_BYTES, SLOW_BYTES_PER_SECOND, Meter


@pytest.mark.parametrize(
    ("octets", "seconds", "is_slow"),
    [
        (0, 60.0, False),
        (LEAST_BYTES - 1, 60.0, False),
        (LEAST_BYTES, 0.9, False),
        (LEAST_BYTES, 1.0, True),
        (SLOW_BYTES_PER_SECOND, 1.0, False),
        (SLOW_BYTES_PER_SECOND, 1.1, True),
    ],
)
def test_slow_is_measured(octets, seconds, is_slow):
    meter = Meter()
    meter.note(octets, seconds / 2)
    meter.note(0, seconds / 2)
    assert meter.is_slow is is_slow
