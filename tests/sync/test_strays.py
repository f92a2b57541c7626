"""Missing files found again under other names: by their octets alone."""

import pytest

from daemon.model.ids import MailboxName
from daemon.sync.strays import find_strays
from tests.sync.stage import INBOX, agree, letter, messages, open_stage, put, sha

DIRECTORIES = {INBOX: "."}


async def ready(bridge, stage, *octets):
    stage.deliver(*octets)
    await bridge.sync()
    return await messages(bridge)


async def listed(bridge, *names):
    scan = await bridge.tree.scan(".")
    return [scan.entries[name] for name in names]


async def test_file_with_the_octets_of_a_missing_one_is_it(stage):
    async with stage.bridge() as bridge:
        known = {
            one.content.envelope.subject: one for one in await ready(bridge, stage, letter(1), letter(2))
        }
        put(bridge, "x", letter(2), letters="S")
        put(bridge, "y", letter(3), letters="S")
        appeared = await listed(bridge, "x", "y")
        found = await find_strays(bridge.tree, DIRECTORIES, known.values(), {INBOX: appeared})
        assert found == {known["letter 2"].id: (INBOX, appeared[0])}


async def test_one_file_stands_for_one_message_only(stage):
    async with stage.bridge() as bridge:
        known = await ready(bridge, stage, letter(1), letter(1))
        put(bridge, "x", letter(1), letters="S")
        appeared = await listed(bridge, "x")
        found = await find_strays(bridge.tree, DIRECTORIES, known, {INBOX: appeared})
        assert list(found.values()) == [(INBOX, appeared[0])]


async def test_the_same_name_goes_before_another(stage):
    async with stage.bridge() as bridge:
        (known,) = await ready(bridge, stage, letter(1))
        (bridge.tree.root / ".A").mkdir()
        await bridge.tree.ensure(".A")
        put(bridge, "a.first", letter(1), directory=".A", letters="S")
        put(bridge, known.maildir_name, letter(1), directory=".A", letters="S")
        scan = await bridge.tree.scan(".A")
        name = MailboxName("A")
        found = await find_strays(bridge.tree, {name: ".A"}, [known], {name: list(scan.entries.values())})
        assert found[known.id][1].maildir_name == known.maildir_name


async def test_files_of_another_size_are_not_even_read(stage, monkeypatch):
    async with stage.bridge() as bridge:
        known = await ready(bridge, stage, letter(1))
        put(bridge, "x", letter(1) + b"more\r\n", letters="S")
        appeared = await listed(bridge, "x")

        async def unread(*_):
            raise AssertionError("read")

        monkeypatch.setattr(bridge.tree, "contents_of", unread)
        assert await find_strays(bridge.tree, DIRECTORIES, known, {INBOX: appeared}) == {}


@pytest.mark.parametrize("without", [(), ("CONDSTORE", "QRESYNC")])
async def test_file_saved_under_another_name_into_a_new_mailbox_is_moved_there(tmp_path, without):
    """The name carries our mark: in a mailbox that is looked at for the first time it could be left over."""
    async with open_stage(tmp_path, without=without) as stage:
        stage.deliver(letter(1), letter(2))
        async with stage.bridge() as bridge:
            await bridge.sync()
            archive = bridge.tree.root / ".Projects"
            for part in ("cur", "new", "tmp"):
                (archive / part).mkdir(parents=True)
            path = next(one for one in (await bridge.files()).values() if one.read_bytes() == letter(1))
            path.rename(archive / path.parent.name / f"{path.name}.saved")
            await bridge.sync()
            assert stage.there("Projects") == [sha(letter(1))]
            assert stage.there() == [sha(letter(2))]
            await agree(bridge, stage, "INBOX", "Projects")
