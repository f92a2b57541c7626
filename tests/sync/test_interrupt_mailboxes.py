"""Stop at every await-step of a pass that follows what was done to mailboxes; start afresh: the same end, nothing twice.

On the way: a rename on the server with a mailbox below, a rename here, one made here, one gone there, one whose removal
here was approved, and subscriptions.
"""

import contextlib
import shutil

import pytest

from daemon.model.events import EventName
from daemon.model.ids import MailboxName
from tests.sync.stage import agree, events, letter, messages, open_stage, put, sha
from tests.sync.test_interrupt import Steps, Stopped, quick_path, watch
from tests.sync.test_mailbox_changes import PLAIN, make, place

__all__ = ["quick_path"]

MAIL = {
    "Lists": (1, 2),
    "Lists/py": (3,),
    "Work": (4, 5),
    "Attic": (6, 7),
    "Given up": (8, 9),
    "Quiet": (10,),
}
AFTER = {"Groups": (1, 2), "Groups/py": (3,), "Job": (4, 5), "Quiet": (10,), "Fresh": (50,)}
NEWS = (
    EventName.MAILBOX_CREATED, EventName.MAILBOX_RENAMED, EventName.MAILBOX_REMOVED,
    EventName.MESSAGE_NEW, EventName.MESSAGE_DELETED, EventName.MESSAGE_MOVED,
)  # fmt: skip


def text(number: int) -> bytes:
    return letter(number, "x" * number)


def at_first(stage) -> None:
    for name, numbers in MAIL.items():
        stage.deliver(*map(text, numbers), mailbox=name)


def meanwhile_there(stage) -> None:
    stage.user.rename("Lists", "Groups")
    stage.user.delete("Attic")
    stage.box("Quiet").is_subscribed = False


def meanwhile_here(bridge) -> None:
    place(bridge, "Work").rename(place(bridge, "Job"))
    make(bridge, "Fresh")
    put(bridge, "50.me", text(50), directory=bridge.tree.directory_of(MailboxName("Fresh")), letters="S")


async def prepare(without, layout, path) -> dict[str, str]:
    """A store that agrees with the server, but for a mailbox that was removed here, held and approved."""
    async with open_stage(path, without=without) as stage, stage.bridge(layout=layout) as bridge:
        at_first(stage)
        await bridge.sync()
        shutil.rmtree(place(bridge, "Given up"))
        await bridge.sync()
        await bridge.engine.approve(MailboxName("Given up"))
        return {one.content.envelope.subject: one.id for one in await messages(bridge)}


async def run(without, layout, template, path, ids, last) -> int:
    shutil.copytree(template / "store", path / "store")
    steps = Steps(last)
    async with open_stage(path, without=without) as stage:
        at_first(stage)
        async with stage.bridge(layout=layout) as bridge:
            meanwhile_there(stage)
            meanwhile_here(bridge)
            await bridge.engine.recover()
            await watch(bridge, steps)
            with contextlib.suppress(Stopped):
                await bridge.run_pass()
        async with stage.bridge(layout=layout) as bridge:
            await bridge.sync()
            await check(bridge, stage, ids)
    return steps.count


async def check(bridge, stage, ids) -> None:
    assert set(stage.user.mailboxes) == {"INBOX", *AFTER}
    records = {record.name: record for record in await bridge.store.mailboxes.list(bridge.settings.id)}
    assert set(records) == {"INBOX", *AFTER}
    for name, numbers in AFTER.items():
        assert stage.there(name) == sorted(sha(text(number)) for number in numbers)
        assert records[name].directory == bridge.tree.directory_of(name)
        assert records[name].frozen_reason is None
    directories = {record.directory for record in records.values()}
    assert set(await bridge.tree.list_directories()) <= {".", *directories}
    for one in await messages(bridge):
        subject = one.content.envelope.subject
        assert subject not in ids or one.id == ids[subject], "the same message all along"
    news = [event.name for event in await events(bridge, *NEWS)]
    assert {name: news.count(name) for name in NEWS} == {
        EventName.MAILBOX_CREATED: 1,
        EventName.MAILBOX_RENAMED: 3,
        EventName.MAILBOX_REMOVED: 2,
        EventName.MESSAGE_NEW: 0,  # a mailbox without a completed pass yet tells of none
        EventName.MESSAGE_DELETED: 4,
        EventName.MESSAGE_MOVED: 0,
    }
    assert not bridge.engine.held
    assert not await bridge.store.intents.pending(bridge.settings.id)
    assert not await bridge.store.tombstones.pending_unlinks(bridge.settings.id)
    subscribed = {record.directory for record in records.values()} - {records["Quiet"].directory}
    assert await bridge.tree.read_subscriptions() == subscribed
    assert not stage.box("Quiet").is_subscribed
    await agree(bridge, stage, "INBOX", *AFTER)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("without", "layout", "stride"),
    [((), "maildir++", 1), ((), "fs", 5), (("OBJECTID",), "maildir++", 7), (PLAIN, "fs", 7)],
    ids=["all", "fs", "without_ids", "plain_fs"],
)
async def test_stop_at_every_step_and_start_again_gives_the_same_mailboxes(
    quick_path, without, layout, stride
):
    """Every step of the first case; some of the others, from a place that differs with the case."""
    ids = await prepare(without, layout, quick_path / "template")
    total = await run(without, layout, quick_path / "template", quick_path / "whole", ids, None)
    assert total > 60
    for last in range(1 + len(without) % stride, total + 1, stride):
        where = quick_path / f"at{last}"
        try:
            await run(without, layout, quick_path / "template", where, ids, last)
        except BaseException as exc:
            exc.add_note(f"stopped at step {last} of {total}")
            raise
        shutil.rmtree(where)
