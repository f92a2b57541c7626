"""The whole put together: accounts of all kinds side by side, from the first start to the stop."""

from daemon.model.service_status import ServiceState
from daemon.model.states import AccountState as S


async def test_service_without_accounts_runs_and_says_so(open_house) -> None:
    """Decision 16."""
    house = await open_house()
    status = house.control.status()
    assert (status.state, status.accounts, status.accounts_error) == (ServiceState.OK, {}, 0)
    assert house.control.is_ready()


async def test_accounts_of_both_protocols_run_side_by_side(
    open_house, scripted, imap_account, pop3_account
) -> None:
    house = await open_house(pop3_account, imap_account(scripted.port))
    await house.reaches(S.IDLE)
    await house.reaches(S.OFFLINE, account=pop3_account.id)
    assert house.control.account_status("old").reason == "refused"
    assert [job.account for job in house.service.schedule.jobs()].count("work") == 1


async def test_second_start_on_the_same_store_goes_on(open_house, scripted, imap_account) -> None:
    account = imap_account(scripted.port)
    for _ in range(2):
        house = await open_house(account)
        await house.reaches(S.IDLE)
    assert house.store.generation == 2
