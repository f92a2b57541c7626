"""The whole client on a real Dovecot, with IMAP as the witness; and the commands that are one line."""

import asyncio

import pytest

from daemon.model.errors import ConnectionLost, MessageUnavailable, ServerRefused
from daemon.model.settings import Tls
from tests.support import corpus
from tests.support.server_side import server_side


def no_sink(number, size):
    raise AssertionError("no sink expected")


async def witness(mailbag) -> list[bytes]:
    """Bodies in IMAP's order."""

    def ask():
        with server_side(mailbag) as side:
            return list(side.bodies().values())

    return await asyncio.to_thread(ask)


@pytest.mark.parametrize("tls", [Tls.IMPLICIT, Tls.STARTTLS, Tls.NONE])
async def test_messages_are_those_of_imap_byte_for_byte(mailbag, log_in, tls):
    dotted = [
        b"Subject: dots\r\n\r\n.\r\n..\r\n...three\r\n.end\r\n",
        b".first line\r\nSubject: with a dot that Dovecot does not stuff\r\n\r\n",
        b"Subject: bare\n\n.line\nfeeds\n.\n",
        b"Subject: no body\r\n\r\n",
    ]
    mailbag.fill("INBOX", [*corpus.messages(296), *dotted])
    client = await log_in(tls)
    assert client.is_pipelining
    entries = await client.list_messages()
    assert [entry.number for entry in entries] == list(range(1, 301))
    assert len({entry.uidl for entry in entries}) == 300
    sizes = {entry.number: entry.size for entry in entries}
    got = [one async for one in client.fetch_messages(sizes, sizes, sink_for=no_sink)]
    assert [one.number for one in got] == list(range(1, 301))
    assert [one.octets for one in got] == await witness(mailbag)
    assert [len(one.octets) for one in got] == list(sizes.values())
    assert await client.list_messages() == entries
    await client.quit()


async def test_deletions_count_when_quit_was_answered(mailbag, log_in):
    """P10."""
    mailbag.fill("INBOX", corpus.small(20))
    before = await witness(mailbag)
    client = await log_in()
    await client.list_messages()
    assert await client.dele([1, 2, 3]) == (None, None, None)
    client.abort()
    assert await witness(mailbag) == before

    client = await log_in()
    await client.dele([1])
    await client.rset()
    assert len(await client.list_messages()) == 20
    verdicts = await client.dele([2, 99, 5, 2])
    assert [verdict is None for verdict in verdicts] == [True, False, True, False]
    assert isinstance(verdicts[1], ServerRefused)
    assert [one.number for one in await client.list_messages()][:3] == [1, 3, 4]
    await client.quit()
    assert await witness(mailbag) == [one for at, one in enumerate(before, 1) if at not in {2, 5}]


async def test_ids_stay_the_same_over_sessions(mailbag, log_in):
    mailbag.fill("INBOX", corpus.small(10))
    client = await log_in()
    first = await client.list_messages()
    await client.dele([1])
    await client.quit()
    client = await log_in()
    second = await client.list_messages()
    assert [(one.uidl, one.size) for one in second] == [(one.uidl, one.size) for one in first[1:]]
    await client.quit()


async def test_large_message_comes_through_a_sink(mailbag, log_in, make_sink):
    mailbag.fill("INBOX", [*corpus.messages(1, smallest=5_000_000, largest=5_000_001), *corpus.small(3)])
    client = await log_in()
    entries = await client.list_messages()
    sinks = {}

    def sink_for(number, size):
        assert size == entries[0].size
        sinks[number] = make_sink(lag=True)
        return sinks[number]

    sizes = {entry.number: entry.size for entry in entries}
    got = [one async for one in client.fetch_messages(sizes, sizes, sink_for=sink_for)]
    bodies = await witness(mailbag)
    assert got[0].sink is sinks[1]
    assert sinks[1].octets == bodies[0]
    assert sinks[1].ends == 1
    assert [one.octets for one in got[1:]] == bodies[1:]
    assert client.bytes_received > 5_000_000


async def test_lockstep_gives_the_same(mailbag, log_in):
    mailbag.fill("INBOX", corpus.small(12))
    client = await log_in()
    sizes = {entry.number: entry.size for entry in await client.list_messages()}
    got = [one.octets async for one in client.fetch_messages(sizes, sizes, sink_for=no_sink, depth=1)]
    assert got == await witness(mailbag)


async def test_top_gives_the_header(mailbag, log_in):
    mailbag.fill("INBOX", [b"Subject: one\r\n\r\nline 1\r\n.line 2\r\nline 3\r\n"])
    client = await log_in()
    assert client.caps.has("TOP")
    assert await client.top(1) == b"Subject: one\r\n\r\n"
    assert await client.top(1, 2) == b"Subject: one\r\n\r\nline 1\r\n.line 2\r\n"
    with pytest.raises(ServerRefused):
        await client.top(2)
    await client.noop()
    await client.quit()
    assert client.bytes_sent > 0


async def test_maildrop_without_mail_is_empty(mailbag, log_in):
    client = await log_in()
    assert await client.list_messages() == ()
    assert await client.dele([]) == ()
    await client.quit()


async def test_header_larger_than_any_is_unavailable_and_the_line_goes_on(play):
    async def script(part):
        await part.answer(b"TOP 1 0", b"+OK", b"x" * (2 * 1024 * 1024), b".")
        await part.answer(b"TOP 2 0", b"-ERR unknown command")
        await part.answer(b"NOOP", b"+OK")
        await part.stay()

    client = await play(script)
    with pytest.raises(MessageUnavailable):
        await client.top(1)
    with pytest.raises(ServerRefused):  # P3
        await client.top(2)
    await client.noop()


async def test_line_lost_amid_deletions_raises(play):
    """P10."""

    async def script(part):
        await part.answer(b"DELE 1", b"+OK")

    client = await play(script)
    with pytest.raises(ConnectionLost):
        await client.dele([1, 2, 3])
