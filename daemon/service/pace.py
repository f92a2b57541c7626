"""Pace: every waiting time and limit of an account's life in one value, so that a test can be quick about it.

Numbers are those of faults.md ("Timers") unless a reason stands beside them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Times in seconds. The defaults are for production."""

    pass_interval_seconds: float = 60.0  # how old the other mailboxes may get while INBOX is watched
    idle_renew_seconds: float = 300.0  # sync.md 22: whatever was heard
    settle_seconds: float = 2.0  # four times what Dovecot waits before it tells
    tell_patience_seconds: float = (
        5.0  # what a server has not told by then although it claims to push, it does not tell
    )
    doubt_seconds: float = 3600.0  # a claim that proved false is tried again: servers are mended
    line_pause_seconds: float = 900.0  # after a refused extra line
    rank_seconds: float = 3600.0  # how often it is asked which mailboxes are the busiest
    passes_limit: int = 8  # to quiescence; more than this means that someone else is writing all the time

    retry_first_seconds: float = 2.0
    retry_cap_seconds: float = 80.0
    settled_after_seconds: float = 300.0  # a connection that lived this long wipes the slate clean
    trust_retry_seconds: float = 900.0  # N10: a certificate does not heal by being asked often
    lasting_retry_seconds: float = 3600.0  # P6: what only a person can mend is looked at again, but rarely
    throttle_first_seconds: float = 60.0  # where the server does not say how long
    throttle_cap_seconds: float = 3600.0
    store_retry_seconds: float = 30.0
    held_retry_seconds: float = 60.0
    secret_retry_seconds: float = 60.0

    login_burst: int = 2
    login_refill_seconds: float = 60.0  # N17
    poll_burst: int = 10  # polls in a row that a person may ask for; then one each refill
    login_attempts: int = 3  # S5: most servers lock a user out at five
    secret_check_seconds: float = 300.0  # how soon a corrected password is noticed after the last attempt

    handshakes_at_once: int = 10  # N18
    handshake_turn_seconds: float = 5.0  # then the next may begin: a server that is silent delays nobody else
    open_deadline_seconds: float = (
        300.0  # all addresses at 30 s each, greeting, login: a hung one is restarted
    )
    pass_silence_seconds: float = 600.0  # local work on 100,000 files with no byte on the line takes less
    watch_grace_seconds: float = 120.0  # leaving IDLE (15 s), a command (60 s), slack

    tick_seconds: float = 5.0  # how soon a suspend is noticed (N14 allows 10 s) and a stuck account is found
    clock_jump_seconds: float = 10.0
    spread_per_account_seconds: float = 0.06  # 500 accounts come back over 30 s (N18), one account at once
    spread_cap_seconds: float = 30.0
    restart_first_seconds: float = 5.0
    restart_cap_seconds: float = 300.0
    stop_seconds: float = 4.0  # of the 5 that SIGTERM has; the rest is for the store
    progress_event_seconds: float = 1.0
