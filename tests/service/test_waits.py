"""Which rule says when to try again, and what wipes the slate clean."""

import pytest

from daemon.model.errors import (
    AuthenticationFailed,
    ConnectionLost,
    CredentialUnavailable,
    MailError,
    ServerRefused,
    StoreError,
    StoreForeign,
    Throttled,
    TlsFailed,
)
from daemon.service.pace import Pace
from daemon.service.verdicts import LoginSpent, verdict_on
from daemon.service.waits import Waits

LOST = verdict_on(ConnectionLost("gone"))


@pytest.fixture
def waits(fake_clock) -> Waits:
    return Waits(pace=Pace(), clock=fake_clock, random=lambda: 1.0)


def test_lost_line_waits_2_to_80_seconds(waits: Waits) -> None:
    """N1."""
    assert [waits.delay_after(LOST) for _ in range(7)] == [2, 4, 8, 16, 32, 64, 80]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (TlsFailed("expired", reason="tls_expired"), 900),
        (TlsFailed("closed"), 2),
        (AuthenticationFailed("no"), 2),
        (LoginSpent("no"), 300),
        (ServerRefused("no", status="-ERR", code="SYS/PERM"), 3600),
        (CredentialUnavailable("none"), 60),
        (StoreError("full", reason="disk_full"), 30),
        (StoreForeign("other"), 60),
        (Throttled("busy", status="NO", retry_after_seconds=137), 137),
        (Throttled("busy", status="NO", retry_after_seconds=1e9), 3600),
    ],
    ids=lambda value: getattr(value, "reason", value),
)
def test_error_waits_by_its_rule(waits: Waits, error: MailError, seconds: float) -> None:
    assert waits.delay_after(verdict_on(error)) == seconds


def test_patience_without_a_number_doubles_from_a_minute_to_an_hour(fake_clock) -> None:
    waits = Waits(pace=Pace(), clock=fake_clock, random=lambda: 0.0)
    busy = verdict_on(Throttled("busy", status="NO"))
    assert [waits.delay_after(busy) for _ in range(8)] == [60, 120, 240, 480, 960, 1920, 3600, 3600]


@pytest.mark.parametrize(("life", "next_delay"), [(299, 8), (300, 2)])
def test_only_a_life_of_five_minutes_resets(waits: Waits, life: float, next_delay: float) -> None:
    waits.delay_after(LOST)
    waits.delay_after(LOST)
    waits.note_life(life)
    assert waits.delay_after(LOST) == next_delay


def test_person_starts_over_with_one_more_login(waits: Waits) -> None:
    for _ in range(3):
        waits.delay_after(LOST)
        waits.bucket.take()
    assert waits.bucket.wait_seconds() == 60
    waits.start_over()
    assert waits.delay_after(LOST) == 2
    assert waits.bucket.wait_seconds() == 0
