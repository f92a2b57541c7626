"""Down the ladder: a claim that is refused, given up or silent costs a rung, and is said."""

import asyncio
from dataclasses import replace

import pytest

from daemon.model.states import AccountState as S
from daemon.model.states import WatchMode


@pytest.fixture
def never(quick_pace):
    return replace(quick_pace, pass_interval_seconds=3600.0)


async def inbox_mode(house) -> WatchMode:
    return (await house.control.list_mailboxes("work"))[0].watch


@pytest.mark.parametrize(
    "answer", ["NO [BADEVENT (MessageNew)] no", "NO [NOTIFICATIONOVERFLOW] no", "BAD what", "NO not here"]
)
async def test_refused_notify_falls_to_idle_and_says_why(
    open_house, scripted, boxes, imap_account, never, until, answer
) -> None:
    scripted.capabilities = "IMAP4rev1 IDLE NOTIFY"
    scripted.on["NOTIFY"] = lambda tag, _: f"{tag} {answer}\r\n".encode()
    house = await open_house(imap_account(scripted.port, max_connections=2), pace=never)
    await house.reaches(S.IDLE)
    status = house.control.account_status("work")
    assert status.reason == "notify_refused"
    assert await inbox_mode(house) is WatchMode.IDLE
    assert scripted.commands.count("NOTIFY") == 1
    assert any(entry["event"] == "capability.distrusted" for entry in house.log.entries)


async def test_notify_without_numbers_of_any_mailbox_is_not_believed(
    open_house, scripted, boxes, imap_account, never
) -> None:
    scripted.capabilities = "IMAP4rev1 IDLE NOTIFY"
    scripted.on["NOTIFY"] = lambda tag, _: f"{tag} OK done\r\n".encode()
    house = await open_house(imap_account(scripted.port, max_connections=2), pace=never)
    await house.reaches(S.IDLE)
    assert house.control.account_status("work").reason == "notify_silent"
    assert await inbox_mode(house) is WatchMode.IDLE


async def test_overflow_is_followed_by_a_look_at_everything_and_idle(
    open_house, scripted, boxes, imap_account, never, until
) -> None:
    scripted.capabilities = "IMAP4rev1 IDLE NOTIFY"
    house = await open_house(imap_account(scripted.port, max_connections=2), pace=never)
    await house.reaches(S.IDLE)
    await until(lambda: scripted.commands[-1] == "IDLE")
    assert await inbox_mode(house) is WatchMode.NOTIFY
    boxes.deliver("b")
    scripted.say(b"* OK [NOTIFICATIONOVERFLOW] too much\r\n")
    await until(lambda: house.control.account_status("work").total == 1)
    await until(lambda: house.control.account_status("work").reason == "notify_overflow")
    assert await inbox_mode(house) is WatchMode.IDLE
    assert house.connects == 1


async def test_mailbox_that_notify_does_not_name_is_shown_as_polled(
    open_house, scripted, boxes, imap_account, never, until
) -> None:
    """Other people's mailboxes are not in NOTIFY's `personal`."""
    scripted.capabilities = "IMAP4rev1 IDLE NOTIFY"
    scripted.on["NOTIFY"] = lambda tag, _: (
        boxes.status_of("a") + boxes.status_of("INBOX") + f"{tag} OK\r\n".encode()
    )
    house = await open_house(imap_account(scripted.port), pace=never)
    await house.reaches(S.IDLE)
    shown = {one.record.name: one.watch for one in await house.control.list_mailboxes("work")}
    assert shown == {"INBOX": WatchMode.NOTIFY, "a": WatchMode.NOTIFY, "b": WatchMode.POLL}


async def test_push_of_one_mailbox_looks_at_that_one_only(
    open_house, scripted, boxes, imap_account, never, until
) -> None:
    scripted.capabilities = "IMAP4rev1 IDLE NOTIFY UNSELECT"
    house = await open_house(imap_account(scripted.port), pace=never)
    await house.reaches(S.IDLE)
    await until(lambda: scripted.commands[-1] == "IDLE")
    house.passes.clear()
    boxes.deliver("a")
    scripted.say(boxes.status_of("a"))
    await until(lambda: house.control.account_status("work").total == 1)
    await until(lambda: scripted.commands[-1] == "IDLE")
    assert set(house.passes) == {frozenset({"a"})}


async def test_silent_idle_becomes_polling_and_says_so(
    open_house, scripted, boxes, imap_account, quick_pace, until
) -> None:
    """What NOOP brings was there all the time. One that comes just before the look proves nothing: then another is needed."""
    boxes.is_telling_at_noop = True
    pace = replace(quick_pace, pass_interval_seconds=0.5, tell_patience_seconds=0.05)
    house = await open_house(imap_account(scripted.port, max_connections=2), pace=pace)
    await house.reaches(S.IDLE)
    count = 0
    while house.state() is not S.POLLING and count < 20:
        await until(lambda: scripted.commands[-1] == "IDLE" or house.state() is S.POLLING)
        boxes.deliver("INBOX")
        count += 1
        await until(lambda count=count: house.control.account_status("work").total == count)
        await until(lambda: house.state() in {S.IDLE, S.POLLING})
    assert count >= 2, "once is no proof"
    await house.reaches(S.POLLING)
    assert house.control.account_status("work").reason == "idle_silent"
    assert await inbox_mode(house) is WatchMode.POLL
    boxes.deliver("INBOX")
    await until(lambda: house.control.account_status("work").total == count + 1)


async def test_idle_that_tells_in_between_is_believed(
    open_house, scripted, boxes, imap_account, quick_pace, until
) -> None:
    boxes.is_telling_at_noop = True
    pace = replace(quick_pace, pass_interval_seconds=0.5, tell_patience_seconds=0.05)
    house = await open_house(imap_account(scripted.port, max_connections=2), pace=pace)
    await house.reaches(S.IDLE)
    for count in (1, 3, 5):
        await until(lambda: scripted.commands[-1] == "IDLE")
        boxes.deliver("INBOX")
        await until(lambda count=count: house.control.account_status("work").total == count)
        await until(lambda: scripted.commands[-1] == "IDLE")
        boxes.deliver("INBOX")
        scripted.say(b"* %d EXISTS\r\n" % (count + 1))
        await until(lambda count=count: house.control.account_status("work").total == count + 1)
    await house.reaches(S.IDLE)
    assert house.control.account_status("work").reason is None


async def test_flags_that_idle_does_not_tell_are_no_proof_against_it_and_are_taken_in(
    open_house, scripted, boxes, imap_account, quick_pace, until, tmp_path
) -> None:
    """A server may keep flag changes back until a command asks (RFC 9051 §5.2), as Gmail does."""
    flags, noops = b"", 0

    def noop(tag: str, _: str) -> bytes:
        nonlocal flags, noops
        noops += 1
        flags = b"\\Seen" if noops % 2 else b""
        return b"* 1 FETCH (UID 1 FLAGS (%s))\r\n%s OK done\r\n" % (flags, tag.encode())

    fetch = scripted.on["UID FETCH"]
    scripted.on["UID FETCH"] = lambda *command: fetch(*command).replace(b"FLAGS ()", b"FLAGS (%s)" % flags)
    scripted.on["NOOP"] = noop
    boxes.deliver("INBOX")
    pace = replace(quick_pace, pass_interval_seconds=0.3, tell_patience_seconds=0.05)
    house = await open_house(imap_account(scripted.port, max_connections=2), pace=pace)
    await until(lambda: noops >= 1)
    cur = tmp_path / "store" / "mail" / "work" / "cur"
    await until(lambda: [path.name[-4:] for path in cur.iterdir()] == [":2,S"])
    await until(lambda: noops >= 4 or house.state() is S.POLLING)
    assert house.state() is not S.POLLING
    assert house.control.account_status("work").reason is None


async def test_inbox_that_cannot_be_selected_is_polled(
    open_house, scripted, boxes, imap_account, quick_pace, until
) -> None:
    scripted.on["SELECT"] = lambda tag, _: f"{tag} NO it is locked\r\n".encode()
    house = await open_house(imap_account(scripted.port), pace=quick_pace)
    await house.reaches(S.POLLING)
    status = house.control.account_status("work")
    assert (status.reason, "locked" in status.detail) == ("inbox_refused", True)


async def test_plea_for_patience_is_no_proof_against_a_claim(
    open_house, scripted, boxes, imap_account, never
) -> None:
    scripted.on["IDLE"] = lambda tag, _: (
        f"{tag} BAD Request is throttled. Suggested Backoff Time: 120000 milliseconds\r\n".encode()
    )
    house = await open_house(imap_account(scripted.port), pace=never)
    await house.reaches(S.THROTTLED)
    assert not any(entry["event"] == "capability.distrusted" for entry in house.log.entries)


async def test_lag_of_polled_mailboxes_grows_and_that_of_pushed_ones_does_not(
    open_house, scripted, boxes, imap_account, never, until
) -> None:
    house = await open_house(imap_account(scripted.port, max_connections=2), pace=never)
    await house.reaches(S.IDLE)
    await until(lambda: scripted.commands[-1] == "IDLE")
    await asyncio.sleep(0.3)
    inbox, a, _ = await house.control.list_mailboxes("work")
    assert (inbox.watch, inbox.lag_seconds) == (WatchMode.IDLE, 0.0)
    assert a.watch is WatchMode.POLL
    assert a.lag_seconds >= 0.3
