"""The state machine that Hypothesis plays: rules are acts, a meeting ends a round, the end is a meeting too.

Printed with a failure: the steps of the shrunk history, what each of them did in words, and the seed. To live the same
histories again:

    python -m tests.histories.live WORLD --seed SEED --histories COUNT

with the world, seed and count that were printed (`MAILSYNCD_SEED` and `MAILSYNCD_HISTORIES` do the same for pytest).
"""

import asyncio
import contextlib
import itertools
import traceback

from hypothesis import HealthCheck, Phase, Verbosity, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from daemon.model.settings import DeleteRule
from tests.histories import acts_here, acts_there
from tests.histories.backup import Part
from tests.histories.nouns import FLAGS, LETTERS
from tests.histories.powers import POWERS, Power
from tests.histories.story import Story, pick
from tests.histories.worlds import World

STEPS = 12
AT = st.integers(0, 15)
FLAG = st.sampled_from(FLAGS)
NEW_FLAGS = st.frozensets(st.sampled_from(list(LETTERS)), max_size=2)
LIKE = st.none() | st.integers(0, 15)
WHEN = st.none() | st.none() | st.integers(0, 12)  # None: before the next pass; else in the middle of it
MOSTLY = st.sampled_from([True, True, False])
COMMANDS = st.integers(0, 30)


def needs(power: Power):
    """A rule that is offered only where the engine has this power."""
    return precondition(lambda _: power in POWERS)


class Histories(RuleBasedStateMachine):
    """A subclass has a world and the loop in which it lives."""

    world: World
    runner: asyncio.Runner
    lived = itertools.count()
    broken = itertools.count()

    story: Story | None = None
    is_broken = False

    @initialize(deletion=st.sampled_from(DeleteRule))
    def begin(self, deletion: DeleteRule) -> None:
        self.run(self._begin(deletion))

    async def _begin(self, deletion: DeleteRule) -> None:
        self.stack = contextlib.AsyncExitStack()
        stage = await self.stack.enter_async_context(self.world.stage())
        if deletion is DeleteRule.TRASH and not (stage.has_trash and stage.has_uidplus):
            deletion = DeleteRule.EXPUNGE
        self.story = Story(stage, deletion, note)
        self.stack.push_async_callback(self.story.close)
        await self.story.begin()

    def run(self, work) -> None:
        try:
            self.runner.run(work)
        except BaseException as exc:
            self.is_broken = True
            if not next(self.broken):
                told = "\n  ".join(self.story.told if self.story is not None else ())
                trace = "".join(traceback.format_tb(exc.__traceback__))
                print(f"a history failed, and is now made shorter: {exc!r}\n{trace}  {told}", flush=True)
            raise

    def act(self, when: int | None, act, *arguments) -> None:
        assert self.story is not None
        if when is not None:
            self.story.do_later(when, act, *arguments)
        else:
            self.run(self.story.do(act, *arguments))

    # Here

    @rule(to=AT, flags=NEW_FLAGS, like=LIKE, when=WHEN)
    def create_here(self, to, flags, like, when) -> None:
        self.act(when, acts_here.create, to, flags, like)

    @rule(at=AT, flag=FLAG, when=WHEN)
    def flag_here(self, at, flag, when) -> None:
        self.act(when, acts_here.turn_flag, at, flag)

    @rule(at=AT, when=WHEN)
    def delete_here(self, at, when) -> None:
        self.act(when, acts_here.delete, at)

    @rule(at=AT, to=AT, when=WHEN)
    def move_here(self, at, to, when) -> None:
        self.act(when, acts_here.move, at, to)

    @rule(at=AT, to=AT, when=WHEN)
    def move_here_under_another_name(self, at, to, when) -> None:
        self.act(when, acts_here.move_as_new, at, to)

    @rule(at=AT, to=AT, when=WHEN)
    def copy_here(self, at, to, when) -> None:
        self.act(when, acts_here.copy, at, to)

    @rule(at=AT, when=WHEN)
    def empty_here(self, at, when) -> None:
        self.act(when, acts_here.empty, at)

    @rule(at=AT, when=WHEN)
    def put_back_here(self, at, when) -> None:
        self.act(when, acts_here.put_back, at)

    @rule(at=AT, when=WHEN)
    def stow_here(self, at, when) -> None:
        self.act(when, acts_here.stow, at)

    @rule(at=AT, when=WHEN)
    def fetch_back_here(self, at, when) -> None:
        self.act(when, acts_here.fetch_back, at)

    @needs(Power.FILE_RENAMED_IN_PLACE)
    @rule(at=AT, when=WHEN)
    def rename_here(self, at, when) -> None:
        self.act(when, acts_here.rename, at)

    @needs(Power.MAILBOX_MADE_HERE)
    @rule(at=AT, when=WHEN)
    def make_mailbox_here(self, at, when) -> None:
        self.act(when, acts_here.make_mailbox, at)

    @needs(Power.MAILBOX_RENAMED_HERE)
    @rule(at=AT, to=AT, when=WHEN)
    def rename_mailbox_here(self, at, to, when) -> None:
        self.act(when, acts_here.rename_mailbox, at, to)

    @needs(Power.MAILBOX_REMOVED_HERE)
    @rule(at=AT, when=WHEN)
    def remove_mailbox_here(self, at, when) -> None:
        self.act(when, acts_here.remove_mailbox, at)

    @rule(at=AT, flag=FLAG)
    def wish_flag(self, at, flag) -> None:
        self.act(None, acts_here.wish_flag, at, flag)

    @rule(at=AT)
    def wish_deletion(self, at) -> None:
        self.act(None, acts_here.wish_deletion, at)

    # There

    @rule(to=AT, flags=NEW_FLAGS, like=LIKE, when=WHEN)
    def append_there(self, to, flags, like, when) -> None:
        self.act(when, acts_there.append, to, flags, like)

    @rule(at=AT, flag=FLAG, when=WHEN)
    def flag_there(self, at, flag, when) -> None:
        self.act(when, acts_there.turn_flag, at, flag)

    @rule(at=AT, flag=FLAG, when=WHEN)
    def flag_what_was_deleted_here(self, at, flag, when) -> None:
        self.act(when, acts_there.flag_ghost, at, flag)

    @rule(at=AT, when=WHEN)
    def expunge_there(self, at, when) -> None:
        self.act(when, acts_there.expunge, at)

    @rule(at=AT, when=WHEN)
    def empty_there(self, at, when) -> None:
        self.act(when, acts_there.empty, at)

    @rule(at=AT, when=WHEN)
    def unmark_there(self, at, when) -> None:
        self.act(when, acts_there.unmark, at)

    @rule(at=AT, to=AT, when=WHEN)
    def move_there(self, at, to, when) -> None:
        self.act(when, acts_there.move, at, to)

    @rule(at=AT, to=AT, when=WHEN)
    def copy_there(self, at, to, when) -> None:
        self.act(when, acts_there.copy, at, to)

    @rule(at=AT)
    def reset_there(self, at) -> None:
        self.act(None, acts_there.reset, at)

    @rule(at=AT)
    def create_mailbox_there(self, at) -> None:
        self.act(None, acts_there.create_mailbox, at)

    @needs(Power.MAILBOX_RENAMED_THERE)
    @rule(at=AT, to=AT, when=WHEN)
    def rename_mailbox_there(self, at, to, when) -> None:
        self.act(when, acts_there.rename_mailbox, at, to)

    @needs(Power.MAILBOX_REMOVED_THERE)
    @rule(at=AT, when=WHEN)
    def remove_mailbox_there(self, at, when) -> None:
        self.act(when, acts_there.remove_mailbox, at)

    # Between

    @rule(at=AT)
    def pass_over_one(self, at) -> None:
        story = self._story()
        self.run(story.one_pass(pick([box for box in story.model.boxes if box.directory is not None], at)))

    @rule()
    def pass_over_all(self) -> None:
        self.run(self._story().one_pass(None))

    @rule(is_heard=st.booleans(), is_settled=MOSTLY, there=st.integers(0, 255), is_decided=MOSTLY)
    def pass_as_told(self, is_heard, is_settled, there, is_decided) -> None:
        story = self._story()
        if is_heard:
            story.ear.listen(is_settled=is_settled)
        self.run(story.pass_as_told(there, is_decided=is_decided))

    @rule(is_settled=MOSTLY)
    def listen(self, is_settled) -> None:
        self._story().ear.listen(is_settled=is_settled)

    @rule(is_settled=st.booleans(), there=st.integers(0, 255))
    def listen_and_pass(self, is_settled, there) -> None:
        self._story().ear.listen(is_settled=is_settled)
        self.run(self._story().pass_as_told(there, is_decided=True))

    @rule()
    def repeat_news(self) -> None:
        self._story().ear.repeat()

    @rule(is_known=st.booleans())
    def lose_news(self, is_known) -> None:
        self._story().ear.lose(is_known=is_known)

    @rule(at=AT)
    def approve(self, at) -> None:
        self.run(self._story().approve(at))

    @rule(commands=COMMANDS, is_done=st.booleans())
    def cut_the_line(self, commands, is_done) -> None:
        self._story().meddle(commands, is_done=is_done)

    @rule(commands=COMMANDS)
    def break_off_a_pass(self, commands) -> None:
        self.run(self._story().break_off(commands))

    @rule()
    def disconnect(self) -> None:
        self.run(self._story().disconnect())

    @rule()
    def restart(self) -> None:
        self.run(self._story().restart())

    @rule(part=st.sampled_from(Part))
    def put_back_backup(self, part) -> None:
        self.run(self._story().put_back_backup(part))

    @rule()
    def meet(self) -> None:
        self.run(self._story().meet())

    def _story(self) -> Story:
        assert self.story is not None
        return self.story

    def teardown(self) -> None:
        if self.story is None:
            return
        try:
            if not self.is_broken:
                self.run(self.story.meet())
                next(type(self).lived)
        finally:
            self.runner.run(self.stack.aclose())


async def _prepare(world: World) -> None:
    """Live the beginning once, so that the others need not."""
    async with world.stage() as stage:
        story = Story(stage, DeleteRule.EXPUNGE, lambda _: None)
        await story.begin()
        await story.close()
        world.keep(stage, story.model)


def live(
    world: World,
    runner: asyncio.Runner,
    *,
    count: int,
    from_seed: int,
    rules: type[Histories] = Histories,
    is_shrunk: bool = True,
) -> int:
    """How many histories were lived, all well; the first that is not is shrunk, printed and raised."""
    runner.run(_prepare(world))
    machine = type(
        "Histories",
        (rules,),
        {"world": world, "runner": runner, "lived": itertools.count(), "broken": itertools.count()},
    )
    run_state_machine_as_test(
        seed(from_seed)(machine),
        settings=settings(
            max_examples=count,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=False,
            print_blob=True,
            report_multiple_bugs=False,
            verbosity=Verbosity.normal,
            phases=(Phase.generate, Phase.shrink) if is_shrunk else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
    return next(machine.lived)
