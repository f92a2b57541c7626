"""What a program changes in the tree reaches the server at once, with no scheduled pass, and ends quiet."""

import asyncio
import errno
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from inotify_simple import INotify

from daemon.model.events import EventName
from daemon.model.ids import AccountId, MailboxName
from daemon.model.local_news import LocalNews
from daemon.model.mailbox import MailboxRecord
from daemon.model.states import AccountState as S
from daemon.service.local_watch import RETRY_SECONDS, LocalWatch
from daemon.service.wakes import Agenda, WakeReason, Wakes
from daemon.store.maildir.tree import MaildirTree
from daemon.store.watch_events import EVERYTHING_CHANGED, LocalChange

pytestmark = pytest.mark.dovecot
WORK = AccountId("work")
FIRST = b"Subject: first\r\n\r\nbody\r\n"


@pytest.fixture
def lazy_pace(quick_pace):
    """No scheduled pass within a test."""
    return replace(quick_pace, pass_interval_seconds=3600.0)


@pytest.fixture
def tree(tmp_path) -> Path:
    return tmp_path / "store" / "mail" / "work"


@pytest.fixture
def open_watching(open_house, dovecot, imap_account, lazy_pace):
    """Start the service and wait until it has seen its own deliveries and rests."""

    async def start(*, pace=lazy_pace, **settings):
        house = await open_house(imap_account(dovecot.port, username=dovecot.user, **settings), pace=pace)
        await rests(house)
        return house

    return start


async def rests(house, seconds: float = 15.0) -> None:
    """Return when the account watches and no pass has begun for a while."""
    deadline = time.monotonic() + seconds
    count = -1
    while count != len(house.passes) or house.state() is not S.IDLE:
        assert time.monotonic() < deadline, (
            house.passes,
            [e for e in house.log.entries if e["log_level"] in ("error", "warning")],
        )
        count = len(house.passes)
        await asyncio.sleep(0.2)


async def on_server(condition, seconds: float = 10.0) -> None:
    """Return when a second client of the server sees it."""
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def only_file(directory: Path) -> Path:
    [file] = [*(directory / "new").iterdir(), *(directory / "cur").iterdir()]
    return file


def mark(file: Path, letters: str) -> Path:
    target = file.parent.parent / "cur" / f"{file.name.partition(':')[0]}:2,{letters}"
    return file.rename(target)


async def test_flag_set_in_the_tree_reaches_the_server(open_watching, dovecot, tree) -> None:
    dovecot.append(FIRST)
    house = await open_watching()
    mark(only_file(tree), "S")
    await on_server(lambda: "\\Seen" in (dovecot.flags_of(1) or ""))
    await rests(house)
    assert all(only == {"INBOX"} for only in house.passes[-2:])


async def test_file_deleted_in_the_tree_is_expunged(open_watching, dovecot, tree) -> None:
    dovecot.append(FIRST)
    await open_watching()
    only_file(tree).unlink()
    await on_server(lambda: dovecot.flags_of(1) is None)


async def test_file_put_into_cur_is_uploaded(open_watching, dovecot, tree) -> None:
    house = await open_watching()
    (tree / "cur" / "1700000000.M1P1.elsewhere:2,F").write_bytes(b"Subject: draft\n\nmine\n")
    await on_server(lambda: "\\Flagged" in (dovecot.flags_of(1) or ""))
    await rests(house)
    assert dovecot.flags_of(2) is None


async def test_change_during_a_pass_causes_another(open_watching, dovecot, tree) -> None:
    for number in range(20):
        dovecot.append(b"Subject: %d\r\n\r\nbody\r\n" % number)
    house = await open_watching()
    for file in list((tree / "new").iterdir()):
        mark(file, "S")
        await asyncio.sleep(0.005)
    await on_server(lambda: all("\\Seen" in dovecot.flags_of(uid) for uid in range(1, 21)))
    await rests(house)
    assert len(house.passes) < 30


async def test_move_between_mailboxes_is_looked_at_in_one_pass(open_watching, dovecot, tree) -> None:
    dovecot.append(FIRST)
    client = dovecot.open()
    client.create("Lists")
    client.logout()
    house = await open_watching()
    file = only_file(tree)
    begun = len(house.passes)
    file.rename(tree / ".Lists" / "cur" / f"{file.name}:2,S")
    await on_server(lambda: dovecot.flags_of(1) is None and "\\Seen" in (dovecot.flags_of(1, "Lists") or ""))
    await rests(house)
    assert house.passes[begun] == {"INBOX", "Lists"}
    assert (len(list((tree / "cur").iterdir())), len(list((tree / ".Lists" / "cur").iterdir()))) == (0, 1)


async def test_own_deliveries_end_quiet(open_watching, dovecot, tree, until) -> None:
    """A pass that writes is told by the watch; the pass that follows writes nothing, and nothing follows it."""
    house = await open_watching()
    begun = len(house.passes)
    for count in (1, 2, 3):
        await asyncio.to_thread(dovecot.append, b"Subject: %d\r\n\r\nbody\r\n" % count)
        await until(lambda wanted=count: len(list((tree / "new").iterdir())) == wanted)
        await rests(house)
    assert len(house.passes) - begun <= 3 * 3
    begun = len(house.passes)
    await asyncio.sleep(0.5)
    assert len(house.passes) == begun


async def test_burst_of_renames_is_few_passes(open_watching, dovecot, tree, until) -> None:
    client = dovecot.open()
    for number in range(200):
        client.append("INBOX", "", None, b"Subject: %d\r\n\r\nbody\r\n" % number)
    client.logout()
    house = await open_watching()
    begun = len(house.passes)
    for file in list((tree / "new").iterdir()):
        mark(file, "S")
    await until(lambda: len(house.passes) > begun)
    await rests(house)
    assert len(house.passes) - begun <= 10
    await on_server(lambda: all("\\Seen" in dovecot.flags_of(uid) for uid in (1, 100, 200)))


async def test_loop_of_unlinks_is_held_after_fifty_however_many_passes_it_meets(
    open_watching, dovecot, tree
) -> None:
    """Sync.md 13: `rm cur/*` is many small deletions to a watch; the window adds them up over the passes."""
    count = 120
    client = dovecot.open()
    for number in range(count):
        client.append("INBOX", "", None, b"Subject: %d\r\n\r\nbody\r\n" % number)
    client.logout()
    house = await open_watching()
    begun = len(house.passes)
    for number, file in enumerate(list((tree / "new").iterdir())):
        file.unlink()
        # A tree that changes without a pause proves nothing missing: a slow loop is what slips through in parts.
        await asyncio.sleep(0.01 if number % 15 else 0.3)
    await house.reaches(S.HELD)
    assert len(house.passes) - begun > 2, "passes ran while the files went"
    job = await house.control.request_sync("work", wait_seconds=20)
    client = dovecot.open()
    left = int(client.select("INBOX", readonly=True)[1][0])
    client.logout()
    assert count - 50 <= left < count
    assert job.result.held == left
    [held] = house.control.held_deletions("work")
    assert (held.mailbox, held.count) == ("INBOX", left)
    status = house.control.account_status("work")
    assert (status.state, status.reason) == (S.HELD, "deletion_held")
    told = await house.store.events.since(None, limit=1000, types=[EventName.DELETION_HELD])
    assert [(event.mailbox, event.data["side"]) for event in told] == [("INBOX", "there")]


@pytest.fixture
def listed(monkeypatch) -> list[str]:
    """The directories whose files were listed whole."""
    directories: list[str] = []
    scan = MaildirTree.scan

    async def noted(self, directory):
        directories.append(directory)
        return await scan(self, directory)

    monkeypatch.setattr(MaildirTree, "scan", noted)
    return directories


async def test_change_of_one_file_costs_no_listing(open_watching, dovecot, tree, until, listed) -> None:
    for number in range(4):
        dovecot.append(b"Subject: %d\r\n\r\nbody\r\n" % number)
    house = await open_watching()
    listed.clear()
    first, second, *_ = sorted((tree / "new").iterdir())
    mark(first, "S")
    await on_server(lambda: any("\\Seen" in dovecot.flags_of(uid) for uid in range(1, 5)))
    second.unlink()
    await on_server(lambda: any(dovecot.flags_of(uid) is None for uid in range(1, 5)))
    (tree / "cur" / "1700000000.M1P1.elsewhere:2,F").write_bytes(b"Subject: draft\n\nmine\n")
    await on_server(lambda: "\\Flagged" in (dovecot.flags_of(5) or ""))
    dovecot.append(b"Subject: last\r\n\r\nbody\r\n")
    await until(lambda: len([*(tree / "new").iterdir(), *(tree / "cur").iterdir()]) == 5)
    await rests(house)
    assert listed == []


async def test_removal_of_many_files_is_held(open_watching, dovecot, tree, until) -> None:
    client = dovecot.open()
    for number in range(300):
        client.append("INBOX", "", None, b"Subject: %d\r\n\r\nbody\r\n" % number)
    client.logout()
    house = await open_watching(deletion_limit=0.25)
    for file in list((tree / "new").iterdir())[:200]:
        file.unlink()
    await until(lambda: house.state() is S.HELD)
    client = dovecot.open()
    assert int(client.select()[1][0]) >= 250
    client.logout()


async def test_excluded_mailbox_is_not_looked_at(open_watching, dovecot, tree) -> None:
    """sync.md 11: what was kept once and is excluded now is frozen, whatever happens in its directory."""
    client = dovecot.open()
    client.create("Lists")
    client.logout()
    dovecot.append(FIRST, "Lists")
    await open_watching()
    house = await open_watching(exclude=("Lists",))
    begun = len(house.passes)
    mark(only_file(tree / ".Lists"), "S")
    await rests(house)
    assert house.passes[begun:] == []
    assert "\\Seen" not in dovecot.flags_of(1, "Lists")


async def test_adopted_tree_is_watched_from_the_first_pass_on(open_watching, dovecot, tree) -> None:
    """Its directories were there before any mailbox was known."""
    for part in ("tmp", "new", "cur"):
        (tree / part).mkdir(parents=True)
    dovecot.append(FIRST)
    await open_watching()
    mark(only_file(tree), "S")
    await on_server(lambda: "\\Seen" in (dovecot.flags_of(1) or ""))


async def test_new_mailbox_in_the_tree_asks_for_a_look_at_everything(open_watching, tree) -> None:
    house = await open_watching()
    begun = len(house.passes)
    for part in ("tmp", "new", "cur"):
        (tree / ".Fresh" / part).mkdir(parents=True)
    await rests(house)
    assert None in house.passes[begun:]


@pytest.fixture
def exhausted(monkeypatch) -> list[str]:
    """As on a machine whose watches are all taken; the paths that were asked for."""
    asked: list[str] = []

    def refuse(self, path, mask):
        asked.append(path)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(INotify, "add_watch", refuse)
    return asked


async def test_watch_limit_is_shown_and_the_schedule_finds_changes(
    open_watching, dovecot, tree, lazy_pace, exhausted
) -> None:
    dovecot.append(FIRST)
    house = await open_watching(pace=replace(lazy_pace, pass_interval_seconds=0.5))
    status = house.control.account_status("work")
    assert (status.state, status.reason) == (S.IDLE, "watch_limit")
    assert "by schedule" in status.detail
    assert "max_user_watches" in status.remedy
    mark(only_file(tree), "S")
    await on_server(lambda: "\\Seen" in (dovecot.flags_of(1) or ""))
    told = [entry for entry in house.log.entries if entry["event"] == "tree.watch_failed"]
    assert [(entry["reason"], entry["log_level"]) for entry in told] == [("watch_limit", "warning")]


async def test_paused_account_gives_its_watches_back(open_watching, dovecot, tree) -> None:
    dovecot.append(FIRST)
    house = await open_watching()
    assert inotify_descriptors() == 1
    await house.control.pause("work", wait_seconds=5)
    assert inotify_descriptors() == 0
    mark(only_file(tree), "S")
    await house.control.resume("work", wait_seconds=5)
    await on_server(lambda: "\\Seen" in (dovecot.flags_of(1) or ""))
    assert inotify_descriptors() == 1
    await house.service.stop()
    assert inotify_descriptors() == 0


@pytest.fixture
async def alone(open_house, tree, imap_account, fake_clock):
    """A watch by itself, on a store whose service was stopped: the watch, its wakes and its log."""
    for part in ("tmp", "new", "cur"):
        (tree / part).mkdir(parents=True)
    house = await open_house()
    wakes = Wakes()
    watch = LocalWatch(
        settings=imap_account(1),
        store=house.store,
        tree=MaildirTree(
            tree, layout="maildir++", account=WORK, store_id=house.store.store_id, pools=house.store.pools
        ),
        wakes=wakes,
        clock=fake_clock,
        log=structlog.wrap_logger(None, processors=[house.log], wrapper_class=structlog.BoundLogger),
    )
    yield watch, wakes, house
    await watch.stop()


async def test_watch_limit_is_tried_again_now_and_then(alone, fake_clock, exhausted) -> None:
    watch, _, house = alone
    for _ in range(3):
        await watch.ensure()
    assert len(exhausted) == 1
    for _ in range(3):
        fake_clock.advance(RETRY_SECONDS + 1)
        await watch.ensure()
        await watch.ensure()
    assert len(exhausted) == 4
    assert [entry["event"] for entry in house.log.entries].count("tree.watch_failed") == 1


async def test_overflow_wakes_everything_and_is_logged(alone) -> None:
    watch, wakes, house = alone
    await watch.ensure()
    watch._note(EVERYTHING_CHANGED)
    assert wakes.take().is_everything
    assert house.log.entries[-1]["event"] == "tree.watch_overflowed"


async def test_change_in_a_directory_not_yet_known_is_remembered(alone) -> None:
    """Its mailbox gets a record in the pass that runs: the wake comes when that is known."""
    watch, wakes, house = alone
    watch._note(LocalChange(directories=frozenset({".Lists"})))
    await watch.refresh()
    assert wakes.take().is_empty
    await house.store.mailboxes.save(
        MailboxRecord(
            account=WORK, name=MailboxName("Lists"), wire_name=b"Lists", delimiter="/", directory=".Lists"
        )
    )
    await watch.refresh()
    news = LocalNews(unknown=frozenset({"Lists"}))
    assert wakes.take() == Agenda(frozenset({"Lists"}), frozenset({WakeReason.LOCAL}), news)
    await watch.refresh()
    assert wakes.take().is_empty


def inotify_descriptors() -> int:
    links = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
    return sum("inotify" in os.readlink(link) for link in links if os.path.islink(link))
