"""Stop at every await-step of a pass that does a bit of everything; start afresh: the same end, and then nothing more.

The store's rooms, the tree and the client are the real ones; each of their awaited calls is a step, before which the
run can end as if the process had died: from then on no further call of it comes through.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.model.events import EventName
from daemon.model.flags import ANSWERED, DELETED, FLAGGED, SEEN
from daemon.model.ids import MaildirName
from daemon.model.local_news import FileEvent, FileNews, LocalNews
from daemon.model.operations import OperationKind
from daemon.model.settings import DeleteRule
from daemon.model.views import BaseState
from tests.sync.stage import INBOX, agree, ask, entries, events, letter, messages, open_stage, put, sha
from tests.sync.steps import Steps, Stopped

NEWS = (EventName.MESSAGE_NEW, EventName.MESSAGE_MOVED, EventName.MESSAGE_DELETED, EventName.OP_APPLIED)


async def watch(bridge, steps: Steps) -> None:
    """Everything the engine awaits, from here on."""
    store, tree = bridge.store, bridge.tree
    client = await bridge.connect()
    for target in (
        store.base, store.messages, store.intents, store.operations, store.tombstones, store.facts,
        store.mailboxes, store.events, tree, client,
    ):  # fmt: skip
        steps.interpose(target)
    steps.interpose_iterator(client, "fetch_bodies")
    steps.interpose_iterator(tree, "wire_chunks")
    open_batch = tree.open_batch

    def counted_batch(directory):
        batch = open_batch(directory)
        batch.write_many = steps.call(batch.write_many)
        return batch

    tree.open_batch = counted_batch


@dataclass(frozen=True)
class Case:
    """One server and one rule, and how the pass ends there. `is_partial`: it looks only at what a watch has told it of."""

    without: tuple[str, ...] = ()
    rule: DeleteRule = DeleteRule.EXPUNGE
    is_partial: bool = False


def at_first(stage) -> None:
    stage.trash()
    stage.user.create("Archive")
    stage.deliver(*(letter(number) for number in range(8)))


def meanwhile_there(stage) -> None:
    stage.deliver(letter(20), letter(21))
    stage.box().set_flags(1, frozenset({FLAGGED}))
    stage.box().expunge([2])
    stage.move(8, "INBOX", "Archive", flags={SEEN})


async def meanwhile_here(case: Case, bridge, ids) -> LocalNews:
    """Changes of files and wishes; gives what a watch would tell. A move is looked at whole, whoever tells of it."""
    files = {path.read_bytes(): path for path in (await bridge.files()).values()}
    root = bridge.tree.root
    answered = files[letter(2)]
    answered = answered.rename(root / "cur" / f"{name_of(answered)}:2,RS")
    gone = files[letter(3)]
    gone.unlink()
    moved = files[letter(4)]
    if not case.is_partial:
        moved.rename(root / ".Archive" / "cur" / f"{name_of(moved)}:2,S")
    followed = files[letter(7)]
    followed = followed.rename(root / "cur" / f"{name_of(followed)}:2,F")
    fresh = put(bridge, "50.me", letter(50), letters="F")
    await ask(bridge, ids["letter 5"])
    await ask(bridge, ids["letter 6"], kind=OperationKind.FLAGS, add={FLAGGED})
    told = {
        name_of(answered): FileNews(FileEvent.RENAMED, f"cur/{answered.name}"),
        name_of(followed): FileNews(FileEvent.RENAMED, f"cur/{followed.name}"),
        name_of(gone): FileNews(FileEvent.UNLINKED, f"new/{gone.name}"),
        name_of(fresh): FileNews(FileEvent.ARRIVED, f"cur/{fresh.name}"),
    }
    return LocalNews(files={INBOX: told})


def name_of(path: Path) -> MaildirName:
    return MaildirName(path.name.partition(":")[0])


async def prepare(case: Case, path: Path) -> dict[str, str]:
    """A store that agrees with the server at first; gives the ids by subject."""
    async with open_stage(path, without=case.without) as stage, stage.bridge(delete=case.rule) as bridge:
        at_first(stage)
        await bridge.sync()
        return {one.content.envelope.subject: one.id for one in await messages(bridge)}


async def run(case: Case, template: Path, path: Path, ids, last: int | None) -> list[str]:
    """One life: changes on both sides, a pass that stops, a fresh start. Gives the steps of the pass."""
    shutil.copytree(template / "store", path / "store")
    steps = Steps(last)
    async with open_stage(path, without=case.without) as stage:
        at_first(stage)
        async with stage.bridge(delete=case.rule) as bridge:
            meanwhile_there(stage)
            news = await meanwhile_here(case, bridge, ids)
            await bridge.engine.recover()
            await watch(bridge, steps)
            with contextlib.suppress(Stopped):
                await (bridge.run_pass(only={INBOX}, news=news) if case.is_partial else bridge.run_pass())
        async with stage.bridge(delete=case.rule) as bridge:
            await bridge.sync()
            await check(case, bridge, stage, ids)
    return steps.names


async def check(case: Case, bridge, stage, ids) -> None:
    there = {sha(message.octets): message.flags for message in stage.box().messages.values()}
    moved = () if case.is_partial else (4,)
    living = {letter(number) for number in (0, 2, 4, 6, 20, 21, 50) if number not in moved}
    marked = {sha(letter(number)) for number in (3, 5)} if case.rule is DeleteRule.MARK else set()
    assert set(there) == {sha(octets) for octets in living} | marked
    assert len(stage.box().messages) == len(there), "nothing twice"
    assert all(DELETED in there[digest] for digest in marked)
    assert there[sha(letter(0))] == {FLAGGED}
    assert there[sha(letter(2))] == {ANSWERED, SEEN}
    assert there[sha(letter(6))] == {FLAGGED}
    assert there[sha(letter(50))] == {FLAGGED}
    archived = sorted(map(sha, map(letter, (*moved, 7))))
    assert stage.there("Archive") == archived
    kept = {sha(message.octets): message.flags for message in stage.box("Archive").messages.values()}
    assert kept[sha(letter(7))] == {FLAGGED, SEEN}, "both sides' flags"
    assert sum(one in stage.there("Trash") for one in map(sha, map(letter, (3, 5)))) == (
        2 if case.rule is DeleteRule.TRASH else 0
    )
    assert await bridge.digests() == sorted(map(sha, living))
    assert await bridge.digests("Archive") == archived
    known = {one.content.envelope.subject: one for one in await messages(bridge)}
    for subject in ("letter 0", "letter 2", "letter 4", "letter 6", "letter 7"):
        assert known[subject].id == ids[subject], "the same message all along"
    states = [entry.state for entry in await entries(bridge)]
    assert states.count(BaseState.MARKED) == len(marked)
    assert set(states) <= {BaseState.SYNCED, BaseState.MARKED}
    news = [event.name for event in await events(bridge, *NEWS)]
    in_trash = 2 if case.rule is DeleteRule.TRASH else 0
    assert {name: news.count(name) for name in NEWS} == {
        EventName.MESSAGE_NEW: 3 + in_trash,
        EventName.MESSAGE_MOVED: 1 + len(moved),
        EventName.MESSAGE_DELETED: 3,
        EventName.OP_APPLIED: 2,
    }
    assert not await bridge.store.intents.pending(bridge.settings.id)
    assert not await bridge.store.operations.pending(bridge.settings.id)
    assert not await bridge.store.tombstones.pending_unlinks(bridge.settings.id)
    if not marked:
        await agree(bridge, stage, "INBOX", "Archive", "Trash")
    else:
        assert (await bridge.run_pass()).is_quiet


@pytest.fixture
def quick_path(tmp_path) -> Iterator[Path]:
    """A directory in memory where there is one: a stop between awaits says nothing about disks."""
    shared = Path("/dev/shm")
    with contextlib.ExitStack() as stack:
        if os.access(shared, os.W_OK):
            yield Path(stack.enter_context(tempfile.TemporaryDirectory(dir=shared, prefix="mailsyncd-")))
        else:
            yield tmp_path


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("case", "stride"),
    [
        (Case(), 1),
        (Case(rule=DeleteRule.TRASH), 7),
        (Case(rule=DeleteRule.MARK), 7),
        (Case(without=("QRESYNC", "CONDSTORE", "MOVE", "LIST-STATUS", "OBJECTID")), 7),
        (Case(is_partial=True), 1),
        (Case(is_partial=True, rule=DeleteRule.TRASH), 5),
    ],
    ids=["all", "trash", "mark", "plain", "partial", "partial-trash"],
)
async def test_stop_at_every_step_and_start_again_gives_the_same_end(quick_path, case, stride):
    """Every step of the first case and of the partial pass; of the others some, from a place that differs with the case."""
    ids = await prepare(case, quick_path / "template")
    steps = await run(case, quick_path / "template", quick_path / "whole", ids, None)
    assert ("look_up" in steps) is case.is_partial
    total = len(steps)
    assert total > (40 if case.is_partial else 60)
    for last in range(1 + len(case.rule.value) % stride, total + 1, stride):
        where = quick_path / f"at{last}"
        try:
            await run(case, quick_path / "template", where, ids, last)
        except BaseException as exc:
            exc.add_note(f"stopped at step {last} of {total}")
            raise
        shutil.rmtree(where)
