import asyncio
import email
import imaplib
import poplib
from email.policy import default

import pytest

from daemon.demo.server import DemoServer


def look(port: int, user) -> dict[str, list[str]]:
    """What an independent client finds: subjects by mailbox."""
    with imaplib.IMAP4("127.0.0.1", port) as imap:
        imap.login(user.name, user.password)
        found = {}
        for line in imap.list()[1]:
            name = line.decode().rpartition(' "/" ')[2].strip('"')
            imap.select(name, readonly=True)
            _, data = imap.fetch("1:*", "(BODY.PEEK[])") if imap.search(None, "ALL")[1][0] else ("", [])
            messages = [email.message_from_bytes(item[1], policy=default) for item in data if len(item) == 2]
            found[name] = [message["Subject"] for message in messages]
        return found


async def test_independent_client_finds_mail_in_several_mailboxes():
    async with DemoServer() as server:
        found = await asyncio.to_thread(look, server.imap_port, server.users[0])
    assert list(found) == ["INBOX", "Archive", "Sent", "Trash"]
    assert "قرار فردا" in found["INBOX"]
    assert len(found["INBOX"]) >= 12
    assert found["Trash"] == []


async def test_independent_client_finds_the_maildrop():
    def ask(port: int, user) -> list[bytes]:
        client = poplib.POP3("127.0.0.1", port)
        client.user(user.name)
        client.pass_(user.password)
        listed = client.uidl()[1]
        client.quit()
        return listed

    async with DemoServer() as server:
        assert len(await asyncio.to_thread(ask, server.pop3_port, server.maildrop_user)) == 3


async def test_mail_keeps_arriving():
    async with DemoServer(arrival_seconds=0.01) as server:
        inbox = server.users[0].inbox
        before = len(inbox.messages)
        arrived = asyncio.Event()
        inbox.watch(lambda: len(inbox.messages) >= before + 3 and arrived.set())
        await asyncio.wait_for(arrived.wait(), 10)
    assert b"Subject: Message number 1\r\n" in inbox.messages[before + 1].octets


async def test_nothing_arrives_and_nobody_answers_after_the_end():
    async with DemoServer(arrival_seconds=0.01) as server:
        port = server.imap_port
    before = len(server.users[0].inbox.messages)
    await asyncio.sleep(0.05)
    assert len(server.users[0].inbox.messages) == before
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(server.host, port)
