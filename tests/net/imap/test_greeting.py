"""The first seconds of a line: greetings, STARTTLS and what is never believed before TLS."""

import asyncio

import pytest

from daemon.model.clock import SystemClock
from daemon.model.errors import ConnectionLost, ServerRefused, Throttled, TlsFailed
from daemon.model.settings import Tls
from daemon.net.deadlines import Timers
from daemon.net.imap.client import ImapClient

QUICK = Timers(greeting_seconds=0.5, handshake_seconds=0.5, silence_seconds=1, floor_window_seconds=5)


@pytest.fixture
def attempt(serve, endpoint_of):
    """Connect to a script and return the error, with everything the client sent."""

    async def run(script, *, tls=Tls.NONE, server_tls=None, timers=QUICK):
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
            await ImapClient.connect(endpoint_of(server, tls), clock=SystemClock(), timers=timers)
        assert not server.errors
        return caught.value, bytes(heard)

    return run


def saying(*lines: bytes):
    async def script(reader, writer):
        writer.write(b"".join(lines))
        await writer.drain()
        await reader.read(1000)

    return script


async def test_silent_server_times_out(attempt):
    error, _ = await attempt(saying())
    assert isinstance(error, ConnectionLost)
    assert error.reason == "timeout"


async def test_dripping_greeting_is_too_slow(attempt):
    """N5."""

    async def drip(reader, writer):
        for octet in b"* OK this takes for ever" * 100:
            writer.write(bytes([octet]))
            await asyncio.sleep(0.02)

    error, _ = await attempt(drip)
    assert error.reason == "too_slow"


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 302 Found\r\nLocation: http://login.portal/\r\n\r\n<html>",
        b"220 mail.example.org ESMTP\r\n",
        b"Server Unavailable.\r\n",
        b"\x15\x03\x01\x00\x02\x02\n\r\n",
    ],
)
async def test_greeting_that_is_not_imap_is_told_and_no_login_tried(attempt, text):
    """N13."""
    error, sent = await attempt(saying(text))
    assert isinstance(error, ConnectionLost)
    assert error.reason == "not_imap"
    assert sent == b""


async def test_bye_at_the_greeting_keeps_the_servers_words(attempt):
    """S1."""
    error, _ = await attempt(saying(b"* BYE going down for maintenance\r\n"))
    assert isinstance(error, ConnectionLost)
    assert "going down for maintenance" in str(error)


async def test_bye_for_too_many_connections_is_throttling(attempt):
    """S3."""
    error, _ = await attempt(saying(b"* BYE Too many connections from your address\r\n"))
    assert isinstance(error, Throttled)


async def test_bye_text_is_escaped_and_cut(attempt):
    error, _ = await attempt(saying(b"* BYE \x1b[31m" + b"x" * 5000 + b"\r\n"))
    assert "\x1b" not in str(error)
    assert len(str(error)) < 700


async def test_close_before_the_greeting_is_a_lost_line(attempt):
    async def leave(reader, writer):
        return

    error, _ = await attempt(leave)
    assert error.reason == "closed"


async def test_missing_starttls_is_never_worked_around(attempt):
    """N19."""
    error, sent = await attempt(saying(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n"), tls=Tls.STARTTLS)
    assert isinstance(error, TlsFailed)
    assert error.reason == "starttls_missing"
    assert error.remedy
    assert sent == b""


@pytest.mark.parametrize("word", [b"NO", b"BAD"])
async def test_refused_starttls_is_never_worked_around(attempt, word):
    """N19."""

    async def script(reader, writer):
        writer.write(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n")
        tag = (await reader.readline()).split()[0]
        writer.write(tag + b" " + word + b" not now\r\n")
        await reader.read(1000)

    error, sent = await attempt(script, tls=Tls.STARTTLS)
    assert error.reason == "starttls_missing"
    assert b"LOGIN" not in sent


async def test_preauth_before_tls_is_refused(attempt):
    """N20, fetchmail CVE-2021-39272."""
    error, sent = await attempt(saying(b"* PREAUTH [CAPABILITY IMAP4rev1] welcome\r\n"), tls=Tls.STARTTLS)
    assert isinstance(error, TlsFailed)
    assert sent == b""


@pytest.mark.parametrize("pause", [0, 0.05])
async def test_lines_injected_behind_the_starttls_ok_end_the_line(attempt, certificates, pause):
    """N21, in the same packet and in the next one."""

    async def script(reader, writer):
        writer.write(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n")
        tag = (await reader.readline()).split()[0]
        writer.write(tag + b" OK go\r\n")
        if pause:
            await writer.drain()
            await asyncio.sleep(pause)
        writer.write(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n")
        await reader.read(1000)

    error, sent = await attempt(script, tls=Tls.STARTTLS)
    assert isinstance(error, TlsFailed)
    assert error.reason == ("tls_handshake" if pause else "starttls_injection")
    assert b"LOGIN" not in sent


async def test_what_was_said_before_tls_is_forgotten(serve, certificates, endpoint_of):
    """N22."""
    context = certificates.server_context()

    async def script(reader, writer):
        writer.write(
            b"* OK [CAPABILITY IMAP4rev1 STARTTLS QRESYNC] hi\r\n* 9 EXISTS\r\n* OK [ALERT] buy now\r\n"
        )
        tag = (await reader.readline()).split()[0]
        writer.write(tag + b" OK go\r\n")
        await writer.start_tls(context)
        tag, word = (await reader.readline()).split()
        assert word == b"CAPABILITY"
        writer.write(b"* CAPABILITY IMAP4rev1 IDLE\r\n" + tag + b" OK\r\n")
        await reader.read(1000)

    server = await serve(script)
    client = await ImapClient.connect(endpoint_of(server, Tls.STARTTLS), clock=SystemClock(), timers=QUICK)
    assert client.caps.has("IDLE")
    assert not client.caps.has("QRESYNC")
    assert not client.has_own_news
    client.abort()


async def test_capability_refused_is_told(attempt):
    async def script(reader, writer):
        writer.write(b"* OK hi\r\n")
        tag = (await reader.readline()).split()[0]
        writer.write(tag + b" BAD what\r\n")
        await reader.read(1000)

    error, _ = await attempt(script)
    assert isinstance(error, ServerRefused)


async def test_logout_ends_in_time_though_the_server_is_stuck(play):
    async def script(part):
        await part.hear(b"LOGOUT")
        await asyncio.sleep(30)

    client = await play(script, timers=Timers(logout_seconds=0.2))
    await asyncio.wait_for(client.logout(), 3)
    assert client.is_lost


async def test_logout_in_good_order(play):
    async def script(part):
        tag = await part.hear(b"LOGOUT")
        await part.say(b"* BYE see you", tag + b" OK bye")

    client = await play(script)
    await client.logout()
    assert client.is_lost
    await client.logout()
