"""The server's side of a look: numbers that went back, and comparisons that were chosen."""

from daemon.model.flags import FLAGGED
from tests.sync.stage import agree, letter


async def test_mark_that_went_back_leads_to_a_whole_comparison(stage):
    """S9."""
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2))
        stage.box().highest_mod_seq += 100
        stage.box().set_flags(1, frozenset())
        await bridge.sync()
        box = stage.box()
        box.set_flags(2, frozenset({FLAGGED}))
        await bridge.sync()
        box.highest_mod_seq = 5
        box.set_flags(1, frozenset({FLAGGED}))
        assert (await bridge.sync()).flags_changed == 1
        await agree(bridge, stage)


async def test_new_validity_met_in_a_look_ends_with_the_same_messages(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2))
        await bridge.sync()
        stage.box().reset(4711)
        result = await bridge.sync()
        assert (result.downloaded, result.removed_here) == (0, 0)
        await agree(bridge, stage)
