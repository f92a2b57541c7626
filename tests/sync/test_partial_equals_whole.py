"""Whatever happens on both sides: what a watch tells is enough for the plan that a look at everything would make.

A real watch on a real tree, a server in memory; both looks see the same state and nothing is carried out in between. Where
the partial look leaves it to the whole one there is nothing to compare, so that is counted.
"""

import asyncio
import tempfile
from dataclasses import fields
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from daemon.model.flags import ANSWERED, FLAGGED, SEEN
from daemon.model.local_news import NO_NEWS
from daemon.model.operations import OperationKind
from daemon.store.watch import TreeWatch
from daemon.store.watch_events import SETTLE_SECONDS, LocalChange
from daemon.sync.backups import Review
from daemon.sync.tally import Tally
from daemon.sync.wishes import Wishes
from tests.support.bridge import ACCOUNT
from tests.sync.stage import INBOX, ask, letter, messages, open_stage, put

COUNT = 6
LETTERS = st.sampled_from(["", "F", "FS", "RS", "S"])
FLAGS = st.sampled_from([frozenset(), frozenset({SEEN}), frozenset({FLAGGED}), frozenset({SEEN, ANSWERED})])
NUMBERS = st.integers(0, COUNT - 1)
CHANGES = st.one_of(
    st.tuples(st.sampled_from(["mark", "link"]), NUMBERS, LETTERS),
    st.tuples(st.sampled_from(["unlink", "wish deletion", "expunge"]), NUMBERS),
    st.tuples(st.just("put"), st.integers(50, 53), LETTERS),
    st.tuples(st.sampled_from(["flags there", "wish flags"]), NUMBERS, FLAGS),
    st.tuples(st.just("deliver"), st.integers(60, 63)),
)
compared: list[bool] = []


class Scene:
    """Both sides of one mailbox, and the ways to change them."""

    def __init__(self, stage, bridge, ids) -> None:
        self.stage = stage
        self.bridge = bridge
        self.ids = ids
        self.news = NO_NEWS

    def note(self, change: LocalChange) -> None:
        if change.is_everything:
            raise AssertionError("events were lost")
        for directory in change.directories:
            if directory == ".":
                self.news = self.news.plus(INBOX, change.files.get(directory))

    async def make(self, change) -> None:
        what, number, *more = change
        box, root = self.stage.box(), self.bridge.tree.root
        file = next(
            (path for path in (await self.bridge.files()).values() if path.read_bytes() == letter(number)),
            None,
        )
        if what in {"mark", "link"} and file is not None:
            target = root / "cur" / f"{file.name.partition(':')[0]}:2,{more[0]}"
            if what == "mark":
                file.rename(target)
            elif target != file:
                target.hardlink_to(file)
                file.unlink()
        elif what == "unlink" and file is not None:
            file.unlink()
        elif what == "put" and file is None:
            put(self.bridge, f"{number}.me", letter(number), letters=more[0])
        elif what == "expunge":
            box.expunge([number + 1])
        elif what == "deliver":
            self.stage.deliver(letter(number))
        elif what == "flags there" and number + 1 in box.messages:
            box.set_flags(number + 1, more[0])
        elif what == "wish deletion":
            await ask(self.bridge, self.ids[f"letter {number}"])
        elif what == "wish flags":
            add = more[0] or frozenset({FLAGGED})
            await ask(self.bridge, self.ids[f"letter {number}"], OperationKind.FLAGS, add=add)

    async def partial(self):
        client = await self.bridge.connect()
        await client.unselect()
        record = await self.bridge.store.mailboxes.get(ACCOUNT, INBOX)
        return await self.bridge.engine._partial_look.see(
            client, [record], news=self.news, wishes=await self.wishes(), ignored={}
        )

    async def whole(self):
        client = await self.bridge.connect()
        await client.unselect()
        records = {one.name: one for one in await self.bridge.store.mailboxes.list(ACCOUNT)}
        self.bridge.engine._look.begin()
        return await self.bridge.engine._look.see(
            client,
            [records[INBOX]],
            served={INBOX: records[INBOX]},
            records=records,
            wishes=await self.wishes(),
            ignored={},
            review=Review(),
            tally=Tally(ACCOUNT, lambda _: None),
        )

    async def wishes(self) -> Wishes:
        store = self.bridge.store
        return Wishes(store, await store.operations.pending(ACCOUNT))


async def compare(path: Path, without, changes) -> None:
    async with open_stage(path, without=without) as stage, stage.bridge() as bridge:
        stage.deliver(*(letter(number) for number in range(COUNT)), flags={SEEN})
        await bridge.sync()
        ids = {one.content.envelope.subject: one.id for one in await messages(bridge)}
        scene = Scene(stage, bridge, ids)
        watch = TreeWatch(
            bridge.tree.root, layout="maildir++", pools=bridge.store.pools, name="work", on_change=scene.note
        )
        await watch.start()
        try:
            for change in changes:
                await scene.make(change)
            await asyncio.sleep(SETTLE_SECONDS * 2)
        finally:
            await watch.stop()
        part, all_of_it = await scene.partial(), await scene.whole()
    compared.append(part is not None)
    if part is None:
        return
    one, other = part[INBOX], all_of_it[INBOX]
    for fact in fields(one.facts):
        mine, its = getattr(one.facts, fact.name), getattr(other.facts, fact.name)
        assert set(mine) == set(its) if isinstance(mine, tuple) else mine == its, fact.name
    assert one.remote.message_count == other.remote.message_count
    assert (one.remote.uid_next, one.remote.highest_mod_seq) == (
        other.remote.uid_next,
        other.remote.highest_mod_seq,
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_partial_look_leads_to_the_facts_of_a_whole_one() -> None:
    @hypothesis.settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
        derandomize=False,
    )
    @hypothesis.given(
        without=st.sampled_from([(), (), ("QRESYNC",)]), changes=st.lists(CHANGES, min_size=1, max_size=6)
    )
    def holds(without, changes) -> None:
        with tempfile.TemporaryDirectory() as path:
            asyncio.run(compare(Path(path), without, changes))

    compared.clear()
    holds()
    assert sum(compared) > len(compared) / 3, "most histories should cost what they change"
