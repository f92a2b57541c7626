"""One account's fault is its own: it is shown, logged, run again; the others do not notice."""

import asyncio
import time
from dataclasses import replace

from daemon.model.states import AccountState as S


async def test_crash_of_one_account_is_shown_and_it_is_run_again(
    open_house, scripted, imap_account, quick_pace, until
) -> None:
    crashes = 0
    house = None

    async def connect(settings, log, **options):
        nonlocal crashes
        if settings.id == "bad":
            crashes += 1
            raise ZeroDivisionError("a bug of ours")
        return await dial(settings, log)

    async def dial(settings, log, **options):
        from daemon.model.clock import SystemClock
        from daemon.net.endpoint import Endpoint
        from daemon.net.imap.client import ImapClient

        return await ImapClient.connect(
            Endpoint(host=settings.host, port=settings.port, tls=settings.tls), clock=SystemClock()
        )

    house = await open_house(
        imap_account(scripted.port, "bad"), imap_account(scripted.port, "good"), connect=connect
    )
    await house.reaches(S.IDLE, account="good")
    await house.reaches(S.ERROR, account="bad")
    status = house.control.account_status("bad")
    assert (status.reason, status.retry_at is not None) == ("internal", True)
    await until(lambda: crashes >= 3)
    assert any(entry["event"] == "account.crashed" for entry in house.log.entries)
    assert house.state("good") is S.IDLE
    assert house.control.is_ready()


async def test_stuck_account_is_cancelled_and_run_again(
    open_house, scripted, imap_account, quick_pace, until
) -> None:
    """Decision 5: one stuck account stops nothing, and not for ever itself."""
    hung = 0

    async def connect(settings, log, **options):
        nonlocal hung
        hung += 1
        await asyncio.Event().wait()

    house = await open_house(
        imap_account(scripted.port), connect=connect, pace=replace(quick_pace, open_deadline_seconds=0.2)
    )
    await until(lambda: hung >= 2)
    assert any(entry["event"] == "account.stuck" for entry in house.log.entries)


async def test_silent_server_in_a_pass_is_found_by_its_silence(
    open_house, scripted, imap_account, quick_pace, until
) -> None:
    scripted.on["LIST"] = lambda *_: b""
    house = await open_house(imap_account(scripted.port), pace=replace(quick_pace, pass_silence_seconds=0.2))
    await until(lambda: scripted.logins >= 2)
    assert any(entry["event"] == "account.stuck" for entry in house.log.entries)


async def test_stop_ends_every_account_with_a_farewell_in_time(
    open_house, scripted, imap_account, until
) -> None:
    house = await open_house(*(imap_account(scripted.port, f"a{number}") for number in range(20)))
    for number in range(20):
        await house.reaches(S.IDLE, account=f"a{number}")
    started = time.monotonic()
    await house.service.stop()
    assert time.monotonic() - started < 5
    await until(lambda: not scripted._writers)
    assert scripted.commands.count("LOGOUT") == 20
    assert not house.control.is_ready()


async def test_stop_does_not_wait_for_a_server_that_is_silent(open_house, scripted, imap_account) -> None:
    scripted.on["LIST"] = lambda *_: b""
    scripted.on["LOGOUT"] = lambda *_: b""
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.SYNCING)
    started = time.monotonic()
    await house.service.stop()
    assert time.monotonic() - started < 5


async def test_states_until_the_stop_are_in_the_journal(open_house, scripted, imap_account) -> None:
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.IDLE)
    await house.service.stop()
    assert await house.states_told() == [("syncing", None), ("idle", None)]


async def test_last_tick_moves_while_all_is_well(open_house, scripted, imap_account, until) -> None:
    house = await open_house(imap_account(scripted.port))
    before = house.service.supervisor.last_tick
    await until(lambda: house.service.supervisor.last_tick > before)


async def test_no_more_handshakes_at_once_than_allowed(
    open_house, scripted, imap_account, quick_pace, until
) -> None:
    """N18, seen from the server: connections that are not yet logged in."""
    waiting = most = 0

    async def connect(settings, log, **options):
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        await asyncio.sleep(0.02)
        waiting -= 1
        raise ConnectionResetError("never mind")

    accounts = [imap_account(scripted.port, f"a{number}") for number in range(30)]
    await open_house(*accounts, connect=connect, pace=replace(quick_pace, handshakes_at_once=10))
    await until(lambda: most >= 10)
    await asyncio.sleep(0.3)
    assert most == 10


async def test_clock_set_back_leaves_no_run_hours_ahead(
    open_house, scripted, imap_account, jumping_clock, until
) -> None:
    jumping_clock.jump = 3 * 3600.0
    account = imap_account(scripted.port)
    house = await open_house(account, clock=jumping_clock)
    await house.reaches(S.IDLE)
    jumping_clock.jump = 0.0
    await until(lambda: house.service.schedule.next_run_of(account.id) < time.time() + 120)
    assert any(entry["event"] == "clock.jumped" for entry in house.log.entries)
