"""What files are now: in order, and without those that vanished under our hands."""

from daemon.model.views import LocalEntry
from daemon.sync.file_facts import file_facts
from tests.sync.stage import NOON, letter, put


def entry(path):
    return LocalEntry(
        maildir_name=path.name.partition(":")[0], path=f"{path.parent.name}/{path.name}", flags=frozenset()
    )


async def test_facts_come_in_order_with_both_sizes(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        paths = [put(bridge, f"{n}.me", f"Subject: {n}\n\nx\n".encode(), letters="S") for n in range(3)]
        found = await file_facts(bridge.tree, ".", [entry(path) for path in reversed(paths)])
        assert [one.entry.maildir_name for one in found] == ["2.me", "1.me", "0.me"]
        assert [one.content.wire_size - one.content.file_size for one in found] == [3, 3, 3]
        assert {one.mtime for one in found} == {NOON}


async def test_no_entries_no_work(stage):
    async with stage.bridge() as bridge:
        assert await file_facts(bridge.tree, "no such directory", []) == []


async def test_file_gone_before_or_between_the_looks_is_left_out(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        paths = [put(bridge, f"{n}.me", letter(n), letters="S") for n in range(3)]
        wanted = [entry(path) for path in paths]
        paths[0].unlink()
        status_of = bridge.tree.status_of

        async def race(directory, entries):
            found = await status_of(directory, entries)
            paths[1].unlink(missing_ok=True)
            return found

        bridge.tree.status_of = race
        found = await file_facts(bridge.tree, ".", wanted)
        assert [one.entry.maildir_name for one in found] == ["2.me"]


async def test_file_renamed_meanwhile_is_found_by_its_name(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        path = put(bridge, "1.me", letter(1), letters="S")
        wanted = entry(path)
        path.rename(path.with_name("1.me:2,FS"))
        (found,) = await file_facts(bridge.tree, ".", [wanted])
        assert found.content.file_size == len(letter(1))
