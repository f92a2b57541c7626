"""An account's life against a server that says what it likes: each fault its state, reason and wait."""

import asyncio
from dataclasses import replace

import pytest

from daemon.model.jobs import JobState
from daemon.model.states import AccountState as S


def refuse(code: str, words: str = "no"):
    return lambda tag, _: f"{tag} NO [{code}] {words}\r\n".encode()


async def test_account_reaches_idle_and_tells_each_state_once(
    open_house, scripted, imap_account, until
) -> None:
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.IDLE)
    await asyncio.sleep(0.1)
    assert await house.states_told() == [("syncing", None), ("idle", None)]


async def test_lost_line_is_offline_and_comes_back(open_house, scripted, imap_account) -> None:
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.IDLE)
    scripted.drop_all()
    await house.reaches(S.OFFLINE)
    assert house.control.account_status("work").retry_at is not None
    await house.reaches(S.IDLE)


async def test_refused_connection_is_offline_with_the_reason(open_house, scripted, imap_account) -> None:
    await scripted.stop()
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.OFFLINE)
    status = house.control.account_status("work")
    assert status.reason == "refused"
    assert status.remedy


async def test_goodbye_keeps_the_servers_words(open_house, scripted, imap_account, quick_pace) -> None:
    house = await open_house(imap_account(scripted.port), pace=replace(quick_pace, retry_first_seconds=60))
    await house.reaches(S.IDLE)
    scripted.say(b"* BYE down for repair\r\n")
    await house.reaches(S.OFFLINE)
    assert "down for repair" in house.control.account_status("work").detail


async def test_foreign_greeting_is_offline_without_a_login(open_house, scripted, imap_account) -> None:
    """N13: a captive portal answers on every port."""
    scripted.greeting = b"HTTP/1.1 302 Found\r\n\r\n"
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.OFFLINE)
    assert house.control.account_status("work").reason == "not_imap"
    assert scripted.logins == 0


async def test_wrong_password_is_tried_three_times_in_all(open_house, scripted, imap_account, until) -> None:
    """S5: three in all, counted over restarts, then none."""
    account = imap_account(scripted.port)
    scripted.password = "other"
    house = await open_house(account)
    await house.reaches(S.AUTH_FAILED)
    await until(lambda: house.control.account_status("work").retry_at is None)
    assert scripted.logins == 3
    assert "wrong password" in house.control.account_status("work").detail
    house = await open_house(account)
    await house.reaches(S.AUTH_FAILED)
    assert "wrong password" in house.control.account_status("work").detail
    await asyncio.sleep(0.3)
    assert scripted.logins == 3
    assert house.connects == 0


async def test_login_attempts_go_on_counting_after_a_restart(
    open_house, scripted, imap_account, quick_pace, until
) -> None:
    account = imap_account(scripted.port)
    scripted.password = "other"
    await open_house(account, pace=replace(quick_pace, retry_first_seconds=60, retry_cap_seconds=60))
    await until(lambda: scripted.logins == 1)
    house = await open_house(account)
    await until(
        lambda: house.state() is S.AUTH_FAILED and house.control.account_status("work").retry_at is None
    )
    assert scripted.logins == 3


async def test_new_secret_is_tried_by_itself(open_house, scripted, imap_account, quick_pace, until) -> None:
    scripted.password = "better"
    house = await open_house(imap_account(scripted.port), pace=replace(quick_pace, secret_check_seconds=0.05))
    await until(lambda: scripted.logins == 3)
    await asyncio.sleep(0.3)
    assert scripted.logins == 3
    house.secrets["work"] = "better"
    await house.reaches(S.IDLE)


@pytest.mark.parametrize("wish", ["reconnect", "resume"])
async def test_person_may_ask_for_another_login(open_house, scripted, imap_account, until, wish: str) -> None:
    scripted.password = "other"
    house = await open_house(imap_account(scripted.port))
    await until(lambda: scripted.logins == 3 and house.control.account_status("work").retry_at is None)
    scripted.password = "secret"
    job = await getattr(house.control, wish)("work", wait_seconds=10)
    assert job.state is JobState.DONE
    await house.reaches(S.IDLE)
    assert scripted.logins == 4


async def test_no_secret_is_kept_or_logged(open_house, scripted, imap_account, until, tmp_path) -> None:
    account = imap_account(scripted.port)
    house = await open_house(account)
    house.secrets["work"] = "canary-7f3a"
    scripted.password = "other"
    await house.control.reconnect("work", wait_seconds=5)
    await until(
        lambda: house.control.account_status("work").retry_at is None and house.state() is S.AUTH_FAILED
    )
    assert "canary-7f3a" not in str(house.log.entries)
    assert all(
        b"canary-7f3a" not in path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()
    )


async def test_throttled_account_waits_as_long_as_it_was_asked(open_house, scripted, imap_account) -> None:
    scripted.on["LOGIN"] = lambda tag, _: (
        f"{tag} BAD Request is throttled. Suggested Backoff Time: 120000 milliseconds\r\n".encode()
    )
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.THROTTLED)
    status = house.control.account_status("work")
    assert 110 < status.retry_at - status.since <= 120


async def test_throttle_survives_a_restart_and_a_sync_request(open_house, scripted, imap_account) -> None:
    account = imap_account(scripted.port)
    scripted.on["LOGIN"] = lambda tag, _: (
        f"{tag} BAD Request is throttled. Suggested Backoff Time: 120000 milliseconds\r\n".encode()
    )
    house = await open_house(account)
    await house.reaches(S.THROTTLED)
    house = await open_house(account)
    await house.reaches(S.THROTTLED)
    job = await house.control.request_sync("work", wait_seconds=1)
    assert (job.state, job.reason) == (JobState.FAILED, "throttled")
    assert scripted.logins == 1
    assert house.connects == 0


async def test_throttle_is_never_longer_than_the_cap(open_house, scripted, imap_account) -> None:
    scripted.on["LOGIN"] = lambda tag, _: (
        f"{tag} BAD Request is throttled. Suggested Backoff Time: 99999999999 milliseconds\r\n".encode()
    )
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.THROTTLED)
    status = house.control.account_status("work")
    assert status.retry_at - status.since <= 3600


async def test_login_accepted_then_closed_makes_no_storm(
    open_house, scripted, imap_account, quick_pace, until
) -> None:
    """N17: at most one login a minute after a burst of two."""
    scripted.on["LIST"] = lambda *_: None
    house = await open_house(imap_account(scripted.port), pace=replace(quick_pace, login_burst=2))
    await until(lambda: scripted.logins == 2)
    await asyncio.sleep(0.5)
    assert scripted.logins == 2
    status = house.control.account_status("work")
    assert status.state is S.OFFLINE
    assert status.retry_at - status.since > 50


async def test_pause_lets_go_of_the_server_and_survives_a_restart(
    open_house, scripted, imap_account, until
) -> None:
    account = imap_account(scripted.port)
    house = await open_house(account)
    await house.reaches(S.IDLE)
    assert (await house.control.pause("work", wait_seconds=5)).state is JobState.DONE
    assert house.state() is S.PAUSED
    await until(lambda: "LOGOUT" in scripted.commands)
    house = await open_house(account)
    await house.reaches(S.PAUSED)
    assert house.connects == 0
    assert (await house.control.resume("work", wait_seconds=5)).state is JobState.DONE
    await house.reaches(S.IDLE)
    await open_house(account)
    await house.reaches(S.IDLE)


async def test_paused_account_refuses_sync_and_reconnect(open_house, scripted, imap_account) -> None:
    house = await open_house(imap_account(scripted.port))
    await house.control.pause("work", wait_seconds=5)
    for wish in (house.control.request_sync, house.control.reconnect):
        job = await wish("work", wait_seconds=5)
        assert (job.state, job.reason) == (JobState.FAILED, "paused")


async def test_reconnect_makes_a_new_line(open_house, scripted, imap_account) -> None:
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.IDLE)
    job = await house.control.reconnect("work", wait_seconds=5)
    assert job.state is JobState.DONE
    assert scripted.logins == 2
    await house.reaches(S.IDLE)


async def test_resume_of_a_running_account_is_done_at_once(open_house, scripted, imap_account) -> None:
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.IDLE)
    assert (await house.control.resume("work", wait_seconds=None)).state is JobState.DONE
    assert scripted.logins == 1


async def test_sync_request_is_done_with_a_result(open_house, scripted, imap_account) -> None:
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.IDLE)
    job = await house.control.request_sync("work", wait_seconds=5)
    assert job.state is JobState.DONE
    assert job.result.is_quiet


async def test_sync_request_cuts_a_long_wait_short(open_house, scripted, imap_account, tmp_path) -> None:
    account = imap_account(scripted.port)
    house = await open_house(account)
    await house.reaches(S.IDLE)
    await house.service.stop()
    tree = tmp_path / "store" / "mail" / "work"
    tree.rename(tmp_path / "elsewhere")
    house = await open_house(account)
    await house.reaches(S.HELD)
    (tmp_path / "elsewhere").rename(tree)
    job = await house.control.request_sync("work", wait_seconds=10)
    assert job.state is JobState.DONE
    await house.reaches(S.IDLE)


async def test_sync_request_fails_when_the_attempt_does(open_house, scripted, imap_account) -> None:
    await scripted.stop()
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.OFFLINE)
    job = await house.control.request_sync("work", wait_seconds=5)
    assert (job.state, job.reason) == (JobState.FAILED, "refused")


async def test_wait_that_runs_out_returns_the_running_job(open_house, scripted, imap_account) -> None:
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.IDLE)
    scripted.on["LIST"] = lambda *_: b""
    job = await house.control.request_sync("work", wait_seconds=0.1)
    assert job.state is JobState.RUNNING


async def test_suspend_reconnects_at_once(open_house, scripted, imap_account, jumping_clock, until) -> None:
    """N14: the wall ran on while the steady clock stood still."""
    house = await open_house(imap_account(scripted.port), clock=jumping_clock)
    await house.reaches(S.IDLE)
    jumping_clock.jump = 8 * 3600.0
    await until(lambda: scripted.logins == 2)
    await house.reaches(S.IDLE)


async def test_foreign_tree_is_held_without_a_connection(
    open_house, scripted, imap_account, tmp_path
) -> None:
    account = imap_account(scripted.port)
    house = await open_house(account)
    await house.reaches(S.IDLE)
    await house.service.stop()
    tree = tmp_path / "store" / "mail" / "work"
    tree.rename(tmp_path / "elsewhere")
    tree.mkdir()
    connections = scripted.connections
    house = await open_house(account)
    await house.reaches(S.HELD)
    assert house.control.account_status("work").reason.startswith("store_")
    assert scripted.connections == connections


async def test_listing_that_turns_empty_is_held(open_house, scripted, imap_account) -> None:
    """S10: the server seems to have lost everything."""
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.IDLE)
    scripted.on["LIST"] = lambda tag, _: f"{tag} OK done\r\n".encode()
    job = await house.control.request_sync("work", wait_seconds=5)
    assert job.state is JobState.FAILED
    assert (house.state(), house.control.account_status("work").reason) == (S.HELD, "listing_doubtful")


async def test_unreadable_secret_is_an_error_until_it_can_be_read(
    open_house, scripted, imap_account, quick_pace
) -> None:
    house = await open_house(imap_account(scripted.port), pace=replace(quick_pace, secret_retry_seconds=0.05))
    house.secrets["work"] = ""
    await house.control.reconnect("work", wait_seconds=5)
    await house.reaches(S.ERROR)
    status = house.control.account_status("work")
    assert status.reason == "credential_unavailable"
    assert status.remedy
    connects = house.connects
    house.secrets["work"] = "secret"
    await house.reaches(S.IDLE)
    assert house.connects == connects + 1


async def test_pause_during_the_very_start_is_heard(open_house, scripted, imap_account) -> None:
    for _ in range(5):
        house = await open_house(imap_account(scripted.port))
        assert (await house.control.pause("work", wait_seconds=5)).state is JobState.DONE
        assert house.state() is S.PAUSED
        await house.control.resume("work", wait_seconds=None)


async def test_line_that_breaks_the_protocol_as_the_service_stops_does_not_keep_it_from_stopping(
    open_house, scripted, imap_account
) -> None:
    answer = scripted._answer

    async def idle_badly(tag, name, arguments, reader, writer):
        answered = await answer(tag, name, arguments, reader, writer)
        return b"* 5 EXISTS\r\n* 2 EXISTS\r\n" + answered if name == "IDLE" else answered

    scripted._answer = idle_badly
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.IDLE)
    await asyncio.sleep(0.1)
    await house.service.stop()
    assert not any(entry["event"] == "task.left_behind" for entry in house.log.entries)
