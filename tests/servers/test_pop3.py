"""The POP3 client on Courier, with IMAP as the witness: byte for byte, ids that stay, deletions that count at QUIT."""

import pytest

from daemon.model.clock import SystemClock
from daemon.model.errors import AuthenticationFailed
from daemon.model.secret import Secret
from daemon.model.settings import Tls
from daemon.net.endpoint import Endpoint
from daemon.net.pop3.client import Pop3Client
from tests.servers.test_engine import fill
from tests.support import corpus
from tests.support.server_side import server_side
from tests.sync.stage import sha

DOTTED = [
    b"Subject: dots\r\n\r\n.\r\n..\r\n...three\r\n.end\r\n",
    b".first line\r\nSubject: with a dot before it\r\n\r\n",
    b"Subject: no body\r\n\r\n",
    b"Subject: no end\r\n\r\nlast line",
]


@pytest.fixture
def kind() -> str:
    return "courier"


def no_sink(number, size):
    raise AssertionError("no sink expected")


async def log_in(mailbag, tls=Tls.NONE, password=None) -> Pop3Client:
    server = mailbag.server
    port = server.pop3s_port if tls is Tls.IMPLICIT else server.pop3_port
    endpoint = Endpoint(host="localhost", port=port, tls=tls, ca_file=server.ca_file)
    client = await Pop3Client.connect(endpoint, clock=SystemClock())
    await client.authenticate(mailbag.user, Secret(password or mailbag.password))
    return client


@pytest.mark.parametrize("tls", [Tls.IMPLICIT, Tls.STARTTLS, Tls.NONE])
async def test_messages_are_those_of_imap_byte_for_byte(mailbag, tls):
    if tls is Tls.STARTTLS and not mailbag.server.has_starttls:
        pytest.skip("couriertls finds no user `courier` here")
    with server_side(mailbag) as server:
        fill(server, "INBOX", [*corpus.messages(20), *DOTTED])
        client = await log_in(mailbag, tls)
        entries = await client.list_messages()
        assert len({entry.uidl for entry in entries}) == len(entries) == 24
        sizes = {entry.number: entry.size for entry in entries}
        got = [one async for one in client.fetch_messages(sizes, sizes, sink_for=no_sink)]
        await client.quit()
        # Numbers follow the names of files, UIDs the order of arrival.
        assert sorted(one.octets for one in got) == sorted(server.bodies().values())
        assert [len(one.octets) for one in got] == [sizes[one.number] for one in got]


async def test_deletions_count_at_quit_and_ids_stay(mailbag):
    with server_side(mailbag) as server:
        fill(server, "INBOX", corpus.small(8))
        before = server.digests()
        client = await log_in(mailbag)
        first = await client.list_messages()
        assert await client.dele([1, 2]) == (None, None)
        client.abort()
        assert server.digests() == before
        client = await log_in(mailbag)
        assert [(one.uidl, one.size) for one in await client.list_messages()] == [
            (one.uidl, one.size) for one in first
        ]
        got = {one.number: one.octets async for one in client.fetch_messages([1, 5], {}, sink_for=no_sink)}
        await client.dele([1, 5])
        await client.quit()
        before.remove(sha(got[1]))
        before.remove(sha(got[5]))
        assert server.digests() == before
        client = await log_in(mailbag)
        assert [one.uidl for one in await client.list_messages()] == [
            one.uidl for one in first if one.number not in {1, 5}
        ]
        await client.quit()


async def test_headers_come_without_bodies(mailbag):
    with server_side(mailbag) as server:
        fill(server, "INBOX", [b"Subject: one\r\n\r\nbody\r\n"])
        client = await log_in(mailbag)
        assert (await client.top(1)).startswith(b"Subject: one\r\n\r\n")
        assert b"body" not in await client.top(1)
        await client.quit()


async def test_wrong_password_is_refused_as_one(mailbag):
    with pytest.raises(AuthenticationFailed):
        await log_in(mailbag, tls=Tls.IMPLICIT, password="wrong")
