"""The snapshot: everything a dashboard needs, out of memory."""

import pytest

from daemon.demo.mailbox import User
from daemon.demo.pop3.server import Pop3Server
from daemon.model.errors import NotFound
from daemon.model.service_status import ServiceState
from daemon.model.states import AccountState as S


@pytest.fixture
async def refused(pop3_account):
    """An account whose password is not accepted."""
    async with Pop3Server([User("me", "another")]) as server:
        yield pop3_account.model_copy(update={"port": server.port})


async def test_snapshot_adds_up_accounts_in_the_order_of_the_config(
    open_house, scripted, imap_account, refused
) -> None:
    house = await open_house(imap_account(scripted.port), refused)
    await house.reaches(S.IDLE)
    await house.reaches(S.AUTH_FAILED, account=refused.id)
    status = house.control.status()
    assert list(status.accounts) == ["work", "old"]
    assert (status.state, status.accounts_ok, status.accounts_error) == (ServiceState.DEGRADED, 1, 1)
    assert status.last_sync == status.accounts["work"].last_sync is not None
    assert status.uptime_seconds >= 0
    assert status.event_id == house.control.latest_event_id()
    assert status.version == "0.0"


async def test_health_is_asked_by_account(open_house, scripted, imap_account, refused) -> None:
    house = await open_house(imap_account(scripted.port), refused)
    await house.reaches(S.IDLE)
    await house.reaches(S.AUTH_FAILED, account=refused.id)
    assert house.control.is_account_healthy("work")
    assert not house.control.is_account_healthy("old")


async def test_unknown_account_is_not_found(open_house) -> None:
    house = await open_house()
    for ask in (house.control.account_status, house.control.is_account_healthy):
        with pytest.raises(NotFound) as caught:
            ask("nobody")
        assert caught.value.reason == "account_unknown"


@pytest.mark.dovecot
async def test_counts_are_those_of_the_store(open_house, dovecot, imap_account) -> None:
    dovecot.append(b"Subject: x\r\n\r\n")
    house = await open_house(imap_account(dovecot.port, username=dovecot.user))
    await house.reaches(S.IDLE)
    status = house.control.status()
    assert (status.total, status.unread) == (1, 1)
    assert (status.accounts["work"].total, status.accounts["work"].unread) == (1, 1)
