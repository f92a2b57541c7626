"""LOGIN-DELAY holds over restarts and whatever the clocks do, and a server without it costs nothing."""

import pytest

from daemon.model.ids import AccountId
from daemon.service.login_delay import CAP_SECONDS, LoginDelay
from daemon.store.store import Store

OLD = AccountId("old")


@pytest.fixture
async def store(tmp_path, fake_clock):
    store = await Store.open(tmp_path / "store", clock=fake_clock)
    yield store
    await store.close()


@pytest.fixture
def make(store, fake_clock):
    return lambda: LoginDelay(store=store, account=OLD, clock=fake_clock)


async def test_next_login_is_allowed_when_the_delay_is_over(make, fake_clock) -> None:
    delay = make()
    await delay.load()
    assert delay.wait_seconds() == 0.0
    await delay.note_login(900)
    assert (delay.wait_seconds(), delay.asked_seconds) == (900, 900)
    fake_clock.advance(899)
    assert delay.wait_seconds() == pytest.approx(1)
    fake_clock.advance(1)
    assert delay.wait_seconds() == 0.0


async def test_delay_outlives_a_restart(make, fake_clock) -> None:
    await make().note_login(900)
    fake_clock.advance(300)
    again = make()
    await again.load()
    assert again.wait_seconds() == pytest.approx(600)


async def test_delay_is_read_once(make) -> None:
    delay = make()
    await delay.load()
    await make().note_login(900)
    await delay.load()
    assert delay.wait_seconds() == 0.0


async def test_suspend_counts_and_a_clock_set_back_does_not_lengthen(make, fake_clock) -> None:
    delay = make()
    await delay.note_login(900)
    fake_clock.sleep_machine(-7200)
    assert delay.wait_seconds() == 900
    fake_clock.sleep_machine(7200 + 900)
    assert delay.wait_seconds() == 0.0


async def test_more_than_a_day_is_taken_for_a_day(make, fake_clock) -> None:
    delay = make()
    await delay.note_login(999_999_999)
    assert (delay.wait_seconds(), delay.asked_seconds) == (CAP_SECONDS, 999_999_999)
    fake_clock.sleep_machine(-10 * CAP_SECONDS)
    again = make()
    await again.load()
    assert again.wait_seconds() == CAP_SECONDS


async def test_server_that_asks_no_more_is_believed(make, store) -> None:
    delay = make()
    await delay.note_login(900)
    await delay.note_login(None)
    assert (delay.wait_seconds(), delay.asked_seconds) == (0.0, 0.0)
    assert await store.facts.get(OLD, "login.not_before") is None


async def test_store_that_cannot_be_written_does_not_end_the_poll(make, store) -> None:
    await store.close()
    delay = make()
    await delay.note_login(900)
    assert delay.wait_seconds() == 900
