"""What the watch tells of acts in the tree, as the service would be told: the real one, with the waiting left out."""

import contextlib

import pytest

from daemon.model.local_news import FileEvent
from daemon.model.settings import DeleteRule
from tests.histories import acts_here
from tests.histories.nouns import Side
from tests.histories.story import Story
from tests.histories.worlds import open_world


@pytest.fixture
async def story():
    async with open_world("twin-all") as world, world.stage() as stage, contextlib.AsyncExitStack() as stack:
        story = Story(stage, DeleteRule.EXPUNGE, lambda _: None)
        stack.push_async_callback(story.close)
        await story.begin()
        story.ear.listen(is_settled=True)
        story.ear.take()
        yield story


async def test_a_deletion_is_told_by_name_once_it_is_settled(story):
    one = story.model.takeable(Side.HERE)[0]
    await story.do(acts_here.delete, 0)
    story.ear.listen(is_settled=False)
    assert story.ear.take().is_empty
    story.ear.listen(is_settled=True)
    agenda = story.ear.take()
    assert agenda.only == {one.box.name}
    assert agenda.news.files[one.box.name][one.stem].event is FileEvent.UNLINKED


async def test_what_is_told_is_enough_for_a_pass(story):
    await story.do(acts_here.delete, 0)
    story.ear.listen(is_settled=True)
    result = await story.look_at_what_was_told()
    assert result.expunged_there == 1
    await story.meet()


async def test_an_overflow_leads_to_a_look_at_everything_and_a_silent_loss_to_none(story):
    await story.do(acts_here.delete, 0)
    story.ear.lose(is_known=False)
    assert story.ear.take().is_empty
    await story.do(acts_here.delete, 0)
    story.ear.lose(is_known=True)
    story.ear.listen(is_settled=True)
    assert story.ear.take().is_everything
    await story.meet()


async def test_what_was_told_may_be_told_again(story):
    await story.do(acts_here.delete, 0)
    story.ear.listen(is_settled=True)
    first = story.ear.take()
    story.ear.repeat()
    assert story.ear.take().news == first.news
