"""kill -9 before every commit of a history: what was told is kept, what was begun is whole, nothing is doubled."""

import subprocess
import sys
from pathlib import Path

import pytest

from daemon.model.events import EventName
from daemon.model.flags import SEEN
from daemon.model.ids import INBOX
from daemon.model.operations import OperationKind, OperationState
from daemon.store.store import Store
from tests.store.samples import (
    VALIDITY,
    WORK,
    HandClock,
    arrival,
    event,
    ids_of,
    maildir_name,
    message_id,
    new_message,
    operation_id,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stores(tmp_path_factory) -> list[Path]:
    home = tmp_path_factory.mktemp("crash")
    child = subprocess.run(
        [sys.executable, "-m", "tests.store.crash_child", str(home)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    return [Path(line) / "store" for line in child.stdout.split("\n") if line]


async def test_every_commit_of_the_history_was_killed(stores):
    assert len(stores) > 20


async def test_store_opens_after_each_kill_and_keeps_its_promises(stores):
    for path in stores:
        told = (path.parent / "told").read_text() if (path.parent / "told").exists() else ""
        store = await Store.open(path, clock=HandClock())
        try:
            await keeps_its_promises(store, told)
        except AssertionError as error:
            raise AssertionError(f"{path}, told {told!r}: {error}") from error
        finally:
            await store.close()


async def keeps_its_promises(store: Store, told: str) -> None:
    assert (store.generation_gap, store.findings) == (False, ()), "nothing was restored or damaged"
    assert not store.was_index_rebuilt or not told
    pending = {each.id: each for each in await store.operations.pending(WORK)}
    intents = await store.intents.pending(WORK)
    view = await store.base.load(WORK, INBOX)
    held = {entry.message_id: entry for entry in view.entries}
    names = await store.intents.names(WORK, INBOX)
    buried = await store.tombstones.find(WORK, INBOX)
    if "intents" in told and "confirmed" not in told:
        assert len(intents) == 4, "intents are durable before the act"
    if "closed" in told:
        assert not intents
    if "confirmed" in told:
        assert set(held) >= {message_id(number) for number in (1, 2, 3)}
    if held:
        assert len(held) == (3 if buried else 4), "a batch is whole or not there"

    if operation_id(101) in pending or "asked" in told:
        standing = await store.operations.get(operation_id(101))
        is_pending = standing.state is OperationState.PENDING
        message = await store.messages.get(message_id(1))
        assert message.is_hidden is is_pending, "the effect follows its cause"
    if operation_id(102) in pending:
        assert pending[operation_id(102)].kind is OperationKind.FLAGS
        assert (await store.messages.get(message_id(2))).flags == {SEEN}
    if buried or "buried" in told:
        assert list(buried) == [maildir_name(4)]
        assert message_id(4) not in held
        assert maildir_name(4) not in names
    assert "buried" not in told or buried

    written = await store.events.since(None)
    ids = [each.id for each in written]
    assert ids == sorted(set(ids))
    for line in told.splitlines():
        if " " in line:
            assert line.split()[1] in ids, "an event that was told is there"
    assert sum(each.name is EventName.MESSAGE_NEW for each in written) == (4 if held else 0)
    assert len(written) <= 7, "no effect was applied twice"
    counts = store.counts_of(WORK)
    hidden = sum([(await store.messages.get(each)).is_hidden for each in held])
    assert counts.total == len(held) - hidden

    # Going on, and doing again what was not told of, changes nothing that was there.
    if held:
        await store.base.confirm(
            WORK, INBOX, VALIDITY, [arrival(number) for number in (1, 2, 3)], [new_message(1)]
        )
        await store.intents.close(ids_of(intents))
        assert store.counts_of(WORK).total == counts.total
    (later,) = await store.events.append(event())
    assert all(later.id > each for each in ids), "no event id comes twice"
    assert [each.id for each in await store.events.since(None)] == [*ids, later.id]
