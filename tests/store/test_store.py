"""The store as a whole: opening, closing, losing files, effects over crashes."""

import asyncio
import os
import signal
import stat
import subprocess
import sys

import pytest

from daemon.model.clock import SystemClock
from daemon.model.errors import ConfigError, StoreError, StoreInUse
from daemon.model.flags import SEEN
from daemon.model.ids import INBOX
from daemon.model.mailbox import MailboxCounts
from daemon.model.message import MessageQuery
from daemon.model.operations import OperationKind, OperationState
from daemon.store.events import EventsGone
from daemon.store.store import Store
from tests.store.samples import (
    VALIDITY,
    WORK,
    arrival,
    event,
    fill,
    maildir_name,
    message_id,
    new_intent,
    new_message,
    operation,
    operation_id,
    tombstone,
)

OWNER = """
import asyncio, sys
from pathlib import Path
from daemon.model.clock import SystemClock
from daemon.store.store import Store

async def main():
    store = await Store.open(Path(sys.argv[1]), clock=SystemClock())
    print("open", flush=True)
    await asyncio.sleep(float(sys.argv[2]))
    await store.close()
    assert "alembic" not in sys.modules

asyncio.run(main())
"""


def start_owner(path, seconds):
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(path), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def end(process):
    process.wait()
    process.stdout.close()


async def test_new_store_is_private_and_has_nothing_to_tell(open_store, store_path):
    store = await open_store()
    assert stat.S_IMODE(store_path.stat().st_mode) == 0o750, "its group may reach the control socket"
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store_path.iterdir()}
    assert set(files.values()) == {0o600}, files
    assert (store.generation, store.was_index_rebuilt, store.generation_gap, store.findings) == (
        1,
        False,
        False,
        (),
    )
    assert len(store.store_id) == 32
    assert store.counts_of(WORK) == MailboxCounts(total=0, unread=0)


async def test_reopening_keeps_identity_and_raises_the_generation(open_store):
    first = await open_store()
    await first.close()
    await first.close()
    second = await open_store()
    assert (second.store_id, second.epoch) == (first.store_id, first.epoch)
    assert second.generation == 2
    assert (second.findings, second.generation_gap) == ((), False)


async def test_store_of_another_process_is_refused_with_its_pid(store_path):
    owner = start_owner(store_path, 60)
    with pytest.raises(StoreInUse) as refused:
        await Store.open(store_path, clock=SystemClock())
    assert refused.value.pid == owner.pid
    owner.send_signal(signal.SIGKILL)
    end(owner)
    store = await Store.open(store_path, clock=SystemClock())
    assert (store.generation_gap, store.findings) == (False, ())
    await store.close()


async def test_store_waits_for_another_process_to_end(store_path):
    owner = start_owner(store_path, 0.5)
    store = await Store.open(store_path, clock=SystemClock(), lock_wait_seconds=30)
    await store.close()
    end(owner)
    assert owner.returncode == 0  # it also saw that alembic was not imported


async def test_lost_index_is_made_anew_under_a_new_epoch(open_store, store_path):
    store = await open_store()
    await fill(store, [1])
    await store.events.append(event())
    await store.intents.close([(await store.intents.open([new_intent(1)]))[0].id])
    old = store.events.latest_id
    await store.close()
    (store_path / "index.sqlite3").unlink()
    store = await open_store()
    assert store.was_index_rebuilt
    assert not store.generation_gap
    assert await store.mailboxes.list(WORK) == ()
    assert await store.intents.names(WORK, INBOX) == {maildir_name(1): message_id(1)}
    with pytest.raises(EventsGone):
        await store.events.since(old)
    (fresh,) = await store.events.append(event())
    assert int(fresh.id.split("-")[1]) > int(old.split("-")[1])
    assert await store.events.since(None) == (fresh,)


@pytest.mark.parametrize("harm", ["garbage", "truncated", "zeros", "empty", "other"])
async def test_damaged_index_is_set_aside(open_store, store_path, harm):
    store = await open_store()
    await fill(store, range(1, 200))
    epoch = store.epoch
    await store.close()
    index = store_path / "index.sqlite3"
    octets = index.read_bytes()
    match harm:
        case "garbage":
            index.write_bytes(b"no database at all" * 1000)
        case "truncated":
            index.write_bytes(octets[:3000])
        case "zeros":
            index.write_bytes(bytes(len(octets)))
        case "empty":
            index.write_bytes(b"")
        case "other":
            index.unlink()
            other = await Store.open(store_path.with_name("other"), clock=SystemClock())
            await other.close()
            index.write_bytes((store_path.with_name("other") / "index.sqlite3").read_bytes())
    store = await open_store()
    assert store.was_index_rebuilt
    assert store.epoch != epoch
    assert await store.mailboxes.list(WORK) == ()
    aside = list(store_path.glob("index.damaged-20231114T221320Z.sqlite3"))
    if harm in ("garbage", "truncated", "other"):
        assert len(aside) == 1
        assert store.findings[0].startswith(("index_damaged", "index_foreign"))


async def test_damage_found_while_running_is_mended_at_the_next_start(open_store, store_path):
    """A flipped page is met as store_damaged, whoever meets it, and the next start sets the index aside."""
    store = await open_store()
    await fill(store, range(1, 2000))
    await store.close()
    store = await open_store()
    index = store_path / "index.sqlite3"
    with index.open("r+b") as file:
        for page in range(4, index.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)
    with pytest.raises(StoreError) as refused:
        await store.messages.page(MessageQuery())
    assert refused.value.reason == "store_damaged"
    with pytest.raises(StoreError) as refused:
        await store.base.confirm(WORK, INBOX, VALIDITY, [arrival(5000)])
    assert refused.value.reason == "store_damaged"
    await store.facts.set(None, "still", "alive")
    epoch = store.epoch
    await store.close()
    store = await open_store()
    assert store.was_index_rebuilt
    assert store.epoch != epoch
    assert await store.facts.get(None, "still") == "alive"


@pytest.mark.parametrize("harm", ["garbage", "empty", "missing"])
async def test_damaged_state_comes_back_from_its_copy(open_store, store_path, harm):
    store = await open_store()
    await store.facts.set(None, "kept", "yes")
    await store.close()
    store = await open_store()  # the copy is taken here
    epoch, store_id = store.epoch, store.store_id
    await store.facts.set(None, "lost", "yes")
    await fill(store, [1])
    await store.close()
    state = store_path / "state.sqlite3"
    match harm:
        case "garbage":
            state.write_bytes(b"no database at all" * 1000)
        case "empty":
            state.write_bytes(b"")
        case "missing":
            state.unlink()
    store = await open_store()
    assert store.store_id == store_id
    assert "state_restored: from the copy taken at the last start" in store.findings
    assert store.generation_gap
    assert store.epoch != epoch
    assert (await store.facts.get(None, "kept"), await store.facts.get(None, "lost")) == ("yes", None)
    assert store.counts_of(WORK).total == 1
    generation = store.generation
    await store.close()
    store = await open_store()
    assert (store.generation, store.generation_gap) == (generation + 1, False)


async def test_state_lost_with_its_copy_is_a_new_store(open_store, store_path):
    store = await open_store()
    await fill(store, [1])
    store_id = store.store_id
    await store.close()
    for name in ("state.sqlite3", "state.backup.sqlite3"):
        (store_path / name).write_bytes(b"no database at all" * 1000)
    store = await open_store()
    assert store.store_id != store_id
    assert store.was_index_rebuilt
    assert [finding.split(":")[0] for finding in store.findings] == ["state_damaged", "index_foreign"]


@pytest.mark.parametrize("name", ["index.sqlite3", "state.sqlite3", "state.backup.sqlite3"])
async def test_restored_file_is_a_generation_gap(open_store, store_path, name):
    """One of the files is older than the other; a restored copy alone is of no consequence."""
    store = await open_store()
    await store.close()
    old = (store_path / name).read_bytes()
    store = await open_store()
    epoch = store.epoch
    await store.close()
    (store_path / name).write_bytes(old)
    store = await open_store()
    is_gap = name != "state.backup.sqlite3"
    assert store.generation_gap is is_gap
    assert (store.epoch != epoch) is is_gap


async def test_newer_file_is_refused_and_left_alone(open_store, store_path):
    for name in ("index", "state"):
        store = await open_store()
        await store._writer.index(lambda _: None)
        work = lambda tx, name=name: tx.connection.exec_driver_sql(  # noqa: E731
            f"UPDATE alembic_version SET version_num = '{name}_9999'"
        )
        await (store._writer.index(work) if name == "index" else store._writer.state(work))
        await store.close()
        before = (store_path / f"{name}.sqlite3").read_bytes()
        with pytest.raises(StoreError) as refused:
            await open_store()
        assert refused.value.reason == "store_newer"
        assert (store_path / f"{name}.sqlite3").read_bytes() == before
        for file in store_path.iterdir():
            file.unlink()


async def test_directory_that_cannot_be_made_is_a_mistake_in_the_configuration(tmp_path, clock):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError) as refused:
        await Store.open(tmp_path / "file" / "store", clock=clock)
    (problem,) = refused.value.problems
    assert problem.key == "store.path"
    assert str(tmp_path / "file" / "store") in problem.problem
    assert problem.remedy


async def test_effects_that_missed_the_index_are_applied_at_the_next_start(open_store):
    """The state half of ask, finish and bury is durable; the index half never ran."""
    store = await open_store()
    await fill(store, range(1, 6))
    await store.operations.ask(operation(101, 1))
    await store.operations.ask(operation(102, 2))

    def no_connection():
        raise StoreError("the process died here")

    store._writer._index.connection = no_connection  # the index half cannot begin any more
    lost = [
        store.operations.finish(operation_id(101), OperationState.FAILED, events=[event()]),
        store.operations.ask(operation(103, 3)),
        store.operations.ask(operation(104, 4, OperationKind.FLAGS, add=frozenset({SEEN}))),
        store.tombstones.bury([tombstone(5)], [new_message(5)]),
    ]
    results = await asyncio.gather(*lost, return_exceptions=True)
    assert all(isinstance(result, StoreError) for result in results), results
    await store.close()

    store = await open_store()
    hidden = {number: (await store.messages.get(message_id(number))).is_hidden for number in range(1, 5)}
    assert hidden == {1: False, 2: True, 3: True, 4: False}
    assert (await store.messages.get(message_id(4))).flags == {SEEN}
    assert await store.messages.by_name(WORK, INBOX, maildir_name(5)) is None
    assert store.counts_of(WORK) == MailboxCounts(total=2, unread=1)
    names = [each.name.value for each in await store.events.since(None)]
    assert names == ["sync.finished", "message.new"]
    await store.close()
    store = await open_store()
    assert len(await store.events.since(None)) == 2


async def test_effect_committed_but_not_ticked_off_is_not_applied_twice(open_store):
    """The process died after the index commit, before the note in the state database was removed."""
    store = await open_store()
    await fill(store, [1])
    await store.tombstones.bury([tombstone(1)], [event()])
    note = "SELECT count(*) FROM handover"
    assert await store._readers.state(lambda c: c.exec_driver_sql(note).scalar()) == 1
    store._writer._applied.clear()  # as a kill would
    await store.close()
    store = await open_store()
    assert len(await store.events.since(None)) == 1
    await store.facts.set(None, "a", "b")
    assert await store._readers.state(lambda c: c.exec_driver_sql(note).scalar()) == 0
    await store.close()
    store = await open_store()
    applied = await store._readers.index(lambda c: c.exec_driver_sql("SELECT count(*) FROM applied").scalar())
    assert applied == 0


async def test_effect_that_failed_for_want_of_space_follows_by_itself(open_store):
    store = await open_store()
    await fill(store, range(1, 50))
    await limit(store, 0)
    with pytest.raises(StoreError) as refused:
        await store.tombstones.bury([tombstone(1)], [event(data={"long": "x" * 10_000}) for _ in range(20)])
    assert refused.value.reason == "disk_full"
    assert (await store.messages.get(message_id(1))).id == message_id(1)
    await limit(store, 1_000_000)
    await store.events.append(event())
    assert await store.messages.by_name(WORK, INBOX, maildir_name(1)) is None
    assert len(await store.events.since(None)) == 21


async def limit(store: Store, pages: int) -> None:
    """No more room in the index than it has (0), or this many pages."""

    def work(tx):
        most = pages or tx.connection.exec_driver_sql("PRAGMA page_count").scalar()
        tx.connection.exec_driver_sql(f"PRAGMA max_page_count = {most}").all()

    await store._writer.index(work)


async def test_full_disk_undoes_the_job_and_goes_on_when_there_is_room(store):
    await fill(store, range(1, 50))
    await limit(store, 0)
    with pytest.raises(StoreError) as refused:
        await fill(store, range(50, 2000))
    assert (refused.value.reason, bool(refused.value.remedy)) == ("disk_full", True)
    assert store.counts_of(WORK).total == 49
    assert len((await store.messages.page(MessageQuery(limit=1000))).items) == 49
    await store.facts.set(None, "state", "works")
    await limit(store, 1_000_000)
    await fill(store, range(50, 2000))
    assert store.counts_of(WORK).total == 1999


async def test_wishes_meet_messages_that_come_back(open_store, store_path):
    """After the index was lost, a message with a pending deletion comes back hidden, flags as wished."""
    store = await open_store()
    await fill(store, [1, 2])
    await store.operations.ask(operation(101, 1))
    await store.operations.ask(operation(102, 2, OperationKind.FLAGS, add=frozenset({SEEN})))
    await store.close()
    (store_path / "index.sqlite3").unlink()
    store = await open_store()
    await fill(store, [1, 2])
    assert [item.id for item in (await store.messages.page(MessageQuery())).items] == [message_id(2)]
    assert (await store.messages.get(message_id(2))).flags == {SEEN}
    assert store.counts_of(WORK) == MailboxCounts(total=1, unread=0)
    await store.operations.finish(operation_id(101), OperationState.FAILED)
    assert store.counts_of(WORK) == MailboxCounts(total=2, unread=1)


async def test_hidden_message_of_a_restored_index_is_shown_again(open_store, store_path):
    store = await open_store()
    await fill(store, [1])
    await store.operations.ask(operation(101, 1))
    await store.close()
    old = (store_path / "index.sqlite3").read_bytes()
    store = await open_store()
    await store.operations.finish(operation_id(101), OperationState.FAILED)
    await store.close()
    (store_path / "index.sqlite3").write_bytes(old)
    store = await open_store()
    assert store.generation_gap
    assert not (await store.messages.get(message_id(1))).is_hidden
    assert store.counts_of(WORK).total == 1


async def test_callbacks_are_told_of_commits(store):
    told = []
    store.on_commit(lambda: told.append(1))
    await store.facts.set(None, "a", "b")
    assert told == []
    await store.events.append(event())
    assert told == [1]


async def test_work_runs_in_the_named_pools(store):
    assert await store.run_in("files", os.getpid) == os.getpid()
    while store.busy_since is not None:
        await asyncio.sleep(0.001)


async def test_closed_store_refuses_work(store):
    await store.close()
    with pytest.raises(StoreError) as refused:
        await store.facts.set(None, "a", "b")
    assert refused.value.reason == "store_closed"


async def test_cancelled_opening_gives_the_lock_back(store_path, clock):
    held = await Store.open(store_path, clock=clock)
    waiting = asyncio.create_task(Store.open(store_path, clock=SystemClock(), lock_wait_seconds=60))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await held.close()
    store = await Store.open(store_path, clock=clock)
    await store.close()
