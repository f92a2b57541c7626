"""Watching and following: what ends a wait, what is looked at, and how soon mail is on the disk."""

import asyncio
import time
from dataclasses import replace

import pytest

from daemon.model.states import AccountState as S
from daemon.model.states import WatchMode


async def test_idle_that_is_refused_becomes_polling_and_says_so(open_house, scripted, imap_account) -> None:
    scripted.on["IDLE"] = lambda tag, _: f"{tag} BAD not today\r\n".encode()
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.POLLING)
    status = house.control.account_status("work")
    assert status.reason == "idle_refused"
    assert "not today" in status.detail
    assert any(entry["event"] == "capability.distrusted" for entry in house.log.entries)
    await asyncio.sleep(0.2)
    assert scripted.commands.count("IDLE") == 1


async def test_server_without_idle_is_polled_by_schedule(
    open_house, scripted, imap_account, quick_pace, until
) -> None:
    scripted.capabilities = "IMAP4rev1"
    house = await open_house(imap_account(scripted.port), pace=replace(quick_pace, pass_interval_seconds=0.1))
    await house.reaches(S.POLLING)
    assert house.control.account_status("work").reason is None
    listings = scripted.commands.count("LIST")
    await until(lambda: scripted.commands.count("LIST") >= listings + 3)
    assert "IDLE" not in scripted.commands


async def test_inbox_is_shown_as_watched_by_idle(open_house, scripted, imap_account, until) -> None:
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.IDLE)
    await until(lambda: "IDLE" in scripted.commands)
    [inbox] = await house.control.list_mailboxes("work")
    assert (inbox.watch, inbox.lag_seconds) == (WatchMode.IDLE, 0.0)


async def test_change_on_the_line_looks_at_inbox_only(open_house, scripted, imap_account, until) -> None:
    scripted.capabilities = "IMAP4rev1 IDLE UNSELECT"
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.IDLE)
    await until(lambda: scripted.commands[-1] == "IDLE")
    before = len(scripted.commands)
    scripted.say(b"* 1 EXISTS\r\n")
    await until(lambda: "IDLE" in scripted.commands[before:])
    assert "LIST" not in scripted.commands[before:]
    assert "SELECT" not in scripted.commands[before:]


async def test_chattering_server_does_not_keep_us_busy(open_house, scripted, imap_account, until) -> None:
    """An EXISTS in answer to each IDLE, and never anything new."""
    scripted.on["IDLE"] = lambda tag, _: b"+ idling\r\n* 0 EXISTS\r\n"
    scripted.on["DONE"] = lambda *_: b""
    house = await open_house(imap_account(scripted.port))
    await house.reaches(S.IDLE)
    started = len(scripted.commands)
    await asyncio.sleep(0.5)
    assert len(scripted.commands) - started < 400


async def test_schedule_looks_at_every_mailbox(open_house, scripted, imap_account, quick_pace, until) -> None:
    house = await open_house(imap_account(scripted.port), pace=replace(quick_pace, pass_interval_seconds=0.2))
    await house.reaches(S.IDLE)
    listings = scripted.commands.count("LIST")
    await until(lambda: scripted.commands.count("LIST") >= listings + 2)
    assert await house.states_told() == [("syncing", None), ("idle", None)]


async def test_idle_is_renewed(open_house, scripted, imap_account, quick_pace, until) -> None:
    house = await open_house(imap_account(scripted.port), pace=replace(quick_pace, idle_renew_seconds=0.1))
    await house.reaches(S.IDLE)
    await until(lambda: scripted.commands.count("IDLE") >= 3)


@pytest.mark.dovecot
async def test_new_mail_is_on_disk_at_once(open_house, dovecot, imap_account, until, tmp_path) -> None:
    house = await open_house(imap_account(dovecot.port, username=dovecot.user))
    await house.reaches(S.IDLE)
    new = tmp_path / "store" / "mail" / "work" / "new"
    await until(lambda: house.service.control.account_status("work").state is S.IDLE)
    for count in (1, 2, 3):
        await asyncio.to_thread(dovecot.append, b"Subject: hello\r\n\r\nworld\r\n")
        started = time.monotonic()
        await until(lambda wanted=count: len(list(new.iterdir())) == wanted)
        assert time.monotonic() - started < 5
        await house.reaches(S.IDLE)
    [file, *_] = new.iterdir()
    assert file.read_bytes() == b"Subject: hello\r\n\r\nworld\r\n"


@pytest.mark.dovecot
async def test_first_pass_tells_its_progress(open_house, dovecot, imap_account) -> None:
    for number in range(5):
        dovecot.append(b"Subject: %d\r\n\r\nbody\r\n" % number)
    house = await open_house(imap_account(dovecot.port, username=dovecot.user))
    await house.reaches(S.IDLE)
    await asyncio.sleep(0.2)
    names = [event.name.value for event in await house.store.events.since(None, limit=1000)]
    assert names.count("sync.started") == 1
    assert "sync.progress" in names
    assert "sync.finished" in names
    status = house.control.account_status("work")
    assert (status.total, status.unread) == (5, 5)
