"""A POP3 account's rounds: polls on time and on demand, what happens in the tree in between, and every setback."""

import asyncio
import time
from dataclasses import replace

import pytest

from daemon.demo.mailbox import User
from daemon.demo.pop3.server import Pop3Server
from daemon.model.events import EventName
from daemon.model.jobs import JobState
from daemon.model.message import MessageQuery
from daemon.model.operations import OperationState
from daemon.model.states import AccountState as S
from daemon.model.states import WatchMode
from daemon.service.local_watch import LocalWatch
from daemon.store.maildir.tree import MaildirTree

OLD = "old"


def letter(number: int) -> bytes:
    return f"Subject: letter {number}\r\n\r\nhello\r\n".encode()


@pytest.fixture
async def server():
    user = User("me", "secret")
    user.inbox.deliver(letter(1), internal_date=1)
    async with Pop3Server([user]) as server:
        server.user = user
        server.said = []

        def watch(line: bytes) -> bytes | None:
            server.said.append(line.split(b" ")[0].upper())
            return None

        server.intervene = watch
        yield server


@pytest.fixture
def account(pop3_account, server):
    return pop3_account.model_copy(update={"port": server.port})


def polls(server) -> int:
    return server.said.count(b"QUIT")


async def shown(house) -> list[str]:
    page = await house.control.list_messages(MessageQuery(account=OLD, limit=100))
    return [message.content.envelope.subject for message in page.items]


async def test_account_is_polling_between_polls_with_the_time_of_the_next(
    open_house, account, server
) -> None:
    house = await open_house(account)
    await house.reaches(S.POLLING, account=OLD)
    status = house.control.account_status(OLD)
    assert status.protocol == "pop3"
    assert time.time() < status.retry_at <= time.time() + 1.2 * account.poll_interval_seconds
    assert await shown(house) == ["letter 1"]
    (mailbox,) = await house.control.list_mailboxes(OLD)
    assert (mailbox.watch, mailbox.counts.total) == (WatchMode.POLL, 1)
    assert mailbox.lag_seconds < 5


@pytest.mark.parametrize("is_watched", [True, False])
async def test_request_reads_directories_whose_stamp_is_the_same_only_where_the_tree_is_not_watched(
    open_house, account, server, monkeypatch, is_watched
) -> None:
    scanned = []
    scan = MaildirTree.scan

    async def counted(self, directory):
        scanned.append(directory)
        return await scan(self, directory)

    monkeypatch.setattr(MaildirTree, "scan", counted)
    if not is_watched:
        monkeypatch.setattr(LocalWatch, "is_watching", property(lambda self: False))
    house = await open_house(account)
    await house.reaches(S.POLLING, account=OLD)
    for _ in range(4):  # the first ones may still find what the download did
        scanned.clear()
        await house.control.request_sync(OLD, wait_seconds=10)
    assert bool(scanned) is not is_watched
    server.user.inbox.deliver(letter(2), internal_date=2)
    assert (await house.control.request_sync(OLD, wait_seconds=10)).result.downloaded == 1


async def test_request_polls_at_once_and_ends_when_the_poll_has(open_house, account, server) -> None:
    house = await open_house(account)
    await house.reaches(S.POLLING, account=OLD)
    server.user.inbox.deliver(letter(2), internal_date=2)
    job = await house.control.request_sync(OLD, wait_seconds=10)
    assert (job.state, job.result.downloaded) == (JobState.DONE, 1)
    told = await house.store.events.since(None, types={EventName.MESSAGE_NEW})
    assert [event.data["subject"] for event in told] == ["letter 2"]


async def test_schedule_wakes_it(open_house, account, server, until) -> None:
    house = await open_house(account)
    await house.reaches(S.POLLING, account=OLD)
    (job,) = house.service.schedule.jobs()
    assert job.interval_seconds == account.poll_interval_seconds
    before = polls(server)
    house.service.supervisor._runners[OLD].wake("schedule")
    await until(lambda: polls(server) == before + 1)


async def test_schedule_polls_again_and_again_by_itself(
    open_house, account, server, quick_pace, until
) -> None:
    often = account.model_copy(update={"poll_interval_seconds": 0.2})
    house = await open_house(often)
    await house.reaches(S.POLLING, account=OLD)
    await until(lambda: polls(server) >= 4)
    server.user.inbox.deliver(letter(2), internal_date=2)
    async with asyncio.timeout(10):
        while len(await shown(house)) < 2:
            await asyncio.sleep(0.01)


async def test_wakes_during_a_poll_are_one_poll_more(open_house, account, server, until) -> None:
    house = await open_house(account)
    await house.reaches(S.POLLING, account=OLD)
    runner = house.service.supervisor._runners[OLD]
    before = polls(server)
    for _ in range(20):
        runner.wake("schedule")
    await until(lambda: polls(server) == before + 1)
    await house.reaches(S.POLLING, account=OLD)
    await asyncio.sleep(0.2)
    assert polls(server) == before + 1


async def test_first_polls_of_many_accounts_are_spread_and_a_person_need_not_wait(
    open_house, account, server, quick_pace, until
) -> None:
    """The gate counts logins: without more, two hundred polls would go on side by side."""
    accounts = [account.model_copy(update={"id": f"a{number}"}) for number in range(5)]
    slow = replace(quick_pace, spread_per_account_seconds=1000, spread_cap_seconds=5000)
    house = await open_house(*accounts, pace=slow)
    await house.reaches(S.POLLING, account="a0")
    await asyncio.sleep(0.2)
    assert [house.state(one.id) for one in accounts[1:]] == [S.STARTING] * 4
    assert polls(server) == 1
    job = await house.control.request_sync("a3", wait_seconds=10)
    assert job.state is JobState.DONE
    assert (house.state("a3"), house.state("a4")) == (S.POLLING, S.STARTING)


async def test_paused_account_has_no_next_run_and_gets_one_when_it_goes_on(
    open_house, account, server, until
) -> None:
    house = await open_house(account)
    await house.reaches(S.POLLING, account=OLD)
    assert house.service.schedule.next_run_of(OLD) is not None
    await house.control.pause(OLD, wait_seconds=10)
    assert house.service.schedule.next_run_of(OLD) is None
    house = await open_house(account)
    await house.reaches(S.PAUSED, account=OLD)
    assert house.service.schedule.next_run_of(OLD) is None
    await house.control.resume(OLD, wait_seconds=10)
    await house.reaches(S.POLLING, account=OLD)
    next_run = house.service.schedule.next_run_of(OLD)
    assert time.time() < next_run <= time.time() + account.poll_interval_seconds
    assert house.control.account_status(OLD).retry_at == next_run


async def test_deletion_and_flags_over_the_api_stay_here(open_house, account, server, until) -> None:
    server.user.inbox.deliver(letter(2), internal_date=2)
    house = await open_house(account)
    await house.reaches(S.POLLING, account=OLD)
    page = await house.control.list_messages(MessageQuery(account=OLD, limit=10))
    first, second = page.items
    asked = await house.control.delete_message(first.id, wait_seconds=10)
    assert (asked.scope, asked.state) == ("local", OperationState.DONE)
    changed = await house.control.change_flags(
        second.id, add=frozenset({"\\Seen"}), remove=frozenset(), wait_seconds=10
    )
    assert (changed.scope, changed.state) == ("local", OperationState.DONE)
    await house.control.request_sync(OLD, wait_seconds=10)
    assert len(await shown(house)) == 1
    assert len(server.user.inbox.messages) == 2
    assert b"DELE" not in server.said


async def test_file_removed_in_the_tree_is_gone_at_once_without_a_poll(
    open_house, account, server, until
) -> None:
    house = await open_house(account)
    await house.reaches(S.POLLING, account=OLD)
    before = polls(server)
    (path,) = (house.store.path / "mail" / OLD / "new").iterdir()
    path.unlink()
    async with asyncio.timeout(10):
        while await shown(house):
            await asyncio.sleep(0.01)
    assert polls(server) == before


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        (b"-ERR [IN-USE] locked\r\n", S.THROTTLED, "throttled"),
        (b"-ERR [LOGIN-DELAY] too soon\r\n", S.THROTTLED, "throttled"),
        (b"-ERR [SYS/TEMP] try later\r\n", S.THROTTLED, "throttled"),
        (b"-ERR [SYS/PERM] POP is switched off\r\n", S.ERROR, "refused_lastingly"),
        (b"-ERR [AUTH] no\r\n", S.AUTH_FAILED, "auth_failed"),
    ],
)
async def test_refused_login_is_what_its_code_says(
    open_house, account, server, answer, state, reason
) -> None:
    """P6."""
    server.intervene = lambda line: answer if line.startswith((b"PASS", b"AUTH")) else None
    house = await open_house(account)
    await house.reaches(state, account=OLD)
    assert house.control.account_status(OLD).reason == reason
    assert house.control.account_status(OLD).retry_at is not None or state is S.AUTH_FAILED


async def test_wrong_password_that_is_politely_refused_is_sent_three_times_only(
    open_house, account, server, until
) -> None:
    said = b"-ERR Invalid username or password. Please try again.\r\n"
    attempts = []

    def answer(line: bytes) -> bytes | None:
        if not line.startswith((b"PASS", b"AUTH")):
            return None
        attempts.append(line)
        return said

    server.intervene = answer
    house = await open_house(account)
    await house.reaches(S.AUTH_FAILED, account=OLD)
    await until(lambda: house.control.account_status(OLD).retry_at is None)
    assert len(attempts) == 3


async def test_lasting_refusal_is_looked_at_again_but_rarely(open_house, account, server) -> None:
    """P6: no wrong password, and nothing that a few seconds would change."""
    said = b"-ERR [SYS/PERM] POP is switched off\r\n"
    server.intervene = lambda line: said if line.startswith((b"PASS", b"AUTH")) else None
    house = await open_house(account)
    await house.reaches(S.ERROR, account=OLD)
    status = house.control.account_status(OLD)
    assert "POP is switched off" in status.detail
    assert status.remedy
    assert 1800 < status.retry_at - time.time() <= 3600


@pytest.mark.parametrize("command", [b"UIDL", b"LIST"])
async def test_temporary_trouble_within_a_poll_is_given_time(open_house, account, server, command) -> None:
    """P6: an account that comes back within seconds makes a server's trouble worse."""

    def answer(line: bytes) -> bytes | None:
        return b"-ERR [SYS/TEMP] storage is away\r\n" if line in {b"UIDL", command} else None

    server.intervene = answer
    house = await open_house(account)
    await house.reaches(S.THROTTLED, S.OFFLINE, account=OLD)
    status = house.control.account_status(OLD)
    assert status.state is S.THROTTLED
    assert status.retry_at - time.time() > 30


async def test_lost_line_is_offline_and_tried_again(open_house, account, server, until) -> None:
    server.intervene = lambda line: b"" if line == b"STAT" else None
    house = await open_house(account)
    await house.reaches(S.OFFLINE, account=OLD)
    server.intervene = lambda line: None
    await house.reaches(S.POLLING, account=OLD)
    assert await shown(house) == ["letter 1"]


async def test_what_is_done_here_needs_no_server(open_house, account, server, quick_pace) -> None:
    """Neither a wish over the API nor a file that is removed waits for a server that is away."""
    server.user.inbox.deliver(letter(2), internal_date=2)
    house = await open_house(
        account, pace=replace(quick_pace, retry_first_seconds=3600.0, retry_cap_seconds=3600.0)
    )
    await house.reaches(S.POLLING, account=OLD)
    server.intervene = lambda line: b""
    await house.control.request_sync(OLD, wait_seconds=10)
    await house.reaches(S.OFFLINE, account=OLD)
    page = await house.control.list_messages(MessageQuery(account=OLD, limit=10))
    asked = await house.control.delete_message(page.items[0].id, wait_seconds=10)
    assert asked.state == OperationState.DONE
    (path,) = (house.store.path / "mail" / OLD / "new").iterdir()
    path.unlink()
    async with asyncio.timeout(10):
        while await shown(house):
            await asyncio.sleep(0.01)
    assert house.control.account_status(OLD).state is S.OFFLINE
    assert len(server.user.inbox.messages) == 2


async def test_file_removed_is_seen_where_the_server_was_away_from_the_start(
    open_house, account, server, quick_pace
) -> None:
    house = await open_house(account)
    await house.reaches(S.POLLING, account=OLD)
    server.intervene = lambda line: b""
    house = await open_house(
        account, pace=replace(quick_pace, retry_first_seconds=3600.0, retry_cap_seconds=3600.0)
    )
    await house.reaches(S.OFFLINE, account=OLD)
    assert await shown(house) == ["letter 1"]
    (path,) = (house.store.path / "mail" / OLD / "new").iterdir()
    path.unlink()
    async with asyncio.timeout(10):
        while await shown(house):
            await asyncio.sleep(0.01)
    assert house.control.account_status(OLD).state is S.OFFLINE


async def test_login_delay_is_obeyed_whoever_asks(open_house, account, server, until) -> None:
    capa = b"+OK\r\nUSER\r\nUIDL\r\nLOGIN-DELAY 1\r\n.\r\n"
    times: list[float] = []

    def answer(line: bytes) -> bytes | None:
        if line.startswith(b"PASS"):
            times.append(asyncio.get_running_loop().time())
        return capa if line == b"CAPA" else None

    server.intervene = answer
    house = await open_house(account)
    await house.reaches(S.POLLING, account=OLD)
    await house.control.request_sync(OLD, wait_seconds=10)
    assert len(times) == 2
    assert times[1] - times[0] >= 1.0


def saying(server, *capabilities: str, **answers: bytes):
    """Let the server say these capabilities, and count the passwords it gets."""
    capa = "".join(f"{line}\r\n" for line in ("USER", "UIDL", *capabilities)).encode()
    passwords: list[bytes] = []

    def answer(line: bytes) -> bytes | None:
        if line.startswith(b"PASS"):
            passwords.append(line)
        if line == b"CAPA":
            return b"+OK\r\n" + capa + b".\r\n"
        return answers.get(line.decode("ascii", "replace"))

    server.intervene = answer
    return passwords


@pytest.mark.parametrize("wish", ["reconnect", "pause and resume", "restart"])
async def test_login_delay_outlives_the_session_and_local_work_goes_on(
    open_house, account, server, wish: str
) -> None:
    """RFC 2449 §6.5: the server counts from the last login, whatever has become of us since."""
    passwords = saying(server, "LOGIN-DELAY 1000")
    house = await open_house(account)
    await house.reaches(S.POLLING, account=OLD)
    match wish:
        case "reconnect":
            await house.control.reconnect(OLD, wait_seconds=None)
        case "pause and resume":
            await house.control.pause(OLD, wait_seconds=10)
            await house.control.resume(OLD, wait_seconds=None)
        case _:
            house = await open_house(account)
    await house.reaches(S.THROTTLED, account=OLD)
    status = house.control.account_status(OLD)
    assert status.reason == "login_delay"
    assert 900 < status.retry_at - time.time() <= 1000
    page = await house.control.list_messages(MessageQuery(account=OLD, limit=10))
    operation = await house.control.delete_message(page.items[0].id, wait_seconds=10)
    assert operation.state is OperationState.DONE
    assert len(passwords) == 1


async def test_login_delay_outlives_an_error_and_the_status_says_so(
    open_house, account, server, quick_pace
) -> None:
    passwords = saying(server, "LOGIN-DELAY 1000", STAT=b"")
    house = await open_house(account, pace=replace(quick_pace, login_refill_seconds=0.05))
    await house.reaches(S.OFFLINE, account=OLD)
    assert 900 < house.control.account_status(OLD).retry_at - time.time() <= 1000
    await asyncio.sleep(0.5)
    assert house.state(OLD) is S.OFFLINE
    assert 900 < house.control.account_status(OLD).retry_at - time.time() <= 1000
    assert len(passwords) == 1


async def test_delay_longer_than_the_interval_is_told_and_holds_up_nothing_but_the_poll(
    open_house, account, server, until
) -> None:
    passwords = saying(server, "LOGIN-DELAY 1000")
    house = await open_house(account)
    await house.reaches(S.POLLING, account=OLD)
    status = house.control.account_status(OLD)
    assert status.reason == "login_delay"
    assert 900 < status.retry_at - time.time() <= 1000
    house.service.supervisor._runners[OLD].wake("schedule")
    asked = await house.control.request_sync(OLD, wait_seconds=0.1)
    assert asked.state is JobState.RUNNING
    page = await house.control.list_messages(MessageQuery(account=OLD, limit=10))
    operation = await house.control.delete_message(page.items[0].id, wait_seconds=10)
    assert operation.state is OperationState.DONE
    assert await shown(house) == []
    status = house.control.account_status(OLD)
    assert status.state is S.POLLING
    assert 900 < status.retry_at - time.time() <= 1000
    assert len(passwords) == 1


async def test_person_who_asks_in_a_loop_is_served_at_the_pace_of_servers(
    open_house, account, server, quick_pace
) -> None:
    passwords = saying(server)
    house = await open_house(account, pace=replace(quick_pace, poll_burst=2))
    await house.reaches(S.POLLING, account=OLD)
    assert (await house.control.request_sync(OLD, wait_seconds=10)).state is JobState.DONE
    assert (await house.control.request_sync(OLD, wait_seconds=0.3)).state is JobState.RUNNING
    assert len(passwords) == 2
    status = house.control.account_status(OLD)
    assert status.state is S.POLLING
    assert time.time() < status.retry_at <= time.time() + 60
    assert (await house.control.reconnect(OLD, wait_seconds=10)).state is JobState.DONE
    assert len(passwords) == 3


async def test_server_that_removes_mail_by_itself_is_told_of(open_house, account, server) -> None:
    saying(server, "EXPIRE 30")
    house = await open_house(account)
    await house.reaches(S.POLLING, account=OLD)
    status = house.control.account_status(OLD)
    assert status.reason == "server_removes_mail"
    assert "after 30 days" in status.detail
    assert status.remedy
    assert house.control.is_account_healthy(OLD)
    told = [entry for entry in house.log.entries if entry["event"] == "maildrop.expires"]
    assert [entry["days"] for entry in told] == [30]
    await house.control.request_sync(OLD, wait_seconds=10)
    assert len([entry for entry in house.log.entries if entry["event"] == "maildrop.expires"]) == 1


async def test_expiry_is_no_news_where_we_remove_mail_ourselves(open_house, account, server) -> None:
    saying(server, "EXPIRE 0")
    house = await open_house(account.model_copy(update={"leave_on_server": False}))
    await house.reaches(S.POLLING, account=OLD)
    assert house.control.account_status(OLD).reason is None


async def test_paused_account_does_not_poll_and_goes_on_when_resumed(open_house, account, server) -> None:
    house = await open_house(account)
    await house.reaches(S.POLLING, account=OLD)
    await house.control.pause(OLD, wait_seconds=10)
    before = polls(server)
    assert (await house.control.request_sync(OLD, wait_seconds=1)).state is JobState.FAILED
    assert polls(server) == before
    server.user.inbox.deliver(letter(2), internal_date=2)
    await house.control.resume(OLD, wait_seconds=10)
    await house.reaches(S.POLLING, account=OLD)
    assert len(await shown(house)) == 2


async def test_removal_of_many_is_told_in_the_status_before_it_begins(open_house, account, server) -> None:
    for number in range(2, 103):
        server.user.inbox.deliver(letter(number), internal_date=number)
    house = await open_house(account.model_copy(update={"leave_on_server": False}))
    await house.reaches(S.POLLING, account=OLD)
    assert house.control.account_status(OLD).reason == "removal_announced"
    assert len(server.user.inbox.messages) == 102
    await house.control.request_sync(OLD, wait_seconds=30)
    assert len(server.user.inbox.messages) == 0
    assert house.control.account_status(OLD).reason is None


async def test_restart_goes_on_where_it_was(open_house, account, server, quick_pace) -> None:
    house = await open_house(account)
    await house.reaches(S.POLLING, account=OLD)
    server.said.clear()
    house = await open_house(account, pace=replace(quick_pace, login_burst=5))
    await house.reaches(S.POLLING, account=OLD)
    assert b"RETR" not in server.said
    assert await shown(house) == ["letter 1"]
