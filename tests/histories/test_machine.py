"""The machine itself: a side that loses mail is found out, and the history is shrunk to what matters."""

import asyncio

import pytest
from hypothesis.stateful import rule

from tests.histories.machine import Histories, live
from tests.histories.worlds import open_world

SEED = 4711


class Thief(Histories):
    """Somebody takes a message from the server, and the model does not know."""

    @rule()
    def steal(self) -> None:
        side = self._story().there
        for uid in side.contents("INBOX"):
            side.expunge("INBOX", uid)
            return


def live_with(rules: type[Histories], *, count: int) -> int:
    with asyncio.Runner() as runner:
        entered = open_world("twin-all")
        world = runner.run(entered.__aenter__())
        try:
            return live(world, runner, count=count, from_seed=SEED, rules=rules)
        finally:
            runner.run(entered.__aexit__(None, None, None))


def test_a_lost_message_fails_and_the_history_is_shrunk_to_its_loss():
    with pytest.raises(AssertionError, match=r"INBOX there: .*missing 1 x") as failure:
        live_with(Thief, count=20)
    steps = [note for note in failure.value.__notes__ if "state." in note]
    assert [step for step in steps if "steal" in step]
    assert not [step for step in steps if "create_here" in step or "append_there" in step]


def test_as_many_histories_are_lived_as_are_asked_for():
    assert live_with(Histories, count=3) >= 3
