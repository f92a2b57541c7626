"""Many changes in a short time with nothing in them are noise."""

from daemon.service.push.chatter import LIMIT, WINDOW_SECONDS, Chatter


def test_many_in_a_short_time_are_noise_until_something_was_found(fake_clock):
    chatter = Chatter(fake_clock)
    for _ in range(LIMIT - 1):
        chatter.note()
    assert not chatter.is_noisy
    chatter.note()
    assert chatter.is_noisy
    chatter.clear()
    assert not chatter.is_noisy


def test_as_many_over_a_longer_time_are_none(fake_clock):
    chatter = Chatter(fake_clock)
    for _ in range(3 * LIMIT):
        fake_clock.advance(2 * WINDOW_SECONDS / LIMIT)
        chatter.note()
    assert not chatter.is_noisy
