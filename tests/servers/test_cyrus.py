"""What is Cyrus's own: all its extensions used, its name spaces, its accounts, and what it does not keep of its word."""

import re

import pytest

from daemon.model.clock import SystemClock
from daemon.model.errors import AuthenticationFailed
from daemon.model.mailbox import SpecialUse
from daemon.model.secret import Secret
from daemon.model.settings import Tls
from daemon.net.endpoint import Endpoint
from daemon.net.imap.client import ImapClient
from tests.servers.test_engine import assert_same, fill, put
from tests.support import corpus
from tests.support.bridge import open_bridge
from tests.support.server_side import server_side


@pytest.fixture(params=["cyrus", "cyrus-unix"])
def kind(request) -> str:
    return request.param


async def log_in(mailbag, *, tls=Tls.IMPLICIT, password=None, **options) -> ImapClient:
    port = mailbag.server.imaps_port if tls is Tls.IMPLICIT else mailbag.server.imap_port
    endpoint = Endpoint(host="localhost", port=port, tls=tls, ca_file=mailbag.server.ca_file)
    client = await ImapClient.connect(endpoint, clock=SystemClock(), **options)
    await client.authenticate(mailbag.user, Secret(password or mailbag.password))
    return client


async def test_every_extension_that_helps_is_used(mailbag):
    client = await log_in(mailbag)
    for name in ("QRESYNC", "MOVE", "MULTIAPPEND", "ESEARCH", "LIST-STATUS", "OBJECTID", "LITERAL+", "IDLE"):
        assert client.caps.has(name), name
    assert client.has_qresync
    await client.logout()


@pytest.mark.parametrize("tls", [Tls.NONE, Tls.STARTTLS])
async def test_wrong_password_is_refused_as_one_on_any_line(mailbag, tls):
    with pytest.raises(AuthenticationFailed):
        await log_in(mailbag, tls=tls, password="wrong")
    await (await log_in(mailbag, tls=tls)).logout()


async def test_pass_after_a_pause_is_told_what_changed_and_nothing_else(mailbag, tmp_path):
    """QRESYNC; the UIDs that went are the highest, of which Cyrus says nothing to who asks up to the last one."""
    with server_side(mailbag) as server:
        fill(server, "INBOX", corpus.small(60), "\\Seen")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
        uids = server.uids()
        server.store(uids[:1], "+", "\\Flagged")
        server.expunge(uids[-2:])
        lines: list[str] = []
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            bridge.client = await log_in(mailbag, trace=lambda _, line: lines.append(line))
            await bridge.sync()
            await assert_same(bridge, server)
        fetched = {int(uid) for line in lines for uid in re.findall(r"FETCH \(.*UID (\d+)", line)}
        assert fetched == {uids[0]}
        assert any("VANISHED (EARLIER)" in line for line in lines)


async def test_compressed_line_carries_the_same_octets(mailbag, tmp_path):
    with server_side(mailbag) as server:
        fill(server, "INBOX", corpus.messages(10, smallest=2_000, largest=40_000), "\\Seen")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            bridge.client = await log_in(mailbag, compress="on")
            assert (await bridge.sync()).downloaded == 10
            assert bridge.client.is_compressed
            await assert_same(bridge, server)


async def test_copy_of_a_message_has_its_email_id(mailbag):
    """OBJECTID: the same EMAILID is the same octets, in whatever mailbox."""
    with server_side(mailbag) as server:
        fill(server, "INBOX", corpus.small(3), "\\Seen")
        server.ensure("Archive")
        server.select("INBOX")
        server.imap.uid("COPY", "1:2", server.wire("Archive"))
        client = await log_in(mailbag)
        ids = []
        for box in sorted(await client.list_mailboxes(), key=lambda box: box.name, reverse=True):
            await client.select(box.wire_name)
            ids.append([entry.email_id for entry in (await client.fetch_entries(with_size=True)).entries])
        assert None not in ids[0]
        assert len(set(ids[0])) == 3
        assert ids[0][:2] == ids[1]
        await client.logout()


async def test_roles_of_mailboxes_are_read_and_deletions_go_to_the_trash(mailbag, tmp_path):
    with server_side(mailbag) as server:
        status, data = server.imap.xatom("CREATE", server.wire("Bin"), "(USE (\\Trash))")
        assert status == "OK", data
        fill(server, "INBOX", corpus.small(3), "\\Seen")
        async with open_bridge(tmp_path / "store", mailbag, delete="trash") as bridge:
            await bridge.sync()
            roles = {box.name: box.special_use for box in await bridge.client.list_mailboxes()}
            assert roles["Bin"] is SpecialUse.TRASH
            min((await bridge.files()).values()).unlink()
            await bridge.sync()
            assert (len(server.uids("INBOX")), len(server.uids("Bin"))) == (2, 1)
            await assert_same(bridge, server, "INBOX", "Bin")


async def test_mailboxes_of_other_users_stay_out_of_the_way(mailbag, tmp_path):
    """Those shared with us are listed below `user`, a name space that is not personal."""
    other = type(mailbag)(mailbag.server, f"{mailbag.user}x")
    with server_side(other) as theirs:
        fill(theirs, "Shared", corpus.small(2))
        root = theirs.wire("Shared")
        status, data = theirs.imap.setacl(root, mailbag.user, "lrs")
        assert status == "OK", data
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        await bridge.sync()
        await bridge.sync()
        with server_side(mailbag) as server:
            await assert_same(bridge, server)


async def test_message_over_the_quota_stays_here_and_the_others_go_on(mailbag, tmp_path):
    admin = type(mailbag)(mailbag.server, "admin")
    with server_side(mailbag) as server:
        fill(server, "INBOX", corpus.small(2), "\\Seen")
        with server_side(admin) as boss:
            root = "user/" if mailbag.server.has_unix_hierarchy else "user."
            status, data = boss.imap.setquota(f'"{root}{mailbag.user}"', "(STORAGE 4)")
            assert status == "OK", data
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            put(bridge, "large.me.host", b"Subject: large\r\n\r\n" + b"x" * 20_000 + b"\r\n")
            path = min((await bridge.files()).values())
            path.rename(path.with_name(path.name.partition(":")[0] + ":2,FS"))
            result = await bridge.sync()
            assert (result.uploaded, result.flags_changed) == (0, 1)
            assert len(await bridge.files()) == 3
            assert len(server.uids()) == 2
