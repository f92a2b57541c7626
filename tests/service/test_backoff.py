"""Waits: full jitter under a doubling bound; a bucket that limits logins."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.service.backoff import Backoff, TokenBucket


def test_bound_doubles_to_the_cap() -> None:
    backoff = Backoff(first_seconds=2, cap_seconds=80, random=lambda: 1.0)
    assert [backoff.next_delay() for _ in range(8)] == [2, 4, 8, 16, 32, 64, 80, 80]


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20))
def test_delay_is_anywhere_below_the_bound(chances: list[float]) -> None:
    rolls = iter(chances)
    backoff = Backoff(first_seconds=2, cap_seconds=80, random=lambda: next(rolls))
    for failures, chance in enumerate(chances):
        assert backoff.next_delay() == chance * min(2 * 2**failures, 80)


def test_reset_begins_at_the_first_bound() -> None:
    backoff = Backoff(first_seconds=2, cap_seconds=80, random=lambda: 1.0)
    backoff.next_delay()
    backoff.next_delay()
    backoff.reset()
    assert backoff.next_delay() == 2


def test_bucket_allows_a_burst_of_two_then_one_a_minute(fake_clock) -> None:
    """N17: login accepted, then closed, for ever: at most one login a minute after a burst of two."""
    bucket = TokenBucket(burst=2, refill_seconds=60, clock=fake_clock)
    logins = 0
    for _ in range(600):
        if bucket.wait_seconds() == 0.0:
            bucket.take()
            logins += 1
        fake_clock.advance(1)
    assert logins == 2 + 9


def test_bucket_tells_how_long_to_wait(fake_clock) -> None:
    bucket = TokenBucket(burst=2, refill_seconds=60, clock=fake_clock)
    bucket.take()
    bucket.take()
    assert bucket.wait_seconds() == 60
    fake_clock.advance(45)
    assert bucket.wait_seconds() == 15


def test_bucket_never_holds_more_than_its_burst(fake_clock) -> None:
    bucket = TokenBucket(burst=2, refill_seconds=60, clock=fake_clock)
    fake_clock.advance(10_000)
    bucket.give_one()
    bucket.take()
    bucket.take()
    assert bucket.wait_seconds() == 60


def test_person_gets_one_login_at_once(fake_clock) -> None:
    bucket = TokenBucket(burst=2, refill_seconds=60, clock=fake_clock)
    bucket.take()
    bucket.take()
    bucket.give_one()
    assert bucket.wait_seconds() == 0.0


def test_taking_without_waiting_runs_up_no_debt(fake_clock) -> None:
    """Else polls that were asked for in a row would keep an account away for hours after its first error."""
    bucket = TokenBucket(burst=2, refill_seconds=60, clock=fake_clock)
    for _ in range(200):
        fake_clock.advance(1)
        bucket.take()
    assert bucket.wait_seconds() <= 60
    bucket.give_one()
    assert bucket.wait_seconds() == 0.0


def test_fill_forgives_what_was_used(fake_clock) -> None:
    bucket = TokenBucket(burst=2, refill_seconds=60, clock=fake_clock)
    bucket.take()
    bucket.take()
    bucket.fill()
    bucket.take()
    assert bucket.wait_seconds() == 0.0


def test_tokens_kept_for_others_are_waited_for(fake_clock) -> None:
    bucket = TokenBucket(burst=2, refill_seconds=60, clock=fake_clock)
    assert bucket.wait_seconds(keep=1) == 0.0
    bucket.take()
    assert bucket.wait_seconds() == 0.0
    assert bucket.wait_seconds(keep=1) == 60
    fake_clock.advance(60)
    assert bucket.wait_seconds(keep=5) == 0.0
