"""Missing files found again under other names: by their octets alone."""

import asyncio

import pytest
import structlog

from daemon.model.ids import MailboxName
from daemon.sync import strays
from daemon.sync.tally import Tally
from tests.support.bridge import ACCOUNT
from tests.sync.stage import INBOX, agree, letter, messages, open_stage, put, sha

DIRECTORIES = {INBOX: "."}


async def find_strays(tree, directories, missing, appeared):
    found = await strays.find_strays(
        tree,
        directories,
        missing,
        appeared,
        tally=Tally(ACCOUNT, lambda _: None),
        log=structlog.get_logger(),
    )
    assert not found.unread
    return found.places


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


async def test_unreadable_file_of_the_size_of_a_missing_one_is_told_with_all_that_it_may_be(lowly_stage):
    stage = lowly_stage
    longer = letter(4, "of another size")
    async with stage.bridge() as bridge:
        known = await ready(bridge, stage, letter(1), letter(2), letter(3), longer)
        by_subject = {one.content.envelope.subject: one.id for one in known}
        put(bridge, "x", letter(2), letters="S")
        put(bridge, "y", longer, letters="S").chmod(0)
        put(bridge, "z", letter(7), letters="S").chmod(0)
        tally = Tally(ACCOUNT, lambda _: None)
        found = await strays.find_strays(
            bridge.tree,
            DIRECTORIES,
            [one for one in known if one.id != by_subject["letter 4"]],
            {INBOX: await listed(bridge, "x", "y", "z")},
            tally=tally,
            log=structlog.get_logger(),
        )
        assert found.places.keys() == {by_subject["letter 2"]}
        assert found.unread == {(INBOX, "z")}
        assert found.doubtful == {by_subject["letter 1"], by_subject["letter 3"]}
        assert tally.result.failed == 1


async def test_unreadable_file_under_a_new_name_leaves_what_it_may_be_alone_and_stops_nothing_else(
    lowly_stage,
):
    """It may be the missing one: expunged there it would be lost with the file, sent up it would be there twice."""
    stage = lowly_stage
    stage.user.create("Work")
    longer = letter(2, "of another size")
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), longer, letter(3))
        await bridge.sync()
        work = bridge.tree.root / ".Work" / "cur"
        for path in (await bridge.files()).values():
            number = path.read_bytes().split(b"@")[0][-1:].decode()
            path.rename(work / f"saved.{number}.host:2,S")
        (work / "saved.3.host:2,S").unlink()
        (work / "saved.1.host:2,S").chmod(0)
        stage.deliver(letter(9))
        for _ in range(2):
            await bridge.run_pass()
            assert stage.there() == sorted(sha(one) for one in (letter(1), letter(3), letter(9)))
            assert stage.there("Work") == [sha(longer)]
        await asyncio.sleep(0.1)
        for _ in range(2):
            await bridge.sync()
        (work / "saved.1.host:2,S").chmod(0o600)
        await bridge.sync()
        assert stage.there() == [sha(letter(9))]
        assert stage.there("Work") == sorted(sha(one) for one in (letter(1), longer))
        await agree(bridge, stage, "INBOX", "Work")


async def test_equal_messages_of_two_mailboxes_under_other_names_stay_where_they_are(stage):
    """Whichever is looked at first: else the one would be taken for the other, and flags would change places."""
    name = MailboxName("Archive")
    async with stage.bridge() as bridge:
        stage.deliver(letter(1))
        stage.deliver(letter(1), mailbox=name)
        await bridge.sync()
        for mailbox in (INBOX, name):
            ((stem, path),) = (await bridge.files(mailbox)).items()
            path.rename(path.with_name(path.name.replace(stem, "again")))
        directories = {INBOX: ".", name: ".Archive"}
        appeared = {
            mailbox: list((await bridge.tree.scan(directory)).entries.values())
            for mailbox, directory in directories.items()
        }
        known = sorted(await messages(bridge), key=lambda one: one.mailbox)
        for order in (known, known[::-1]):
            found = await find_strays(bridge.tree, directories, order, appeared)
            assert {one.mailbox: found[one.id][0] for one in known} == {INBOX: INBOX, name: name}
