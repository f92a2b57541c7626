"""The main line's waiting over a real Dovecot: every mailbox is pushed, only those with news are looked at, none is missed."""

import asyncio
import random
from dataclasses import replace

import pytest

from daemon.model.states import AccountState as S
from daemon.model.states import WatchMode

pytestmark = pytest.mark.dovecot

MAIL = b"Subject: hello\r\n\r\nworld\r\n"


def boxes(dovecot, count: int) -> list[str]:
    client = dovecot.open()
    names = [f"box{number:02}" for number in range(count)]
    for name in names:
        assert client.create(name)[0] == "OK"
    client.logout()
    return names


async def on_disk(tmp_path, name: str) -> int:
    root = tmp_path / "store" / "mail" / "work"
    place = root if name == "INBOX" else root / f".{name}"
    return sum(1 for part in ("new", "cur") for file in (place / part).glob("*") if file.is_file())


async def watching(house) -> None:
    """Return when the account waits with nothing to do."""
    for _ in range(400):
        if house.state() is S.IDLE and house.passes:
            count = len(house.passes)
            await asyncio.sleep(0.3)
            if count == len(house.passes) and house.state() is S.IDLE:
                return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{house.control.account_status('work')} {house.passes}")


@pytest.fixture
def never(quick_pace):
    """A pace at which the schedule does nothing within a test."""
    return replace(quick_pace, pass_interval_seconds=3600.0)


async def test_every_mailbox_is_pushed_on_one_connection(
    open_house, dovecot, imap_account, never, until, tmp_path
) -> None:
    names = boxes(dovecot, 12)
    house = await open_house(imap_account(dovecot.port, username=dovecot.user), pace=never)
    await watching(house)
    shown = await house.control.list_mailboxes("work")
    assert {one.watch for one in shown} == {WatchMode.NOTIFY}
    assert [one.lag_seconds for one in shown] == [0.0] * 13
    house.passes.clear()
    for name in random.Random(3).sample(names, 4):
        await asyncio.to_thread(dovecot.append, MAIL, name)
        await until(lambda name=name: any(name in only for only in house.passes))
        for _ in range(200):
            if await on_disk(tmp_path, name):
                break
            await asyncio.sleep(0.01)
        assert await on_disk(tmp_path, name) == 1
    await watching(house)
    assert None not in house.passes
    assert max(len(only) for only in house.passes) == 1
    assert house.connects == 1


async def test_both_ends_of_a_server_side_move_are_one_pass(
    open_house, dovecot, imap_account, never, until, tmp_path
) -> None:
    one, other, *_ = boxes(dovecot, 3)
    dovecot.append(MAIL, one)
    house = await open_house(imap_account(dovecot.port, username=dovecot.user), pace=never)
    await watching(house)
    house.passes.clear()
    client = dovecot.open()
    client.select(one)
    assert client.uid("MOVE", "1", other)[0] == "OK"
    client.logout()
    await until(lambda: house.passes)
    await watching(house)
    assert house.passes[0] == {one, other}
    assert (await on_disk(tmp_path, one), await on_disk(tmp_path, other)) == (0, 1)


async def test_new_mailbox_is_found_by_its_announcement(
    open_house, dovecot, imap_account, never, until, tmp_path
) -> None:
    boxes(dovecot, 1)
    house = await open_house(imap_account(dovecot.port, username=dovecot.user), pace=never)
    await watching(house)
    client = dovecot.open()
    client.create("fresh")
    client.append("fresh", "", None, MAIL)
    client.logout()
    await until((tmp_path / "store/mail/work/.fresh").is_dir)
    await watching(house)
    assert await on_disk(tmp_path, "fresh") == 1
    await asyncio.to_thread(dovecot.append, MAIL, "fresh")
    await until(lambda: any(only and "fresh" in only for only in house.passes))
    await watching(house)
    assert await on_disk(tmp_path, "fresh") == 2
    assert (await house.control.list_mailboxes("work"))[2].watch is WatchMode.NOTIFY


async def test_excluded_mailbox_costs_one_look_and_no_more(
    open_house, dovecot, imap_account, never, until
) -> None:
    boxes(dovecot, 2)
    account = imap_account(dovecot.port, username=dovecot.user, exclude=("box01",))
    house = await open_house(account, pace=never)
    await watching(house)
    house.passes.clear()
    for _ in range(3):
        await asyncio.to_thread(dovecot.append, MAIL, "box01")
        await asyncio.sleep(0.8)
    assert house.passes == []


async def test_changes_during_passes_are_never_missed(
    open_house, dovecot, imap_account, never, until, tmp_path
) -> None:
    """Mail for many mailboxes at every moment of passes over others, the schedule asleep."""
    names = ["INBOX", *boxes(dovecot, 15)]
    house = await open_house(imap_account(dovecot.port, username=dovecot.user), pace=never)
    await watching(house)
    house.passes.clear()
    chance = random.Random(11)
    wanted = dict.fromkeys(names, 0)

    def storm() -> None:
        client = dovecot.open()
        for number in range(120):
            name = chance.choice(names)
            assert client.append(name, "", None, b"Subject: %d\r\n\r\nbody\r\n" % number)[0] == "OK"
            wanted[name] += 1
            if number % 10 == 9:
                client.select(chance.choice(names))
                client.uid("STORE", "1:*", "+FLAGS", "(\\Flagged)")
                client.unselect()
        client.logout()

    await asyncio.to_thread(storm)
    for _ in range(1500):
        found = {name: await on_disk(tmp_path, name) for name in names}
        if found == wanted:
            break
        await asyncio.sleep(0.02)
    assert found == wanted
    assert house.connects == 1
    assert None not in house.passes
