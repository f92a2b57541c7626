"""Programs keep keyword letters when they move a file; in another mailbox the same letter may be another keyword."""

import asyncio

import pytest

from daemon.model.flags import FLAGGED, SEEN
from daemon.model.local_news import FileEvent, FileNews, LocalNews
from daemon.store.maildir import keywords
from tests.sync.stage import agree, letter, messages, open_stage

WORK = frozenset({SEEN, "Work"})


async def two_maps(bridge, stage, target="0 Junk\n"):
    """A message with a keyword that is `a` in INBOX; in Archive `a` is what `target` says."""
    stage.user.create("Archive")
    stage.deliver(letter(1), flags=WORK)
    await bridge.sync()
    if target:
        (bridge.tree.root / ".Archive" / "dovecot-keywords").write_text(target)
    (path,) = (await bridge.files()).values()
    assert path.name.endswith(":2,Sa")
    return path


def saved(bridge, path, letters="Sa", name=None):
    name = name or path.name.partition(":")[0]
    return path.rename(bridge.tree.root / ".Archive" / "cur" / f"{name}:2,{letters}")


@pytest.mark.parametrize("without", [(), ("UIDPLUS", "MOVE"), ("QRESYNC", "CONDSTORE")])
@pytest.mark.parametrize("name", [None, "saved.host"])
@pytest.mark.parametrize("target", ["0 Junk\n", "", "0 Junk\n1 work\n"])
async def test_keyword_goes_along_and_no_other_is_set(tmp_path, without, name, target):
    async with open_stage(tmp_path, without=without) as stage, stage.bridge() as bridge:
        saved(bridge, await two_maps(bridge, stage, target), name=name)
        result = await bridge.sync()
        assert result.flags_changed == 0
        shown = [one.flags for one in await messages(bridge, "Archive")]
        for flags in (list(stage.flags_there("Archive").values()), shown):
            assert [{flag.lower() for flag in one} for one in flags] == [{"\\seen", "work"}]
        (path,) = (await bridge.files("Archive")).values()
        scan = await bridge.tree.scan(".Archive")
        assert [{flag.lower() for flag in one.flags} for one in scan.entries.values()] == [{"\\seen", "work"}]
        assert not scan.unknown_letters
        assert path.name.endswith(":2,Sb")
        assert await bridge.files() == {}


async def test_flag_set_on_the_way_goes_up_with_it(stage):
    async with stage.bridge() as bridge:
        saved(bridge, await two_maps(bridge, stage), letters="FSa")
        await bridge.sync()
        assert list(stage.flags_there("Archive").values()) == [WORK | {FLAGGED}]
        await agree(bridge, stage, "INBOX", "Archive")


async def test_other_letters_are_of_the_new_mailbox(stage):
    """Set there by a program that knows the map; `Work` has no letter there, so that its absence says nothing."""
    async with stage.bridge() as bridge:
        saved(bridge, await two_maps(bridge, stage, "0 Junk\n1 Later\n"), letters="Sb")
        await bridge.sync()
        assert list(stage.flags_there("Archive").values()) == [WORK | {"Later"}]
        await agree(bridge, stage, "INBOX", "Archive")


async def test_equal_maps_cost_no_rename(stage):
    async with stage.bridge() as bridge:
        path = saved(bridge, await two_maps(bridge, stage, "0 Work\n"))
        await bridge.sync()
        assert path.exists()
        await agree(bridge, stage, "INBOX", "Archive")


async def test_message_moved_on_both_sides_keeps_its_keyword(stage):
    async with stage.bridge() as bridge:
        stage.user.create("Lists")
        saved(bridge, await two_maps(bridge, stage))
        await bridge.disconnect()
        stage.move(1, "INBOX", "Lists")
        await bridge.sync()
        assert list(stage.flags_there("Lists").values()) == [WORK]
        await agree(bridge, stage, "INBOX", "Archive", "Lists")


async def test_move_that_a_watch_has_told_keeps_the_keyword_too(stage):
    async with stage.bridge() as bridge:
        path = await two_maps(bridge, stage)
        name = path.name.partition(":")[0]
        target = saved(bridge, path)
        news = LocalNews(
            files={
                "INBOX": {name: FileNews(FileEvent.DEPARTED, f"cur/{path.name}")},
                "Archive": {name: FileNews(FileEvent.ARRIVED, f"cur/{target.name}")},
            }
        )
        await bridge.client.noop()
        assert (await bridge.run_pass(only={"INBOX", "Archive"}, news=news)).moved == 1
        await bridge.sync()
        assert list(stage.flags_there("Archive").values()) == [WORK]
        await agree(bridge, stage, "INBOX", "Archive")


async def test_map_that_another_program_holds_leaves_the_move_for_later_and_stops_nothing_else(
    stage, monkeypatch
):
    """Planned by the letters as they are, the move would take the keyword away."""
    monkeypatch.setattr(keywords, "LOCK_DEADLINE_SECONDS", 0.05)
    async with stage.bridge() as bridge:
        saved(bridge, await two_maps(bridge, stage))
        lock = bridge.tree.root / ".Archive" / "dovecot-uidlist.lock"
        lock.write_text("1:another.host")
        stage.deliver(letter(2))
        result = await bridge.sync()
        assert (result.downloaded, result.moved, result.uploaded, result.expunged_there) == (1, 0, 0, 0)
        assert len(stage.there()) == 2
        await asyncio.sleep(0.1)
        assert (await bridge.sync()).moved == 0
        lock.unlink()
        assert (await bridge.sync()).moved == 1
        assert list(stage.flags_there("Archive").values()) == [WORK]
        await agree(bridge, stage, "INBOX", "Archive")
