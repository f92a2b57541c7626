"""Directories that move with their mailboxes' names, and those that cannot."""

from dataclasses import replace

import pytest

from daemon.model.ids import MailboxName
from daemon.store.maildir.errors import NameTaken
from daemon.sync.places import Places
from tests.sync.stage import INBOX, letter, put


@pytest.fixture(params=["maildir++", "fs"])
async def bridge(stage, request):
    for name in ("A", "A/B", "A/B/C"):
        stage.deliver(letter(1), mailbox=name)
    stage.deliver(letter(2), letter(3))
    async with stage.bridge(layout=request.param) as one:
        await one.sync()
        yield one


def places(bridge):
    engine = bridge.engine
    return Places(
        account=bridge.settings.id, store=bridge.store, tree=bridge.tree, book=engine._book,
        subscriptions=engine._subscriptions, log=engine._log,
    )  # fmt: skip


async def records(bridge, *without):
    return [one for one in await bridge.store.mailboxes.list(bridge.settings.id) if one.name not in without]


async def move(bridge, name, new):
    tree = bridge.tree
    source, target = tree.directory_of(MailboxName(name)), tree.directory_of(MailboxName(new))
    return await places(bridge).move(MailboxName(name), source, target, await records(bridge, name)), target


async def test_directory_moves_and_those_within_are_where_their_records_say(bridge):
    for _ in range(2):
        reached, target = await move(bridge, "A", "Z")
        assert reached == target
        for record in await records(bridge, "A"):
            await bridge.tree.check_identity(record.directory)
    assert len(list((bridge.tree.root / target).glob("[nc]*/*"))) == 1


async def test_move_that_was_cut_short_is_finished(bridge):
    tree = bridge.tree
    await tree.rename_directory(tree.directory_of(MailboxName("A")), tree.directory_of(MailboxName("Z")))
    reached, target = await move(bridge, "A", "Z")
    assert reached == target
    for record in await records(bridge, "A"):
        await tree.check_identity(record.directory)


async def test_place_that_is_taken_leaves_the_directory_where_it_is(bridge):
    target = bridge.tree.directory_of(MailboxName("Z"))
    await bridge.tree.ensure(target)
    reached, _ = await move(bridge, "A", "Z")
    assert reached == bridge.tree.directory_of(MailboxName("A"))
    reached, _ = await move(bridge, "A", "A/B")
    assert reached == bridge.tree.directory_of(MailboxName("A"))


async def test_place_below_itself_leaves_the_directory_where_it_is(bridge):
    reached, target = await move(bridge, "A", "A/new")
    assert reached == (target if bridge.tree.layout == "maildir++" else "A")
    await bridge.tree.check_identity(reached)


async def test_inbox_gives_what_both_sides_had_and_keeps_what_is_new(bridge):
    directory = bridge.tree.directory_of(INBOX)
    put(bridge, "9.me", letter(9), directory=directory)
    if directory != ".":
        return
    reached, target = await move(bridge, "INBOX", "Saved")
    assert reached == target
    assert set((await bridge.tree.scan(".")).entries) == {"9.me"}
    assert len((await bridge.tree.scan(target)).entries) == 2


async def test_inbox_that_cannot_move_is_refused_before_anything_is_done(bridge):
    inbox = replace((await records(bridge))[0], name=INBOX, directory=".")
    taken = bridge.tree.directory_of(MailboxName("A"))
    with pytest.raises(NameTaken):
        places(bridge).require_free(inbox, taken, await records(bridge))
    places(bridge).require_free(inbox, ".free", await records(bridge))
