"""One extra line: it wakes the account for its mailbox, and finds out when IDLE does nothing."""

from dataclasses import replace

import pytest

from daemon.model.states import AccountState as S
from daemon.model.states import WatchMode
from daemon.service.push.trust import Claim


@pytest.fixture
def pace(quick_pace):
    return replace(quick_pace, pass_interval_seconds=3600.0)


async def test_line_opens_its_mailbox_for_reading_only(
    open_house, scripted, boxes, imap_account, pace, until
) -> None:
    house = await open_house(imap_account(scripted.port, max_connections=3), pace=pace)
    await until(lambda: "EXAMINE" in scripted.commands and scripted.commands.count("IDLE") >= 2)
    assert scripted.commands.count("EXAMINE") == 1
    await until(lambda: frozenset({"a"}) in house.passes)


async def test_line_whose_mailbox_is_refused_is_said_and_costs_nothing_else(
    open_house, scripted, boxes, imap_account, pace, until
) -> None:
    scripted.on["EXAMINE"] = lambda tag, _: f"{tag} NO [NONEXISTENT] gone\r\n".encode()
    house = await open_house(imap_account(scripted.port, max_connections=3), pace=pace)
    await until(lambda: house.control.account_status("work").reason == "connections_limited")
    assert "gone" in house.control.account_status("work").detail
    assert house.state() is S.IDLE


async def test_idle_that_never_tells_is_found_out_at_the_renewal(
    open_house, scripted, boxes, imap_account, pace, until
) -> None:
    """Every NOOP brings something that IDLE has kept to itself."""
    count = 0

    def noop(tag: str, _: str) -> bytes:
        nonlocal count
        count += 1
        return f"* {count} EXISTS\r\n{tag} OK done\r\n".encode()

    scripted.on["NOOP"] = noop
    brisk = replace(pace, idle_renew_seconds=0.2, tell_patience_seconds=0.1)
    house = await open_house(imap_account(scripted.port, max_connections=3), pace=brisk)
    await house.reaches(S.POLLING)
    assert house.control.account_status("work").reason == f"{Claim.IDLE.lower()}_silent"
    shown = await house.control.list_mailboxes("work")
    assert {one.watch for one in shown} == {WatchMode.POLL}
    await until(lambda: scripted.commands.count("LOGOUT") == 1)


async def test_flags_that_come_at_the_renewal_wake_the_account_and_prove_nothing(
    open_house, scripted, boxes, imap_account, pace, until
) -> None:
    count = 0

    def noop(tag: str, _: str) -> bytes:
        nonlocal count
        count += 1
        return f"* 1 FETCH (UID 1 FLAGS (k{count}))\r\n{tag} OK done\r\n".encode()

    boxes.deliver("INBOX")
    boxes.deliver("a")
    scripted.on["NOOP"] = noop
    brisk = replace(pace, idle_renew_seconds=0.2, tell_patience_seconds=0.1)
    house = await open_house(imap_account(scripted.port, max_connections=3), pace=brisk)
    await until(lambda: count >= 2)
    house.passes.clear()
    await until(lambda: count >= 8 or house.state() is S.POLLING)
    assert house.state() is not S.POLLING
    assert frozenset({"a"}) in house.passes or frozenset({"a", "INBOX"}) in house.passes
