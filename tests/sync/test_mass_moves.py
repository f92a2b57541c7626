"""500 messages moved between mailboxes on either side of a real Dovecot: nothing of any message crosses the line.

Asserted on what a proxy recorded: no body fetched, nothing appended, and no octet of any body in either direction.
"""

import contextlib
import hashlib
import os

import pytest

from daemon.model.events import EventName
from daemon.model.settings import Tls
from tests.conftest import Mailbag
from tests.support.bridge import ACCOUNT, open_bridge, settings_for
from tests.support.proxy import WireProxy
from tests.support.server_side import server_side

COUNT = 500
MARK = b"what nobody should read twice"
LESS = "IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE NAMESPACE UIDPLUS"
"""No MOVE, QRESYNC, CONDSTORE, LIST-STATUS or UNSELECT."""

SERVERS = pytest.mark.parametrize("capability", [None, LESS], ids=["all", "uidplus"])


def letters() -> list[bytes]:
    return [
        (
            f"Received: from somewhere by elsewhere with id {number * 7919}\r\nMessage-ID: <{number}@mass>\r\n"
            f"Subject: letter {number}\r\n\r\n"
        ).encode()
        + MARK * (1 + number % 40)
        + b"\r\n"
        for number in range(COUNT)
    ]


@contextlib.asynccontextmanager
async def in_step(factory, path, capability):
    """A store in step with a server that has all messages in INBOX; and the line, recorded."""
    server = factory(capability=capability)
    mailbag = Mailbag(server, "mover")
    mailbag.fill("INBOX", letters())
    mailbag.fill("Archive", [])
    async with WireProxy(server.imap_port) as proxy:
        settings = settings_for(mailbag, port=proxy.port, tls=Tls.NONE, ca_file=None)
        async with open_bridge(path / "store", mailbag, settings=settings) as bridge:
            await bridge.sync()
            await bridge.disconnect()
            proxy.sessions.clear()
            yield bridge, mailbag, proxy


def assert_nothing_crossed(proxy: WireProxy) -> None:
    assert proxy.sessions
    for session in proxy.sessions:
        assert session.bodies_fetched() == []
        assert b"APPEND" not in session.to_server
        assert MARK not in session.to_client
        assert MARK not in session.to_server


async def assert_moved(bridge, mailbag, ids) -> None:
    expected = sorted(hashlib.sha256(octets).hexdigest() for octets in letters())
    assert await bridge.digests("Archive") == expected
    assert await bridge.digests() == []
    with server_side(mailbag) as server:
        assert server.digests("Archive") == expected
        assert server.uids() == []
    base = await bridge.store.base.load(ACCOUNT, "Archive")
    assert {entry.message_id for entry in base.entries} == ids, "the same messages all along"
    assert len(await bridge.store.events.since(None, types={EventName.MESSAGE_MOVED})) == COUNT
    assert not await bridge.store.events.since(None, types={EventName.MESSAGE_DELETED})
    assert (await bridge.run_pass()).is_quiet


async def ids_of(bridge) -> set:
    return {entry.message_id for entry in (await bridge.store.base.load(ACCOUNT, "INBOX")).entries}


@pytest.mark.slow
@SERVERS
async def test_moved_on_the_server_they_are_renamed_here(dovecot_factory, tmp_path, capability):
    async with in_step(dovecot_factory, tmp_path, capability) as (bridge, mailbag, proxy):
        ids = await ids_of(bridge)
        with server_side(mailbag) as server:
            server.select()
            status, data = server.imap.uid("COPY", "1:*", "Archive")
            assert status == "OK", data
            server.expunge(server.uids())
        result = await bridge.sync()
        assert (result.moved, result.downloaded, result.removed_here, result.held) == (COUNT, 0, 0, 0)
        assert_nothing_crossed(proxy)
        await assert_moved(bridge, mailbag, ids)


@pytest.mark.slow
@SERVERS
@pytest.mark.parametrize("renamed", [False, True], ids=["same-name", "other-name"])
async def test_moved_here_they_are_moved_on_the_server(dovecot_factory, tmp_path, capability, renamed):
    async with in_step(dovecot_factory, tmp_path, capability) as (bridge, mailbag, proxy):
        ids = await ids_of(bridge)
        for number, path in enumerate((await bridge.files()).values()):
            name = f"{number}.mover.host:2,S" if renamed else path.name
            os.rename(path, bridge.tree.root / ".Archive" / "cur" / name)
        result = await bridge.sync()
        assert (result.moved, result.uploaded, result.expunged_there, result.held) == (COUNT, 0, 0, 0)
        assert_nothing_crossed(proxy)
        sent = b"".join(bytes(session.to_server) for session in proxy.sessions)
        assert sent.count(b"UID MOVE" if capability is None else b"UID COPY") == 1
        await assert_moved(bridge, mailbag, ids)
