"""Extra lines: whom they watch, what a refusal costs, and that it never costs the account."""

import asyncio
from dataclasses import replace

import pytest

from daemon.demo.imap.server import ImapServer
from daemon.demo.mailbox import User
from daemon.model.clock import SystemClock
from daemon.model.states import AccountState as S
from daemon.model.states import WatchMode
from daemon.service.push.line_budget import LOSSES_BLAMED

MAIL = b"Subject: hello\r\n\r\nworld\r\n"


@pytest.fixture
def never(quick_pace):
    return replace(quick_pace, pass_interval_seconds=3600.0)


@pytest.fixture
def user():
    user = User("me", "secret")
    for name, count in (("busy", 3), ("calm", 1), ("dead", 0), ("still", 0)):
        box = user.create(name)
        for _ in range(count):
            box.deliver(MAIL, internal_date=4_000_000_000)
    return user


class HandClock(SystemClock):
    """The machine's clocks, which can be put forward."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class Lines:
    """The lines of a scripted server: `drop` ends the one that watches a mailbox, as a network does.

    While `may_list` is not set, LIST is not answered.
    """

    def __init__(self, scripted) -> None:
        self.may_list = asyncio.Event()
        self.may_list.set()
        self._answer, scripted._answer = scripted._answer, self._note
        self._watching, self._main = {}, set()

    def drop(self, mailbox: str) -> None:
        self._watching.pop(mailbox).transport.abort()

    def __contains__(self, mailbox: str) -> bool:
        return mailbox in self._watching

    async def _note(self, tag, name, arguments, reader, writer) -> bytes | None:
        if name == "LIST":
            self._main.add(writer)
            await self.may_list.wait()
        if name == "EXAMINE" and writer not in self._main:
            self._watching[arguments.partition(" ")[0].strip('"')] = writer
        return await self._answer(tag, name, arguments, reader, writer)


@pytest.fixture
def lines(scripted, boxes) -> Lines:
    return Lines(scripted)


async def modes(house) -> dict[str, WatchMode]:
    return {one.record.name: one.watch for one in await house.control.list_mailboxes("work")}


async def watches(house, *names: str) -> None:
    """Return once these mailboxes are pushed and no others."""
    for _ in range(1000):
        found = {name for name, mode in (await modes(house)).items() if mode is WatchMode.IDLE}
        if found == set(names):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{found} are watched: {house.control.account_status('work')}")


async def test_busiest_mailboxes_have_lines_and_their_mail_comes_at_once(
    open_house, imap_account, user, never, until
) -> None:
    async with ImapServer([user]) as server:
        house = await open_house(imap_account(server.port, max_connections=4), pace=never)
        await house.reaches(S.IDLE)
        await until(lambda: server.client_count == 3)
        await watches(house, "INBOX", "busy", "calm")
        for name in ("calm", "busy", "INBOX"):
            total = house.control.account_status("work").total
            user.find(name).deliver(MAIL, internal_date=4_000_000_001)
            await until(lambda total=total: house.control.account_status("work").total == total + 1)
        assert house.connects == 3
        assert {None, frozenset({"calm"}), frozenset({"busy"})} <= set(house.passes)
        assert house.control.account_status("work").reason is None


async def test_two_connections_are_one_line_and_a_reserve(
    open_house, imap_account, user, never, until
) -> None:
    async with ImapServer([user]) as server:
        house = await open_house(imap_account(server.port, max_connections=2), pace=never)
        await house.reaches(S.IDLE)
        await watches(house, "INBOX")
        await asyncio.sleep(0.2)
        assert server.client_count == 1


async def test_server_with_one_connection_left_leaves_the_account_idle_and_says_so(
    open_house, scripted, boxes, imap_account, never, until, told
) -> None:
    logins = 0

    def login(tag: str, _: str) -> bytes:
        nonlocal logins
        logins += 1
        if logins == 1:
            return f"{tag} OK done\r\n".encode()
        return f"{tag} NO [LIMIT] too many connections\r\n".encode()

    scripted.on["LOGIN"] = login
    house = await open_house(imap_account(scripted.port), pace=never)
    await until(lambda: house.control.account_status("work").reason == "connections_limited")
    status = house.control.account_status("work")
    assert status.state is S.IDLE
    assert "too many connections" in status.detail
    assert logins == 2
    assert (await modes(house))["INBOX"] is WatchMode.IDLE
    await told(house, "idle", "connections_limited")


async def test_extra_login_that_is_refused_is_never_repeated_and_locks_nobody_out(
    open_house, scripted, boxes, imap_account, never, until
) -> None:
    """Some servers call a limit a wrong password; three of these would end the account."""
    accepted = 0

    def login(tag: str, _: str) -> bytes:
        nonlocal accepted
        accepted += 1
        if accepted % 2:
            return f"{tag} OK done\r\n".encode()
        return f"{tag} NO [AUTHENTICATIONFAILED] no\r\n".encode()

    scripted.on["LOGIN"] = login
    pace = replace(never, line_pause_seconds=0.05)
    house = await open_house(imap_account(scripted.port), pace=pace)
    for count in (2, 4, 6, 8):
        await until(lambda count=count: scripted.logins == count)
        await until(lambda: house.state() is S.IDLE)
        scripted.drop_all()
    await until(lambda: scripted.logins >= 9)
    await house.reaches(S.IDLE)
    assert "auth_failed" not in [state for state, _ in await house.states_told()]


async def test_last_token_of_the_login_bucket_is_the_main_lines(
    open_house, scripted, boxes, imap_account, never, until
) -> None:
    house = await open_house(imap_account(scripted.port), pace=replace(never, login_burst=2))
    await house.reaches(S.IDLE)
    await until(lambda: "IDLE" in scripted.commands)
    assert scripted.logins == 1
    scripted.drop_all()
    await until(lambda: scripted.logins == 2)


async def test_limit_is_tried_again_after_its_time(
    open_house, scripted, boxes, imap_account, never, until
) -> None:
    is_full = True
    logins = 0

    def login(tag: str, _: str) -> bytes:
        nonlocal logins
        logins += 1
        if logins > 1 and is_full:
            return f"{tag} NO [LIMIT] too many connections\r\n".encode()
        return f"{tag} OK done\r\n".encode()

    scripted.on["LOGIN"] = login
    house = await open_house(imap_account(scripted.port), pace=replace(never, line_pause_seconds=0.3))
    await until(lambda: house.control.account_status("work").reason == "connections_limited")
    is_full = False
    await until(lambda: "EXAMINE" in scripted.commands)
    await watches(house, "INBOX", "a", "b")
    await until(lambda: house.control.account_status("work").reason is None)


async def test_all_lines_end_with_the_account(open_house, imap_account, user, never, until) -> None:
    async with ImapServer([user]) as server:
        house = await open_house(imap_account(server.port), pace=never)
        await until(lambda: server.client_count == 3)
        await house.control.pause("work", wait_seconds=5)
        await until(lambda: server.client_count == 0)
        await watches(house)
        await house.control.resume("work", wait_seconds=5)
        await until(lambda: server.client_count == 3)


async def test_line_that_is_ended_before_its_first_step_leaves_no_connection_behind(
    open_house, imap_account, user, never, until
) -> None:
    loop = asyncio.get_running_loop()
    ended: list[asyncio.Task[object]] = []

    def make_task(loop, work, **options):
        task = asyncio.Task(work, loop=loop, **options)
        if not ended and work.__qualname__ == "WatchLines._run_line":
            ended.append(task)
            task.cancel()
        return task

    loop.set_task_factory(make_task)
    async with ImapServer([user]) as server:
        house = await open_house(imap_account(server.port, max_connections=4), pace=never)
        await watches(house, "INBOX", "busy", "calm")
        assert ended[0].cancelled()
        await until(lambda: server.client_count == 3)


async def test_line_goes_to_another_mailbox_when_its_own_is_gone(
    open_house, imap_account, user, never, until
) -> None:
    async with ImapServer([user]) as server:
        house = await open_house(imap_account(server.port, max_connections=3), pace=never)
        await watches(house, "INBOX", "busy")
        user.rename("busy", "zzz")
        for number in range(9):
            user.find("calm").deliver(MAIL, internal_date=4_000_000_002 + number)
        await house.control.request_sync("work", wait_seconds=5)
        await watches(house, "INBOX", "calm")
        assert house.control.account_status("work").reason is None


async def test_lost_line_is_judged_when_the_look_at_everything_has_ended(
    open_house, scripted, boxes, lines, imap_account, never, until
) -> None:
    """Its mailbox is gone, which the account finds out however long the look takes."""
    house = await open_house(imap_account(scripted.port, max_connections=3), pace=never)
    await watches(house, "INBOX", "a")
    await until(lambda: "a" in lines)
    lines.may_list.clear()
    del boxes.counts["a"]
    lines.drop("a")
    await until(lambda: any(entry["event"] == "line.lost" for entry in house.log.entries))
    await until(lambda: house.passes[-1] is None)
    await asyncio.sleep(0.2)
    assert not any(entry["event"] == "line.refused" for entry in house.log.entries)
    assert scripted.logins == 2
    lines.may_list.set()
    await watches(house, "INBOX", "b")
    assert house.control.account_status("work").reason is None


async def test_network_that_loses_one_line_after_the_other_is_no_limit(
    open_house, scripted, boxes, lines, imap_account, never, until
) -> None:
    """Silently dropped lines are found out by keepalives that are half a minute apart, the main line last."""
    clock = HandClock()
    house = await open_house(imap_account(scripted.port), pace=never, clock=clock)
    await watches(house, "INBOX", "a", "b")
    for name in ("a", "b"):
        await until(lambda name=name: name in lines)
        clock.ahead += 30
        lines.drop(name)
        await until(lambda name=name: name in lines)
        await watches(house, "INBOX", "a", "b")
    lines.may_list.clear()
    clock.ahead += 30
    lines.drop("a")
    await until(lambda: house.passes[-1] is None)
    clock.ahead += 30
    scripted.drop_all()
    lines.may_list.set()
    await until(lambda: house.connects >= 6)
    await watches(house, "INBOX", "a", "b")
    assert house.control.account_status("work").reason is None
    assert not any(entry["event"] == "line.refused" for entry in house.log.entries)


async def test_lines_that_are_lost_again_and_again_beside_a_sound_main_line_are_a_limit(
    open_house, scripted, boxes, imap_account, never, until
) -> None:
    """A server may drop the newest line without a word."""
    scripted.on["EXAMINE"] = lambda *_: None
    house = await open_house(imap_account(scripted.port, max_connections=3), pace=never)
    await until(lambda: house.control.account_status("work").reason == "connections_limited")
    await watches(house, "INBOX")
    assert scripted.logins == 1 + LOSSES_BLAMED
    assert house.passes.count(None) > LOSSES_BLAMED, "the main line was asked after each loss"
    assert house.connects == scripted.logins
