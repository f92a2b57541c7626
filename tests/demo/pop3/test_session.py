"""Commands and answers, asked by the standard library's client."""

import asyncio
import poplib

import pytest

from daemon.demo.mailbox import User
from daemon.demo.pop3.server import Pop3Server

LETTERS = (b"Subject: a\r\n\r\n.one\r\n", b"Subject: b\r\n\r\ntwo\r\n")


@pytest.fixture
async def server():
    user = User("reader", "secret")
    for octets in LETTERS:
        user.inbox.deliver(octets, internal_date=1)
    async with Pop3Server([user]) as server:
        server.user = user
        yield server


async def ask(server, work, *, login=True):
    def run():
        client = poplib.POP3("127.0.0.1", server.port, timeout=5)
        try:
            if login:
                client.user("reader")
                client.pass_("secret")
            return work(client)
        finally:
            client.close()

    return await asyncio.to_thread(run)


async def test_messages_are_listed_and_given(server):
    def work(client):
        return client.stat(), client.list()[1], client.uidl()[1], client.retr(1)[1], client.top(2, 0)[1]

    stat, sizes, ids, message, top = await ask(server, work)
    assert stat == (2, sum(map(len, LETTERS)))
    assert sizes == [b"1 %d" % len(LETTERS[0]), b"2 %d" % len(LETTERS[1])]
    assert len({line.split()[1] for line in ids}) == 2
    assert message == [b"Subject: a", b"", b".one"]
    assert top == [b"Subject: b", b""]


async def test_deleted_goes_with_quit_only(server):
    await ask(server, lambda client: client.dele(1))
    assert len(server.user.inbox.messages) == 2
    await ask(server, lambda client: (client.dele(1), client.rset(), client.quit()))
    assert len(server.user.inbox.messages) == 2
    await ask(server, lambda client: (client.dele(1), client.quit()))
    assert len(server.user.inbox.messages) == 1


@pytest.mark.parametrize("command", ["RETR 9", "DELE x", "TOP 1", "NONSENSE", "RETR"])
async def test_what_makes_no_sense_is_refused_and_the_session_goes_on(server, command):
    def work(client):
        with pytest.raises(poplib.error_proto, match="-ERR"):
            client._shortcmd(command)
        return client.noop()

    assert (await ask(server, work)).startswith(b"+OK")


async def test_wrong_password_and_second_session_are_refused_with_their_codes(server):
    def wrong(client):
        client.user("reader")
        with pytest.raises(poplib.error_proto, match="AUTH"):
            client.pass_("no")

    await ask(server, wrong, login=False)

    def second(client):
        other = poplib.POP3("127.0.0.1", server.port, timeout=5)
        other.user("reader")
        with pytest.raises(poplib.error_proto, match="IN-USE"):
            other.pass_("secret")
        other.close()

    await ask(server, second)


async def test_nothing_is_told_before_login(server):
    def work(client):
        with pytest.raises(poplib.error_proto, match="log in"):
            client.stat()

    await ask(server, work, login=False)
