"""NOTIFY that is accepted and silent is found out; a change in the moment of the look is no proof."""

from dataclasses import replace

import pytest

from daemon.model.states import AccountState as S
from daemon.model.states import WatchMode


@pytest.fixture
def brisk(quick_pace):
    return replace(quick_pace, pass_interval_seconds=0.4, tell_patience_seconds=0.1)


def looks(scripted) -> int:
    return scripted.commands.count("LIST")


async def come_round(scripted, until) -> None:
    """Return once the account has looked everywhere again, found nothing, and waits."""
    seen = looks(scripted)
    await until(lambda: looks(scripted) >= seen + 4 and scripted.commands[-1] == "IDLE")


async def test_silent_notify_is_left_for_idle_and_said(
    open_house, scripted, boxes, imap_account, brisk, until, told
) -> None:
    boxes.is_telling_at_noop = True
    scripted.capabilities = "IMAP4rev1 IDLE NOTIFY UNSELECT"
    house = await open_house(imap_account(scripted.port, max_connections=2), pace=brisk)
    await house.reaches(S.IDLE)
    await until(lambda: "NOTIFY" in scripted.commands)
    boxes.deliver("a")
    await until(lambda: house.control.account_status("work").total == 1)
    assert {one.watch for one in await house.control.list_mailboxes("work")} == {WatchMode.NOTIFY}
    for count in (2, 3):
        await come_round(scripted, until)
        boxes.deliver("a")
        await until(lambda count=count: house.control.account_status("work").total == count)
    await until(lambda: house.control.account_status("work").reason == "notify_silent")
    status = house.control.account_status("work")
    assert status.state is S.IDLE
    assert "does not tell of changes, in a" in status.detail
    shown = {one.record.name: one.watch for one in await house.control.list_mailboxes("work")}
    assert shown == {"INBOX": WatchMode.IDLE, "a": WatchMode.POLL, "b": WatchMode.POLL}
    await told(house, "idle", "notify_silent")
    before = len(scripted.commands)
    scripted.drop_all()
    await until(lambda: "IDLE" in scripted.commands[before:])
    assert "NOTIFY" not in scripted.commands[before:]
    assert house.control.account_status("work").reason == "notify_silent"


async def test_person_who_reconnects_has_notify_tried_again(
    open_house, scripted, boxes, imap_account, brisk, until
) -> None:
    boxes.is_telling_at_noop = True
    scripted.capabilities = "IMAP4rev1 IDLE NOTIFY UNSELECT"
    house = await open_house(imap_account(scripted.port, max_connections=2), pace=brisk)
    await house.reaches(S.IDLE)
    for count in (1, 2, 3):
        boxes.deliver("a")
        await until(lambda count=count: house.control.account_status("work").total == count)
        await come_round(scripted, until)
    await until(lambda: house.control.account_status("work").reason == "notify_silent")
    before = len(scripted.commands)
    await house.control.reconnect("work", wait_seconds=5)
    await until(lambda: "NOTIFY" in scripted.commands[before:])


async def test_notify_that_tells_a_little_late_is_believed(
    open_house, scripted, boxes, imap_account, brisk, until
) -> None:
    """The listing of the test finds the change first; the word comes within the patience."""
    scripted.capabilities = "IMAP4rev1 IDLE NOTIFY UNSELECT"
    pace = replace(brisk, tell_patience_seconds=5.0)
    house = await open_house(imap_account(scripted.port, max_connections=2), pace=pace)
    await house.reaches(S.IDLE)
    await until(lambda: "NOTIFY" in scripted.commands)
    boxes.deliver("a")
    await until(lambda: house.control.account_status("work").total == 1)
    await come_round(scripted, until)
    seen = looks(scripted)
    boxes.deliver("a")
    await until(lambda: looks(scripted) > seen and scripted.commands[-1] == "IDLE")
    scripted.say(boxes.status_of("a"))
    await until(lambda: house.control.account_status("work").total == 2)
    seen = looks(scripted)
    await until(lambda: looks(scripted) >= seen + 3)
    assert house.control.account_status("work").reason is None


async def test_work_that_comes_during_the_test_does_not_wait_for_its_end(
    open_house, scripted, boxes, imap_account, brisk, until
) -> None:
    scripted.capabilities = "IMAP4rev1 IDLE NOTIFY UNSELECT"
    pace = replace(brisk, tell_patience_seconds=3600.0)
    house = await open_house(imap_account(scripted.port, max_connections=2), pace=pace)
    await house.reaches(S.IDLE)
    await until(lambda: "NOTIFY" in scripted.commands)
    boxes.deliver("a")
    await until(lambda: house.control.account_status("work").total == 1)
    await come_round(scripted, until)
    seen = looks(scripted)
    boxes.deliver("a")
    await until(lambda: looks(scripted) > seen and scripted.commands[-1] == "IDLE")
    assert house.control.account_status("work").total == 1
    await house.control.request_sync("work", wait_seconds=0)
    await until(lambda: house.control.account_status("work").total == 2)
    assert house.control.account_status("work").reason is None


async def test_quiet_server_is_not_suspected(open_house, scripted, boxes, imap_account, brisk, until) -> None:
    scripted.capabilities = "IMAP4rev1 IDLE NOTIFY UNSELECT"
    house = await open_house(imap_account(scripted.port), pace=brisk)
    await house.reaches(S.IDLE)
    seen = looks(scripted)
    await until(lambda: looks(scripted) >= seen + 5)
    assert house.control.account_status("work").reason is None
    assert house.connects == 1
