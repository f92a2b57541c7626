"""Refused logins are counted over restarts, for one secret, before the act where it matters."""

import pytest

from daemon.model.ids import AccountId
from daemon.model.secret import Secret
from daemon.service.login_guard import LoginGuard, scrypt_of
from daemon.store.store import Store

WORK = AccountId("work")
WRONG = Secret("wrong")


@pytest.fixture
async def store(tmp_path, fake_clock):
    store = await Store.open(tmp_path / "store", clock=fake_clock)
    yield store
    await store.close()


@pytest.fixture
def guard(store, fake_clock) -> LoginGuard:
    return LoginGuard(store=store, account=WORK, clock=fake_clock, attempts=3)


async def refuse(guard: LoginGuard, secret: Secret = WRONG) -> bool:
    await guard.begin(secret)
    return await guard.count_refusal(secret, "no such user")


async def test_three_refusals_spend_a_secret(guard) -> None:
    assert [await refuse(guard) for _ in range(3)] == [True, True, False]
    assert await guard.is_spent(WRONG)
    assert await guard.last_words() == "no such user"


async def test_another_secret_has_all_its_attempts(guard) -> None:
    for _ in range(3):
        await refuse(guard)
    assert not await guard.is_spent(Secret("other"))
    assert await refuse(guard, Secret("other"))
    assert not await guard.is_spent(Secret("other"))


async def test_count_survives_a_restart(guard, store, fake_clock) -> None:
    await refuse(guard)
    await refuse(guard)
    again = LoginGuard(store=store, account=WORK, clock=fake_clock, attempts=3)
    assert not await refuse(again)
    assert await again.is_spent(WRONG)


async def test_attempt_is_counted_before_it_is_sent_once_one_was_refused(guard, store, fake_clock) -> None:
    """A crash between the server's NO and our note must not give a fourth attempt."""
    await refuse(guard)
    await guard.begin(WRONG)
    await guard.begin(WRONG)
    again = LoginGuard(store=store, account=WORK, clock=fake_clock, attempts=3)
    assert await again.is_spent(WRONG)


async def test_attempt_without_an_answer_is_taken_back(guard) -> None:
    await refuse(guard)
    for _ in range(5):
        await guard.begin(WRONG)
        await guard.take_back()
    assert not await guard.is_spent(WRONG)
    assert await refuse(guard)


async def test_take_back_of_a_first_attempt_counts_nothing(guard) -> None:
    await guard.begin(WRONG)
    await guard.take_back()
    assert [await refuse(guard) for _ in range(3)] == [True, True, False]


async def test_success_forgets(guard) -> None:
    for _ in range(3):
        await refuse(guard)
    await guard.forget_refusals()
    await guard.forget_refusals()
    assert not await guard.is_spent(WRONG)
    assert await guard.last_words() is None


async def test_accounts_are_counted_apart(guard, store, fake_clock) -> None:
    for _ in range(3):
        await refuse(guard)
    other = LoginGuard(store=store, account=AccountId("home"), clock=fake_clock, attempts=3)
    assert not await other.is_spent(WRONG)


async def test_secret_is_not_in_the_store(guard, tmp_path) -> None:
    canary = Secret("canary-91c2")
    await refuse(guard, canary)
    for path in (tmp_path / "store").rglob("*"):
        assert not path.is_file() or b"canary-91c2" not in path.read_bytes()


def test_digest_is_salted() -> None:
    assert scrypt_of(WRONG, "a") != scrypt_of(WRONG, "b")
    assert scrypt_of(WRONG, "a") == scrypt_of(Secret("wrong"), "a")


async def test_patience_is_remembered_until_it_is_over(guard, store, fake_clock) -> None:
    assert await guard.throttled_seconds(3600) == 0.0
    await guard.keep_throttle(fake_clock.now() + 100)
    fake_clock.advance(40)
    again = LoginGuard(store=store, account=WORK, clock=fake_clock, attempts=3)
    assert await again.throttled_seconds(3600) == 60
    fake_clock.advance(61)
    assert await again.throttled_seconds(3600) == 0.0


async def test_clock_set_back_does_not_make_patience_longer_than_the_cap(guard, fake_clock) -> None:
    await guard.keep_throttle(fake_clock.now() + 100)
    fake_clock.wall -= 1_000_000
    assert await guard.throttled_seconds(3600) == 3600


async def test_patience_can_be_ended(guard, fake_clock) -> None:
    await guard.keep_throttle(None)
    await guard.keep_throttle(fake_clock.now() + 100)
    await guard.keep_throttle(None)
    assert await guard.throttled_seconds(3600) == 0.0
