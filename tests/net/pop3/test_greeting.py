"""The first seconds of a line: greetings, STLS and what is never believed before TLS; and its end."""

import asyncio

import pytest

from daemon.model.clock import SystemClock
from daemon.model.errors import ConnectionLost, ServerRefused, Throttled, TlsFailed
from daemon.model.settings import Tls
from daemon.net.pop3.client import Pop3Client


@pytest.fixture
def attempt(serve, endpoint_of, quick):
    """Connect to a script and return the error, with everything the client sent."""

    async def run(script, *, tls=Tls.NONE, server_tls=None):
        heard = bytearray()

        async def keep(reader, writer):
            original = reader.feed_data

            def tap(data):
                heard.extend(data)
                original(data)

            reader.feed_data = tap
            await script(reader, writer)

        server = await serve(keep, tls=server_tls)
        with pytest.raises(Exception) as caught:
            await Pop3Client.connect(endpoint_of(server, tls), clock=SystemClock(), timers=quick)
        assert not server.errors
        return caught.value, bytes(heard)

    return run


def saying(*lines: bytes):
    """Say each thing once something was heard, the first at once."""

    async def script(reader, writer):
        for line in lines:
            writer.write(line)
            await writer.drain()
            await reader.read(1000)

    return script


async def test_silent_server_times_out(attempt):
    error, _ = await attempt(saying(b""))
    assert isinstance(error, ConnectionLost)
    assert error.reason == "timeout"


async def test_dripping_greeting_is_too_slow(attempt):
    """N5."""

    async def drip(reader, writer):
        for octet in b"+OK this takes for ever" * 100:
            writer.write(bytes([octet]))
            await asyncio.sleep(0.02)

    error, _ = await attempt(drip)
    assert error.reason == "too_slow"


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 302 Found\r\nLocation: http://login.portal/\r\n\r\n<html>",
        b"220 mail.example.org ESMTP\r\n",
        b"* OK IMAP4rev1 ready\r\n",
        b"\x15\x03\x01\x00\x02\x02\n\r\n",
    ],
)
async def test_greeting_that_is_not_pop3_is_told_and_no_login_tried(attempt, text):
    """N13."""
    error, sent = await attempt(saying(text))
    assert isinstance(error, ConnectionLost)
    assert error.reason == "not_pop3"
    assert error.remedy
    assert sent == b""


@pytest.mark.parametrize(
    "line", [b"-ERR [SYS/TEMP] busy", b"-ERR [IN-USE] locked", b"-ERR too many connections, try again later"]
)
async def test_greeting_that_asks_for_patience_is_throttling(attempt, line):
    """P6."""
    error, _ = await attempt(saying(line + b"\r\n"))
    assert isinstance(error, Throttled)


async def test_greeting_that_turns_away_keeps_the_servers_words_escaped_and_cut(attempt):
    error, _ = await attempt(saying(b"-ERR not for you \x1b[31m" + b"x" * 5000 + b"\r\n"))
    assert isinstance(error, ConnectionLost)
    assert "not for you" in str(error)
    assert "\x1b" not in str(error)
    assert len(str(error)) < 700


async def test_close_before_the_greeting_is_a_lost_line(attempt):
    async def leave(reader, writer):
        return

    error, _ = await attempt(leave)
    assert error.reason == "closed"


@pytest.mark.parametrize("answer", [b"-ERR unknown command\r\n", b"-ERR [SYS/PERM] TLS not available\r\n"])
async def test_missing_stls_is_never_worked_around(attempt, answer):
    """N19 and P16."""
    error, sent = await attempt(saying(b"+OK\r\n", answer), tls=Tls.STARTTLS)
    assert isinstance(error, TlsFailed)
    assert error.reason == "starttls_missing"
    assert error.remedy
    assert sent == b"STLS\r\n"


@pytest.mark.parametrize("injected", [b"+OK forged\r\n", b"+OK\r\nPIPELINING\r\n.\r\n", b"x"])
async def test_octets_behind_the_ok_of_stls_end_the_line(attempt, injected):
    """N21 and P16."""
    error, sent = await attempt(saying(b"+OK\r\n", b"+OK go\r\n" + injected), tls=Tls.STARTTLS)
    assert isinstance(error, TlsFailed)
    assert error.reason == "starttls_injection"
    assert sent == b"STLS\r\n"


async def test_plain_text_after_stls_is_no_handshake(attempt):
    error, sent = await attempt(saying(b"+OK\r\n", b"+OK go\r\n", b"+OK still here\r\n"), tls=Tls.STARTTLS)
    assert isinstance(error, TlsFailed)
    assert sent.startswith(b"STLS\r\n\x16\x03")


async def test_certificate_of_another_host_is_refused(attempt, certificates):
    """N10."""
    context = certificates.server_context("elsewhere.example")
    error, _ = await attempt(saying(b"+OK\r\n"), tls=Tls.IMPLICIT, server_tls=context)
    assert isinstance(error, TlsFailed)
    assert error.reason == "tls_hostname"


async def test_server_older_than_capa_is_talked_to(play):
    async def script(part):
        await part.stay()

    client = await play(script, caps=None, login=False)
    assert not client.caps
    assert not client.is_pipelining


async def test_capa_without_end_is_refused(attempt):
    """P14."""

    async def flood(reader, writer):
        writer.write(b"+OK\r\n")
        await reader.readline()
        writer.write(b"+OK\r\n")
        while True:
            writer.write(b"X-SOMETHING\r\n" * 1000)
            await writer.drain()

    error, _ = await attempt(flood)
    assert error.reason == "flood"


async def test_quit_that_is_refused_or_unanswered_raises(play):
    """P10: nothing is assumed to be deleted."""

    async def refuse(part):
        await part.answer(b"DELE 1", b"+OK")
        await part.answer(b"QUIT", b"-ERR [SYS/TEMP] some messages were not removed")

    client = await play(refuse)
    await client.dele([1])
    with pytest.raises(ServerRefused):
        await client.quit()
    assert client.is_lost

    async def vanish(part):
        await part.answer(b"DELE 1", b"+OK")
        await part.hear(b"QUIT")

    client = await play(vanish)
    await client.dele([1])
    with pytest.raises(ConnectionLost):
        await client.quit()

    async def ignore(part):
        await part.hear(b"QUIT")
        await part.stay()

    client = await play(ignore)
    with pytest.raises(ConnectionLost) as caught:
        await client.quit()
    assert caught.value.reason == "timeout"


async def test_quit_answered_closes_the_line(play):
    async def script(part):
        await part.answer(b"QUIT", b"+OK bye")
        assert await part.reader.read() == b""

    client = await play(script)
    await client.quit()
    assert client.is_lost
    with pytest.raises(ConnectionLost):
        await client.quit()
