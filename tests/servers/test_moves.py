"""Moves that another client makes on the server, on every server there is: one rename here, no body on the line."""

import pytest

from daemon.model.events import EventName
from daemon.model.settings import Tls
from tests.servers.test_engine import assert_same, base_of, fill
from tests.support import corpus
from tests.support.bridge import open_bridge, settings_for
from tests.support.proxy import WireProxy
from tests.support.server_side import server_side


@pytest.mark.parametrize("only", [None, "INBOX", "Archive"], ids=["all", "source", "target"])
async def test_messages_moved_by_another_client_are_renamed_here(mailbag, tmp_path, only):
    """Heard of from either end, and in a pass over everything."""
    with server_side(mailbag) as server:
        fill(server, "INBOX", corpus.small(12), "\\Seen", "project")
        fill(server, "Archive", corpus.small(2, seed=9))
        async with WireProxy(mailbag.server.imap_port) as proxy:
            settings = settings_for(mailbag, port=proxy.port, tls=Tls.NONE, ca_file=None)
            async with open_bridge(tmp_path / "store", mailbag, settings=settings) as bridge:
                await bridge.sync()
                await bridge.disconnect()
                before = await base_of(bridge)
                proxy.sessions.clear()
                moved = server.uids()[:8]
                status, data = server.imap.uid("COPY", ",".join(map(str, moved)), server.wire("Archive"))
                assert status == "OK", data
                server.expunge(moved)
                if only is not None:
                    result = await bridge.run_pass(only={only})
                    assert (result.moved, result.downloaded, result.removed_here) == (8, 0, 0)
                result = await bridge.sync()
                assert (result.moved, result.downloaded) == (8 if only is None else 0, 0)
                assert not [sha for session in proxy.sessions for sha in session.bodies_fetched()]
                here = {entry.message_id for entry in (await base_of(bridge, "Archive")).values()}
                assert here >= {before[uid].message_id for uid in moved}
                told = await bridge.store.events.since(None, types={EventName.MESSAGE_MOVED})
                assert len(told) == 8
                await assert_same(bridge, server, "INBOX", "Archive")
