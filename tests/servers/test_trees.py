"""Mailboxes and moves over servers that differ most: made, renamed and removed on either side, nothing fetched or sent twice."""

import pytest

from tests.servers.conftest import UNLIKE
from tests.servers.test_engine import assert_same, fill, put
from tests.support import corpus
from tests.support.bridge import open_bridge
from tests.support.server_side import server_side
from tests.sync.stage import letter, sha
from tests.sync.test_mailbox_changes import ids, make, place


@pytest.fixture(params=UNLIKE)
def kind(request) -> str:
    return request.param


async def test_directories_made_here_become_mailboxes_of_this_server(mailbag, tmp_path):
    letters = [letter(number) for number in range(3)]
    names = ("Projekte/Grün", "Письма", "a b")
    with server_side(mailbag) as server:
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            for number, name in enumerate(names):
                make(bridge, name)
                (place(bridge, name) / "cur" / f"{number}.me.host:2,S").write_bytes(letters[number])
            result = await bridge.sync()
            assert (result.uploaded, result.failed) == (len(names), 0)
            for number, name in enumerate(names):
                assert server.digests(name) == [sha(letters[number])]
            await assert_same(bridge, server, *names)


KEEPING = [kind for kind in UNLIKE if not kind.startswith("courier")]
"""Servers where a renamed mailbox keeps its UIDVALIDITY; Courier gives it another and has no ids, so it is a new one."""


@pytest.mark.parametrize("kind", KEEPING, indirect=True)
async def test_rename_on_the_server_is_a_rename_here(mailbag, tmp_path):
    with server_side(mailbag) as server:
        for name in ("Work", "Work/old"):
            fill(server, name, corpus.small(2, seed=len(name)), "\\Seen")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            known = {**await ids(bridge, "Work"), **await ids(bridge, "Work/old")}
            server.rename("Work", "Arbeit")
            result = await bridge.sync()
            assert (result.downloaded, result.removed_here, result.failed, result.held) == (0, 0, 0, 0)
            assert {**await ids(bridge, "Arbeit"), **await ids(bridge, "Arbeit/old")} == known
            await assert_same(bridge, server, "Arbeit", "Arbeit/old")


@pytest.mark.parametrize("kind", ["courier"], indirect=True)
async def test_rename_that_nothing_proves_loses_nothing(mailbag, tmp_path):
    """The mailbox of the new name is complete before the old one goes; a second old one waits for a person."""
    with server_side(mailbag) as server:
        for name in ("Work", "Work/old"):
            fill(server, name, corpus.small(2, seed=len(name)), "\\Seen")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            server.rename("Work", "Arbeit")
            result = await bridge.sync()
            assert (result.downloaded, result.uploaded, result.failed) == (4, 0, 0)
            for name in ("Arbeit", "Arbeit/old"):
                assert await bridge.digests(name) == server.digests(name)
                assert len(server.uids(name)) == 2
            assert result.removed_here + result.held == 4


async def test_rename_here_is_a_rename_on_the_server(mailbag, tmp_path):
    """With a new UIDVALIDITY too, as Courier gives it: what is here is found again, not fetched again."""
    with server_side(mailbag) as server:
        fill(server, "Lists", corpus.small(3), "\\Seen")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            known = await ids(bridge, "Lists")
            place(bridge, "Lists").rename(place(bridge, "Listen"))
            result = await bridge.sync()
            assert (result.uploaded, result.downloaded, result.failed, result.held) == (0, 0, 0, 0)
            assert await ids(bridge, "Listen") == known
            assert server.has("Listen")
            assert not server.has("Lists")
            await assert_same(bridge, server, "Listen")


async def test_mailbox_removed_on_the_server_is_removed_here(mailbag, tmp_path):
    with server_side(mailbag) as server:
        fill(server, "Gone", corpus.small(2), "\\Seen")
        fill(server, "Kept", corpus.small(1, seed=2), "\\Seen")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            server.delete("Gone")
            result = await bridge.sync()
            assert (result.removed_here, result.failed, result.held) == (2, 0, 0)
            assert not place(bridge, "Gone").exists()
            await assert_same(bridge, server, "INBOX", "Kept")


async def test_move_on_the_server_is_a_rename_here(mailbag, tmp_path):
    with server_side(mailbag) as server:
        fill(server, "INBOX", corpus.small(5), "\\Seen", "project")
        server.ensure("Archive")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            known = await ids(bridge, "INBOX")
            uids = server.uids("INBOX")
            status, data = server.imap.uid("COPY", f"{uids[1]}:{uids[3]}", server.wire("Archive"))
            assert status == "OK", data
            server.expunge(uids[1:4])
            result = await bridge.sync()
            assert (result.moved, result.downloaded, result.removed_here, result.uploaded) == (3, 0, 0, 0)
            assert len(await bridge.files("Archive")) == 3
            assert {**await ids(bridge, "INBOX"), **await ids(bridge, "Archive")} == known
            await assert_same(bridge, server, "INBOX", "Archive")


async def test_message_moved_here_and_back_ends_where_it_was(mailbag, tmp_path):
    with server_side(mailbag) as server:
        server.ensure("Archive")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            octets = corpus.small(1)[0]
            path = put(bridge, "1.me.host", octets)
            await bridge.sync()
            away = place(bridge, "Archive") / "cur" / path.name
            path.rename(away)
            assert (await bridge.sync()).moved == 1
            away.rename(path)
            assert (await bridge.sync()).moved == 1
            assert (len(server.uids("INBOX")), len(server.uids("Archive"))) == (1, 0)
            assert path.read_bytes() == octets
            assert (await bridge.run_pass()).is_quiet
