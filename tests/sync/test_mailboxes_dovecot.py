"""Mailboxes on a real Dovecot, both ways: names in any script, hierarchies, ids or none, subscriptions.

The server keeps Maildir++ or plain directories (`LAYOUT=fs`), with and without the extensions that make it easy.
"""

import shutil

import pytest

from daemon.model.ids import MailboxName
from tests.conftest import Mailbag
from tests.support.bridge import open_bridge
from tests.support.server_side import modified_utf7, server_side
from tests.sync.stage import letter, sha
from tests.sync.test_mailbox_changes import LAYOUTS, ids, make, place, told

PLAIN = "IMAP4rev1 UIDPLUS IDLE LITERAL+ ID UNSELECT"
NAMES = (
    "Work", "work", "Entwürfe & Pläne", "日本語/メール", "наши/письма", "صندوق", "e\u0301", "a b", "100%", 'quo"te',
    "x" * 100,
)  # fmt: skip


AWKWARD = {
    "/": (
        ".", "..", "../x", "a/../b", "a/./b", ".hidden", "a.b", "~root", "cur", "new/tmp", "back\\slash", "Work", "work",
        "del\x7f", "tab\there", "esc\x1b[2J",
    ),
    ".": ("a/b", "/", "a.b", "~root", "cur", "new.tmp", "Work", "work", "tab\there"),
}  # fmt: skip
"""Names that a server with this delimiter can have; Dovecot takes them with its plugin `listescape`."""


def keep_as_directories(server, inbox: str) -> None:
    """Have the server keep mailboxes in plain directories, named as they are."""
    server.stop()
    config = server.home / "dovecot.conf"
    where = f"maildir:{server.home}/mail/%u:UTF-8"
    config.write_text(
        config.read_text().replace(where, f"{where}:LAYOUT=fs:INBOX={server.home}/mail/{inbox}")
    )
    server.start()


def escaping(factory, delimiter: str):
    """A server that escapes in its directories what its format cannot name."""
    server = factory(protocols="imap", extra="protocol imap {\n  mail_plugins = listescape\n}")
    server.stop()
    config = server.home / "dovecot.conf"
    config.write_text(config.read_text().replace("separator = /", f"separator = {delimiter}"))
    server.start()
    return server


@pytest.fixture(params=["all", "plain"])
def bag(request, dovecot, dovecot_factory) -> Mailbag:
    """A fresh user of a server that offers much, and of one that offers next to nothing and keeps plain directories."""
    name = f"boxes{abs(hash(request.node.name))}"
    if request.param == "all":
        return Mailbag(dovecot, name)
    server = dovecot_factory(capability=PLAIN, protocols="imap")
    keep_as_directories(server, "%u-inbox")
    return Mailbag(server, name)


def quoted(name: str) -> str:
    return '"' + modified_utf7(name).replace("\\", "\\\\").replace('"', '\\"') + '"'


def listed(server) -> set[str]:
    """Wire names of all mailboxes, as another client sees them."""
    lines = server.imap.list()[1]
    found = set()
    for line in lines:
        text = b"".join(line[:2]) if isinstance(line, tuple) else line
        if b"\\Noselect" in text:
            continue
        found.add(line[1] if isinstance(line, tuple) else text.rpartition(b' "/" ')[2].strip(b'"'))
    return {name.decode().replace('\\"', '"').replace("\\\\", "\\") for name in found}


def do(server, command: str, *args: str) -> None:
    status, data = getattr(server.imap, command)(*args)
    assert status == "OK", data


@LAYOUTS
async def test_names_in_any_script_come_with_their_mail(bag, tmp_path, layout):
    with server_side(bag) as server:
        for number, name in enumerate(NAMES):
            do(server, "create", quoted(name))
            status, _ = server.imap.append(quoted(name), None, None, letter(number))
            assert status == "OK"
    async with open_bridge(tmp_path / "store", bag, layout=layout) as bridge:
        result = await bridge.sync()
        assert (result.downloaded, result.failed) == (len(NAMES), 0)
        records = {record.wire_name.decode(): record for record in await bridge.store.mailboxes.list("work")}
        assert len({record.directory for record in records.values()}) == len(records)
        for number, name in enumerate(NAMES):
            record = records[modified_utf7(name)]
            assert await bridge.digests(record.name) == [sha(letter(number))]
        assert (await bridge.run_pass()).is_quiet


@LAYOUTS
@pytest.mark.parametrize("delimiter", AWKWARD)
async def test_awkward_names_of_a_real_server_are_served_both_ways_within_the_tree(
    dovecot_factory, tmp_path, layout, delimiter
):
    """Dots, slashes within a name, controls, case twins: each has a directory of its own, and none leads out."""
    names = AWKWARD[delimiter]
    bag = Mailbag(escaping(dovecot_factory, delimiter), "awkward")
    with server_side(bag) as server:
        for number, name in enumerate(names):
            if name.isprintable():
                do(server, "create", quoted(name))
            else:  # Dovecot makes none with controls, and serves what is there
                directory = bag.server.mailbox_dir(bag.user, name)
                for part in ("tmp", "new", "cur"):
                    (directory / part).mkdir(parents=True)
                bag.server.own(bag.user)
            status, data = server.imap.append(quoted(name), None, None, letter(number))
            assert status == "OK", (name, data)
        async with open_bridge(tmp_path / "store", bag, layout=layout) as bridge:
            result = await bridge.sync()
            assert (result.downloaded, result.failed) == (len(names), 0)
            records = {one.wire_name.decode(): one for one in await bridge.store.mailboxes.list("work")}
            assert len({one.directory for one in records.values()}) == len(records)
            for number, name in enumerate(names):
                record = records[modified_utf7(name)]
                directory = (bridge.tree.root / record.directory).resolve()
                assert directory.is_relative_to(bridge.tree.root.resolve()), name
                assert await bridge.digests(record.name) == [sha(letter(number))]
                (directory / "cur" / f"{number}.me.host:2,S").write_bytes(letter(100 + number))
            result = await bridge.sync()
            assert (result.uploaded, result.failed) == (len(names), 0)
            for number, name in enumerate(names):
                server.select(name)
                assert sorted(server.bodies(name).values()) == sorted([letter(number), letter(100 + number)])
            assert (await bridge.run_pass()).is_quiet
            assert {path.name for path in bridge.tree.root.parent.iterdir()} == {bridge.tree.root.name}


@LAYOUTS
async def test_directories_in_any_script_become_mailboxes(bag, tmp_path, layout):
    names = ("Projekte/Grün", "Projekte/grün", "日本語", "наши/письма/старые", "two words")
    async with open_bridge(tmp_path / "store", bag, layout=layout) as bridge:
        await bridge.sync()
        for number, name in enumerate(names):
            (make(bridge, name) / "cur" / f"{number}.me:2,S").write_bytes(letter(number))
        result = await bridge.sync()
        assert (result.uploaded, result.failed) == (len(names), 0)
        assert (await bridge.run_pass()).is_quiet
        assert {("mailbox.created", name) for name in names} <= set(await told(bridge))
    with server_side(bag) as server:
        assert {modified_utf7(name) for name in names} <= listed(server)
        for number, name in enumerate(names):
            assert server.digests(name) == [sha(letter(number))]
        subscribed = b" ".join(
            line if isinstance(line, bytes) else b"".join(line) for line in server.imap.lsub()[1]
        )
        for name in names:
            assert modified_utf7(name).encode() in subscribed


@LAYOUTS
async def test_rename_on_the_server_is_followed_with_children_and_nothing_is_fetched_again(
    bag, tmp_path, layout
):
    with server_side(bag) as server:
        for name in ("Lists", "Lists/python", "Other"):
            server.create(name)
            for number in range(3):
                server.append(letter(number, name), name)
        async with open_bridge(tmp_path / "store", bag, layout=layout) as bridge:
            await bridge.sync()
            known = {name: await ids(bridge, name) for name in ("Lists", "Lists/python")}
            do(server, "rename", "Lists", quoted("Группы"))
            result = await bridge.sync()
            assert (result.downloaded, result.removed_here, result.failed) == (0, 0, 0)
            assert await ids(bridge, "Группы") == known["Lists"]
            assert await ids(bridge, "Группы/python") == known["Lists/python"]
            assert len(list(place(bridge, "Группы/python").glob("[nc]*/*"))) == 3
            assert sorted(await told(bridge)) == [
                ("mailbox.renamed", "Группы"), ("mailbox.renamed", "Группы/python"),
            ]  # fmt: skip
            assert (await bridge.run_pass()).is_quiet


@LAYOUTS
async def test_rename_here_is_followed_on_the_server(bag, tmp_path, layout):
    with server_side(bag) as server:
        for name in ("Work", "Work/old"):
            server.create(name)
            server.append(letter(len(name)), name)
        async with open_bridge(tmp_path / "store", bag, layout=layout) as bridge:
            await bridge.sync()
            known = {**await ids(bridge, "Work"), **await ids(bridge, "Work/old")}
            place(bridge, "Work").rename(place(bridge, "Arbeit"))
            if layout == "maildir++":
                place(bridge, "Work/old").rename(place(bridge, "Arbeit/old"))
            result = await bridge.sync()
            assert (result.uploaded, result.failed, result.held) == (0, 0, 0)
            assert {**await ids(bridge, "Arbeit"), **await ids(bridge, "Arbeit/old")} == known
            names = listed(server)
            assert {"Arbeit", "Arbeit/old"} <= names
            assert not {"Work", "Work/old"} & names
            assert server.digests("Arbeit/old") == [sha(letter(8))]
            assert (await bridge.run_pass()).is_quiet


async def test_removal_on_the_server_is_followed_and_new_mail_here_survives_it(bag, tmp_path):
    with server_side(bag) as server:
        for name in ("Gone", "Kept"):
            server.create(name)
        server.append(letter(1), "Gone")
        async with open_bridge(tmp_path / "store", bag) as bridge:
            await bridge.sync()
            (place(bridge, "Kept") / "cur" / "7.me:2,S").write_bytes(letter(7))
            for name in ("Gone", "Kept"):
                do(server, "delete", name)
            result = await bridge.sync()
            assert (result.removed_here, result.uploaded, result.failed) == (1, 1, 0)
            assert not place(bridge, "Gone").exists()
            assert server.digests("Kept") == [sha(letter(7))]
            assert (await bridge.run_pass()).is_quiet


async def test_approved_removal_here_is_followed_on_the_server(bag, tmp_path):
    with server_side(bag) as server:
        server.create("Gone")
        server.append(letter(1), "Gone")
        async with open_bridge(tmp_path / "store", bag) as bridge:
            await bridge.sync()
            shutil.rmtree(place(bridge, "Gone"))
            assert (await bridge.sync()).held == 1
            await bridge.engine.approve(MailboxName("Gone"))
            assert (await bridge.sync()).expunged_there == 1
            assert "Gone" not in listed(server)
            assert not bridge.engine.held
            assert (await bridge.run_pass()).is_quiet


async def test_renamed_inbox_stays_inbox(bag, tmp_path):
    """RFC 9051 §6.3.6. Dovecot refuses it for some mailbox formats and moves the messages for others."""
    with server_side(bag) as server:
        server.append(letter(1))
        async with open_bridge(tmp_path / "store", bag) as bridge:
            await bridge.sync()
            known = await ids(bridge, "INBOX")
            status, _ = server.imap.rename("INBOX", "Saved")
            (bridge.tree.root / "cur" / "9.me:2,S").write_bytes(letter(9))
            await bridge.sync()
            assert await bridge.store.mailboxes.get("work", "INBOX") is not None
            assert server.digests("INBOX") == await bridge.digests()
            if status == "OK":
                assert await bridge.digests("Saved") == [sha(letter(1))]
                assert await bridge.digests() == [sha(letter(9))]
                assert await ids(bridge, "Saved") == known
            else:
                assert len(await bridge.digests()) == 2
            assert (await bridge.run_pass()).is_quiet


@pytest.mark.parametrize("name", ["a.b", "~root"])
async def test_name_that_only_some_servers_take_keeps_nothing_waiting(bag, tmp_path, name):
    """A dot in a name is nothing to a server with plain directories, and cannot be stored in Maildir++."""
    async with open_bridge(tmp_path / "store", bag) as bridge:
        await bridge.sync()
        (make(bridge, name) / "cur" / "1.me:2,S").write_bytes(letter(1))
        (make(bridge, "fine") / "cur" / "2.me:2,S").write_bytes(letter(2))
        result = await bridge.sync()
        with server_side(bag) as server:
            is_taken = name in listed(server)
        assert (result.uploaded, result.failed) == ((2, 0) if is_taken else (1, 1))
        assert (place(bridge, name) / "cur" / "1.me:2,S").exists()
        again = await bridge.run_pass()
        assert (again.is_quiet, again.failed) == (True, 0), "said once"


async def test_subscriptions_follow_both_ways(bag, tmp_path):
    with server_side(bag) as server:
        for name in ("A", "B"):
            server.create(name)
            do(server, "subscribe", name)
        async with open_bridge(tmp_path / "store", bag) as bridge:
            await bridge.sync()
            path = bridge.tree.root / "subscriptions"
            lines = path.read_text().splitlines()
            assert {"A", "B"} <= set(lines)
            path.write_text("\n".join(line for line in lines if line != "A") + "\n")
            do(server, "unsubscribe", "B")
            await bridge.run_pass()
            assert not {"A", "B"} & set(path.read_text().splitlines())
            said = b" ".join(line for line in server.imap.lsub()[1] if isinstance(line, bytes))
            assert b"A" not in said.split()
            assert b"B" not in said.split()


@pytest.mark.parametrize("layout", ["maildir++", "fs"])
async def test_tree_is_read_by_a_dovecot_in_front_with_its_names_and_subscriptions(
    bag, tmp_path, dovecot_factory, layout
):
    """What the file says in the tree is what Dovecot reads there, and what Dovecot writes there comes back."""
    with server_side(bag) as server:
        for name in ("Пример", "A/B"):
            server.create(name)
            do(server, "subscribe", quoted(name))
    async with open_bridge(tmp_path / "store", bag, layout=layout) as bridge:
        await bridge.sync()
        front = dovecot_factory(protocols="imap")
        tree = front.home / "mail" / "reader"
        shutil.copytree(bridge.tree.root, tree)
        front.own("reader")
        if layout == "fs":
            keep_as_directories(front, "%u/INBOX")
        with server_side(Mailbag(front, "reader")) as reader:
            subscribed = {line.rpartition(b" ")[2].strip(b'"') for line in reader.imap.lsub()[1]}
            assert {modified_utf7("Пример").encode(), b"A/B"} <= subscribed
            do(reader, "unsubscribe", quoted("Пример"))
            do(reader, "subscribe", "Drafts")
        shutil.copy(tree / "subscriptions", bridge.tree.root / "subscriptions")
        await bridge.run_pass()
    with server_side(bag) as server:
        said = b" ".join(line for line in server.imap.lsub()[1] if isinstance(line, bytes))
        assert modified_utf7("Пример").encode() not in said
        assert b"A/B" in said
        assert b"Drafts" in said
