"""The production pace keeps what faults.md and the contract promise."""

from daemon.service.pace import Pace

PACE = Pace()


def test_retries_run_from_2_to_80_seconds_and_settle_after_5_minutes() -> None:
    assert (PACE.retry_first_seconds, PACE.retry_cap_seconds, PACE.settled_after_seconds) == (2, 80, 300)


def test_idle_is_renewed_before_29_minutes() -> None:
    assert PACE.idle_renew_seconds < 29 * 60  # RFC 2177 §3


def test_logins_are_limited() -> None:
    assert (PACE.login_attempts, PACE.login_burst, PACE.login_refill_seconds) == (3, 2, 60)
    assert PACE.handshakes_at_once == 10


def test_patience_is_capped_at_an_hour_and_trust_is_retried_every_quarter() -> None:
    assert PACE.throttle_cap_seconds == 3600
    assert PACE.trust_retry_seconds == 15 * 60


def test_stop_leaves_time_for_the_store_within_5_seconds() -> None:
    assert PACE.stop_seconds < 5


def test_suspend_is_noticed_within_10_seconds_and_500_accounts_spread_over_30() -> None:
    assert PACE.tick_seconds < 10
    assert min(PACE.spread_cap_seconds, 500 * PACE.spread_per_account_seconds) == 30
