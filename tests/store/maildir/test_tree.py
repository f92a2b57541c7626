"""What the door itself does: work in the pools, not in the loop, and outcomes of many jobs as one."""

import asyncio
import errno
import os
import threading

import pytest

from daemon.model.errors import StoreError
from daemon.model.ids import INBOX, MailboxName


async def test_names_of_directories_follow_the_layout(garden):
    fs = garden.another(layout="fs")
    assert garden.tree.directory_of(INBOX) == "."
    assert fs.directory_of(INBOX) == "INBOX"
    assert garden.tree.mailbox_of(".A.B") == MailboxName("A/B")


async def test_no_file_is_touched_in_the_loop(garden, monkeypatch):
    """Every descriptor is opened by a thread of a named pool."""
    threads = set()
    real = os.open
    monkeypatch.setattr(
        os,
        "open",
        lambda *args, **options: (threads.add(threading.current_thread().name), real(*args, **options))[1],
    )
    (entry,) = await garden.deliver(b"x")
    await garden.tree.scan(".")
    await garden.tree.set_flags(".", entry.maildir_name, frozenset({"\\Seen"}))
    await garden.tree.content_of(".", entry.maildir_name)
    [_ async for _ in garden.tree.wire_chunks(".", entry.maildir_name)]
    await garden.tree.remove(".", [entry.maildir_name])
    assert threads
    assert all(name.startswith("store-") for name in threads)


async def test_sync_is_spread_and_waits_for_all_before_it_fails(garden, monkeypatch):
    """No thread may still sync when the caller hears of an error and closes the batch."""
    running = 0
    most = 0
    guard = threading.Lock()
    real = os.fsync
    first = threading.Event()

    def slow(fd: int) -> None:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.02)
        with guard:
            running -= 1
        if not first.is_set():
            first.set()
            raise OSError(errno.EIO, "Input/output error")
        real(fd)

    async with garden.tree.open_batch(".") as batch:
        staged = await batch.write_many([(b"x", 1)] * 24)
        monkeypatch.setattr(os, "fsync", slow)
        with pytest.raises(StoreError):
            await garden.tree.sync_staged(staged)
        assert running == 0
        assert most > 1
        monkeypatch.undo()


async def test_nothing_to_do_needs_nothing(garden):
    await garden.tree.sync_staged([])
    assert await garden.tree.publish(".", [], [], []) == []
    assert await garden.tree.set_many_flags(".", []) == []
    assert await garden.tree.remove(".", []) == frozenset()


async def test_batches_of_several_mailboxes_run_at_once(garden):
    for number in range(5):
        await garden.tree.ensure(f".M{number}")
    results = await asyncio.gather(
        *(garden.deliver(*[b"%d" % number] * 30, mailbox=f".M{number}") for number in range(5))
    )
    for number, entries in enumerate(results):
        found = await garden.tree.scan(f".M{number}")
        assert set(found.entries) == {entry.maildir_name for entry in entries}
