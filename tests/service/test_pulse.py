"""A late sign of life is noticed; bytes on the line are one; who rests is never late."""

from daemon.service.pulse import Pulse


def test_silence_beyond_the_allowance_is_overdue(fake_clock) -> None:
    pulse = Pulse(fake_clock)
    pulse.expect(60)
    fake_clock.advance(60)
    assert not pulse.is_overdue()
    fake_clock.advance(1)
    assert pulse.is_overdue()


def test_sign_of_life_moves_the_deadline(fake_clock) -> None:
    pulse = Pulse(fake_clock)
    pulse.expect(60)
    fake_clock.advance(50)
    pulse.beat()
    fake_clock.advance(50)
    assert not pulse.is_overdue()


def test_bytes_that_move_are_a_sign_of_life(fake_clock) -> None:
    received = 0
    pulse = Pulse(fake_clock)
    pulse.expect(60, lambda: received)
    fake_clock.advance(50)
    received = 10
    assert not pulse.is_overdue()
    fake_clock.advance(50)
    assert not pulse.is_overdue()
    fake_clock.advance(50)
    assert pulse.is_overdue()


def test_resting_account_is_never_late(fake_clock) -> None:
    pulse = Pulse(fake_clock)
    assert not pulse.is_overdue()
    pulse.expect(60)
    pulse.rest()
    pulse.beat()
    fake_clock.advance(1_000_000)
    assert not pulse.is_overdue()
