"""The server as clients not of our making see it, and as ours does."""

import asyncio
import imaplib

import pytest

from daemon.demo import listener
from daemon.demo.imap.server import ImapServer
from daemon.model.clock import SystemClock
from daemon.model.ids import INBOX, MailboxName
from daemon.model.mailbox import SpecialUse
from daemon.model.secret import Secret
from daemon.model.settings import Tls
from daemon.model.uidset import UidSet
from daemon.net.endpoint import Endpoint
from daemon.net.imap.client import ImapClient


async def curl(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "curl", "-s", "--max-time", "10", *arguments, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode().replace("\r\n", "\n")


def no_sink(uid: int, size: int):
    raise AssertionError(f"{size} octets are no reason for a sink")


async def test_curl_lists_searches_and_fetches(server):
    url = f"imap://demo:secret@127.0.0.1:{server.port}"
    assert '"INBOX"' in await curl(url + "/")
    assert await curl(url + "/INBOX?ALL") == "* SEARCH 1 2 3\n"
    assert await curl(url + "/INBOX;UID=2") == "From: Ada <ada@example.org>\nSubject: letter 2\n\nText 2\n"


async def test_imaplib_appends_copies_and_expunges(server, user):
    def work() -> None:
        with imaplib.IMAP4("127.0.0.1", server.port) as imap:
            imap.login("demo", "secret")
            imap.append("Trash", "(\\Seen)", None, b"Subject: new\r\n\r\nText\r\n")
            assert imap.select("INBOX")[1] == [b"3"]
            assert imap.uid("COPY", "1", "Trash")[0] == "OK"
            imap.uid("STORE", "1", "+FLAGS", "(\\Deleted)")
            assert imap.expunge()[1] == [b"1"]

    await asyncio.to_thread(work)
    assert list(user.inbox.messages) == [2, 3]
    assert len(user.mailboxes["Trash"].messages) == 2


@pytest.mark.parametrize("without", [(), ("QRESYNC", "CONDSTORE", "ESEARCH", "LIST-EXTENDED", "LIST-STATUS")])
async def test_our_own_client_gets_the_same_with_and_without_extensions(user, without):
    async with ImapServer([user], without=without) as server:
        endpoint = Endpoint(host="127.0.0.1", port=server.port, tls=Tls.NONE)
        client = await ImapClient.connect(endpoint, clock=SystemClock())
        try:
            await client.authenticate("demo", Secret("secret"))
            assert client.has_qresync is (not without)
            listed = {one.name: one for one in await client.list_mailboxes()}
            assert set(listed) == {INBOX, "Trash", "صندوق", "صندوق/A & B"}
            assert listed[INBOX].message_count == 3
            assert listed[MailboxName("Trash")].special_use is SpecialUse.TRASH
            await client.select(b"INBOX")
            scan = await client.fetch_entries()
            sizes = {entry.uid: entry.size or 0 for entry in scan.entries}
            assert sizes == {uid: len(one.octets) for uid, one in user.inbox.messages.items()}
            assert await client.list_uids() == UidSet([1, 2, 3])
            bodies = {
                body.uid: body.octets
                async for body in client.fetch_bodies(UidSet(sizes), sizes, sink_for=no_sink)
            }
            assert bodies == {uid: one.octets for uid, one in user.inbox.messages.items()}
        finally:
            await client.logout()


async def test_server_comes_back_on_its_port_with_its_mail(user):
    server = ImapServer([user])
    async with server:
        port = server.port
    async with server:
        assert server.port == port
        assert await curl(f"imap://demo:secret@127.0.0.1:{port}/INBOX?ALL") == "* SEARCH 1 2 3\n"


async def test_dropped_client_hears_no_more(talk, server):
    await server.drop_clients()
    assert await talk.reader.read() == b""
    assert server.client_count == 0


async def test_clients_beyond_the_limit_are_not_served(connect, server, monkeypatch):
    monkeypatch.setattr(listener, "MOST_CLIENTS", 1)
    await connect(server=server)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.transport.abort()


async def test_one_command_of_many_small_literals_is_bounded(server):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    await reader.readline()
    writer.write(b"a LOGIN" + b" {1000+}\r\n" + (b"x" * 1000 + b" {1000+}\r\n") * 20)
    rest = await asyncio.wait_for(reader.read(), 10)
    assert b"TOOBIG" in rest
    writer.close()


async def test_clients_dropped_at_the_end_are_no_error_of_the_loop(user):
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    async with ImapServer([user]) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.sleep(0.05)
        assert server.client_count == 1
    await asyncio.sleep(0.05)
    assert complaints == []
    writer.close()


@pytest.mark.parametrize("without", ["CONDSTORE", "ENABLE"])
async def test_qresync_is_not_offered_without_what_it_stands_on(user, without):
    async with ImapServer([user], without=[without]) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"a CAPABILITY\r\n")
        answer = await reader.readline() + await reader.readline()
        assert b"IDLE" in answer
        assert b"QRESYNC" not in answer
        writer.close()
