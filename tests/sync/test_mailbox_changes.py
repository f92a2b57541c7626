"""Mailboxes created and renamed on either side, on servers that tell much or little."""

import shutil

import pytest

from daemon.model.errors import ConnectionLost
from daemon.model.events import EventName
from daemon.model.ids import MailboxName
from tests.sync.stage import agree, events, letter, messages, open_stage, put, sha, sync_through

PLAIN = (
    "OBJECTID",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "SPECIAL-USE",
    "NAMESPACE",
    "QRESYNC",
    "CONDSTORE",
    "MOVE",
    "UNSELECT",
)
SERVERS = pytest.mark.parametrize("without", [(), ("OBJECTID",), PLAIN], ids=["all", "without_ids", "plain"])
LAYOUTS = pytest.mark.parametrize("layout", ["maildir++", "fs"])
BOX_EVENTS = (EventName.MAILBOX_CREATED, EventName.MAILBOX_RENAMED, EventName.MAILBOX_REMOVED)


def place(bridge, name):
    """The directory of a mailbox by its name, in either layout."""
    return bridge.tree.root / bridge.tree.directory_of(MailboxName(name))


def make(bridge, name):
    """A Maildir as another program makes it."""
    for part in ("tmp", "new", "cur"):
        (place(bridge, name) / part).mkdir(parents=True)
    return place(bridge, name)


async def told(bridge):
    return [(event.name.value, event.mailbox) for event in await events(bridge, *BOX_EVENTS)]


async def ids(bridge, mailbox):
    return {one.content.file_sha256: one.id for one in await messages(bridge, mailbox)}


def bodies_asked(stage):
    return sum(b"BODY.PEEK[]" in command for command in stage.line.commands)


@SERVERS
@LAYOUTS
async def test_mailbox_renamed_on_the_server_is_renamed_here_with_its_children(tmp_path, without, layout):
    async with open_stage(tmp_path, without=without) as stage, stage.bridge(layout=layout) as bridge:
        for name in ("Lists", "Lists/python", "Lists/python/dev", "Other"):
            stage.deliver(letter(1, name), letter(2, name), letter(3, name), mailbox=name)
        await bridge.sync()
        known = {name: await ids(bridge, name) for name in ("Lists", "Lists/python", "Lists/python/dev")}
        asked = bodies_asked(stage)
        stage.user.rename("Lists", "Groups")
        await bridge.sync()
        renamed = {
            "Lists": "Groups", "Lists/python": "Groups/python", "Lists/python/dev": "Groups/python/dev",
        }  # fmt: skip
        for old, new in renamed.items():
            assert not (place(bridge, old) / "cur").exists()
            assert len(list((place(bridge, new)).glob("[nc]*/*"))) == 3
            assert await bridge.store.mailboxes.get(bridge.settings.id, old) is None
            assert await ids(bridge, new) == known[old], "the same messages all along"
        assert bodies_asked(stage) == asked, "no octet of a message crosses the line"
        assert sorted(await told(bridge)) == sorted(("mailbox.renamed", new) for new in renamed.values())
        await agree(bridge, stage, "INBOX", "Other", *renamed.values())


@SERVERS
@LAYOUTS
async def test_directory_renamed_here_is_renamed_on_the_server(tmp_path, without, layout):
    async with open_stage(tmp_path, without=without) as stage, stage.bridge(layout=layout) as bridge:
        stage.deliver(letter(1), letter(2), mailbox="Work")
        stage.deliver(letter(3), mailbox="Work/old")
        await bridge.sync()
        known = {**await ids(bridge, "Work"), **await ids(bridge, "Work/old")}
        place(bridge, "Work").rename(place(bridge, "Arbeit"))
        if layout == "maildir++":
            place(bridge, "Work/old").rename(place(bridge, "Arbeit/old"))
        await bridge.sync()
        assert stage.user.find("Work") is None
        assert stage.user.find("Work/old") is None
        assert {**await ids(bridge, "Arbeit"), **await ids(bridge, "Arbeit/old")} == known
        assert stage.line.count(b"APPEND") == 0
        assert not bridge.engine.held
        assert sorted(await told(bridge)) == [
            ("mailbox.renamed", "Arbeit"), ("mailbox.renamed", "Arbeit/old"),
        ]  # fmt: skip
        await agree(bridge, stage, "Arbeit", "Arbeit/old")


async def test_children_follow_where_only_the_parent_was_renamed_here(stage):
    """Maildir++: `.A` and `.A.B` are two directories, and a shell renames one of them."""
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), mailbox="A")
        stage.deliver(letter(2), mailbox="A/B")
        await bridge.sync()
        place(bridge, "A").rename(place(bridge, "Z"))
        await bridge.sync()
        assert set(stage.user.mailboxes) == {"INBOX", "Z", "Z/B"}
        assert place(bridge, "Z/B").is_dir()
        await agree(bridge, stage, "Z", "Z/B")


@SERVERS
@LAYOUTS
async def test_directory_made_here_becomes_a_mailbox_with_its_files(tmp_path, without, layout):
    async with open_stage(tmp_path, without=without) as stage, stage.bridge(layout=layout) as bridge:
        await bridge.sync()
        make(bridge, "Projekte/Grün")
        put(bridge, "1.me", letter(1), directory=bridge.tree.directory_of("Projekte/Grün"), letters="S")
        assert (await bridge.sync()).uploaded == 1
        assert stage.there("Projekte/Grün") == [sha(letter(1))]
        assert stage.box("Projekte/Grün").is_subscribed
        assert ("mailbox.created", "Projekte/Grün") in await told(bridge)
        await bridge.tree.check_identity(bridge.tree.directory_of("Projekte/Grün"))
        await agree(bridge, stage, "Projekte/Grün")


async def test_message_moved_into_a_directory_made_here_is_moved_on_the_server(stage):
    """It has our mark and was never in that mailbox: neither left over from a reset nor missing."""
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2))
        await bridge.sync()
        known = await ids(bridge, "INBOX")
        target = make(bridge, "Kept")
        name, path = next(iter((await bridge.files()).items()))
        path.rename(target / "cur" / f"{name}:2,S")
        result = await bridge.sync()
        assert (result.moved, result.uploaded, result.expunged_there) == (1, 0, 0)
        assert (await ids(bridge, "Kept")).items() <= known.items()
        await agree(bridge, stage, "INBOX", "Kept")


async def test_copied_directory_becomes_a_mailbox_of_copies(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2), mailbox="A")
        await bridge.sync()
        shutil.copytree(place(bridge, "A"), place(bridge, "B"))
        await bridge.sync()
        assert stage.there("B") == stage.there("A")
        await agree(bridge, stage, "A", "B")


async def test_directory_without_tmp_is_waited_for(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        for part in ("cur", "new"):
            (place(bridge, "Soon") / part).mkdir(parents=True)
        await bridge.sync()
        assert stage.user.find("Soon") is None
        (place(bridge, "Soon") / "tmp").mkdir()
        await bridge.sync()
        assert stage.user.find("Soon") is not None


async def test_excluded_directory_is_not_created_on_the_server(stage):
    async with stage.bridge(exclude=("Private*",)) as bridge:
        await bridge.sync()
        make(bridge, "Private/diary")
        assert (await bridge.sync()).failed == 0
        assert stage.user.find("Private/diary") is None


@pytest.mark.parametrize("is_listed", [True, False])
async def test_foreign_directory_fails_alone_and_is_not_written_to(stage, is_listed):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1))
        await bridge.sync()
        theirs = make(bridge, "Theirs")
        id_file = (bridge.tree.root / "mailsyncd-id").read_text()
        (theirs / "mailsyncd-id").write_text(id_file.replace("account work", "account other"))
        if is_listed:
            stage.deliver(letter(2), mailbox="Theirs")
        stage.deliver(letter(3))
        stage.deliver(letter(4), mailbox="Z")
        result = await bridge.run_pass()
        assert (result.downloaded, result.failed) == (2, 1)
        assert list(theirs.glob("[nc]*/*")) == []
        assert (await bridge.run_pass()).failed == 1, "as long as it is there"


async def test_refused_creation_is_said_once_and_keeps_nothing_waiting(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        make(bridge, "No")
        put(bridge, "1.me", letter(1), directory=".No")
        make(bridge, "Yes")
        stage.line.refuse(rb'CREATE "?No', b"NO [CANNOT] not here")
        assert (await bridge.run_pass()).failed == 1
        assert stage.user.find("Yes") is not None
        assert (await bridge.run_pass()).failed == 0
        assert stage.line.count(b"CREATE No") == 1, "not in every pass"
        assert (place(bridge, "No") / "new" / "1.me").exists()


async def test_name_with_the_servers_delimiter_in_it_is_refused_here(stage):
    """A part `a/b` cannot be made on a server whose delimiter is `/`."""
    async with stage.bridge() as bridge:
        await bridge.sync()
        make(bridge, r"a\2fb")
        make(bridge, "inbox")
        result = await bridge.run_pass()
        assert result.failed == 1
        assert set(stage.user.mailboxes) == {"INBOX"}


async def test_parents_are_made_for_a_server_that_makes_none(stage):
    async with stage.bridge() as bridge:
        await bridge.sync()
        stage.line.refuse(rb"CREATE A/B/C", b"NO no parent", times=1)
        make(bridge, "A/B/C")
        await bridge.sync()
        assert {"A", "A/B", "A/B/C"} <= set(stage.user.mailboxes)


@pytest.mark.parametrize(
    "name", ["Work", "a.b", "..", ".", "~root", "cur", "日本語/наши", "x" * 255, "é", "tab\there", "\\"]
)
@LAYOUTS
async def test_any_name_comes_and_goes(tmp_path, name, layout):
    """Sync.md 26: every name has a directory of its own, and the directory's name is the server's again."""
    async with open_stage(tmp_path) as stage, stage.bridge(layout=layout) as bridge:
        stage.deliver(letter(1), mailbox=name)
        stage.deliver(letter(2), mailbox=name.swapcase() + "/" + name)
        await bridge.sync()
        found = [
            digest
            for record in await bridge.store.mailboxes.list(bridge.settings.id)
            for digest in await bridge.digests(record.name)
        ]
        assert sorted(found) == sorted([sha(letter(1)), sha(letter(2))])
        again = await bridge.run_pass()
        assert (again.is_quiet, again.failed) == (True, 0)
        outside = {path.name for path in bridge.tree.root.parent.iterdir()}
        assert outside == {bridge.tree.root.name}, "nothing leads out of the tree"


async def test_case_twins_are_two_mailboxes(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), mailbox="Work")
        stage.deliver(letter(2), mailbox="work")
        make(bridge, "WORK") if bridge.tree.root.exists() else None
        await bridge.sync()
        await agree(bridge, stage, "Work", "work")


async def test_name_used_again_after_a_rename_is_a_new_mailbox(stage):
    """`Sent` becomes `Sent-2025`, and a new `Sent` is made, all between two passes."""
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2), mailbox="Sent")
        await bridge.sync()
        known = await ids(bridge, "Sent")
        stage.user.rename("Sent", "Sent-2025")
        stage.deliver(letter(3), mailbox="Sent")
        assert (await bridge.sync()).downloaded == 1
        assert await ids(bridge, "Sent-2025") == known
        await agree(bridge, stage, "Sent", "Sent-2025")


async def test_chain_of_renames_is_followed(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), mailbox="A")
        stage.deliver(letter(2), mailbox="B")
        await bridge.sync()
        known = [await ids(bridge, name) for name in "AB"]
        stage.user.rename("B", "C")
        stage.user.rename("A", "B")
        await bridge.sync()
        assert [await ids(bridge, name) for name in "BC"] == known
        await agree(bridge, stage, "B", "C")


async def exchange(bridge, stage):
    stage.deliver(letter(1), mailbox="A")
    stage.deliver(letter(2, "longer than the other"), mailbox="B")
    await bridge.sync()
    for old, new in (("A", "T"), ("B", "A"), ("T", "B")):
        stage.user.rename(old, new)


async def test_exchanged_names_are_followed(stage):
    async with stage.bridge() as bridge:
        await exchange(bridge, stage)
        known = [await ids(bridge, name) for name in "AB"]
        await bridge.sync()
        assert [await ids(bridge, name) for name in "BA"] == known
        assert await told(bridge) == [("mailbox.renamed", "A"), ("mailbox.renamed", "B")]
        assert {path.name for path in bridge.tree.root.glob(".*")} == {".A", ".B"}
        await agree(bridge, stage, "A", "B")


async def test_exchanged_names_lose_nothing_where_the_server_has_no_ids(tmp_path):
    async with open_stage(tmp_path, without=["OBJECTID"]) as stage, stage.bridge() as bridge:
        await exchange(bridge, stage)
        await bridge.sync()
        for name in "AB":
            assert set(stage.there(name)) <= set(await bridge.digests(name))
        assert len(await bridge.digests("A") + await bridge.digests("B")) == 4, (
            "left over, and shown as unmatched"
        )


async def test_inbox_renamed_on_the_server_leaves_inbox(stage):
    """RFC 9051 §6.3.6: its messages go to the new mailbox, INBOX stays."""
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), letter(2))
        await bridge.sync()
        stage.user.rename("INBOX", "Old-mail")
        await bridge.sync()
        assert await bridge.digests("Old-mail") == sorted([sha(letter(1)), sha(letter(2))])
        await agree(bridge, stage, "INBOX", "Old-mail")


@pytest.mark.parametrize("how", ["lose", "cut"])
async def test_lost_answer_to_rename_is_resolved_by_the_next_listing(stage, how):
    """Done or not: neither a deletion nor a second mailbox comes of it."""
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), mailbox="Work")
        await bridge.sync()
        known = await ids(bridge, "Work")
        place(bridge, "Work").rename(place(bridge, "Job"))
        getattr(stage.line, how)(rb"RENAME")
        with pytest.raises(ConnectionLost):
            await bridge.run_pass()
        bridge.client = None
        await sync_through(bridge)
        assert set(stage.user.mailboxes) == {"INBOX", "Job"}
        assert await ids(bridge, "Job") == known
        assert await told(bridge) == [("mailbox.renamed", "Job")]
        await agree(bridge, stage, "Job")


async def test_renamed_on_both_sides_the_servers_name_wins(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), mailbox="Work")
        await bridge.sync()
        known = await ids(bridge, "Work")
        stage.user.rename("Work", "Theirs")
        place(bridge, "Work").rename(place(bridge, "Ours"))
        await bridge.sync()
        assert set(stage.user.mailboxes) == {"INBOX", "Theirs"}
        assert await ids(bridge, "Theirs") == known
        await agree(bridge, stage, "Theirs")


async def test_rename_onto_a_directory_in_use_keeps_the_old_directory(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), mailbox="A")
        await bridge.sync()
        known = await ids(bridge, "A")
        taken = make(bridge, "B")
        (taken / "cur" / "9.me:2,").write_bytes(letter(9))
        stage.user.rename("A", "B")
        await bridge.sync()
        record = await bridge.store.mailboxes.get(bridge.settings.id, "B")
        assert record.directory == ".A"
        assert await ids(bridge, "B") == known
        assert (taken / "cur" / "9.me:2,").exists()
    (stage.path / "store" / "index.sqlite3").unlink()
    async with stage.bridge() as bridge:
        await bridge.sync()
        record = await bridge.store.mailboxes.get(bridge.settings.id, "B")
        assert record.directory == ".A", "remembered over the loss of the index"
        assert await bridge.digests("B") == stage.there("B")


async def test_excluded_mailbox_is_neither_renamed_nor_missed(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), mailbox="Attic")
        await bridge.sync()
    async with stage.bridge(exclude=("Attic",)) as bridge:
        stage.user.delete("Attic")
        place(bridge, "Attic").rename(place(bridge, "Loft"))
        await bridge.sync()
        assert not any(word in command for command in stage.line.commands for word in (b"RENAME", b"DELETE"))
        assert len(list(place(bridge, "Loft").glob("[nc]*/*"))) == 1


async def test_pass_without_changes_asks_for_one_listing(stage):
    async with stage.bridge() as bridge:
        stage.deliver(letter(1), mailbox="A")
        await bridge.sync()
        before = len(stage.line.commands)
        await bridge.run_pass()
        words = [command.split()[0] for command in stage.line.commands[before:]]
        assert words.count(b"LIST") == 1
        assert not {b"SELECT", b"EXAMINE", b"STATUS", b"LSUB"} & set(words)
