"""The running connection: answers to whom they belong, and what a lost or broken line does to waiters."""

import asyncio
import zlib

import pytest

from daemon.model.errors import ConnectionLost, RemoteProtocolError, ServerRefused, Throttled


async def test_no_and_bad_are_refusals_with_code_and_status(play):
    async def script(part):
        await part.answer(b"CREATE", with_=b"NO [ALREADYEXISTS] there it is")
        await part.answer(b"DELETE", with_=b"BAD what")
        await part.stay()

    client = await play(script)
    with pytest.raises(ServerRefused) as caught:
        await client.create(b"A")
    assert (caught.value.status, caught.value.code) == ("NO", "ALREADYEXISTS")
    with pytest.raises(ServerRefused) as caught:
        await client.delete(b"A")
    assert caught.value.status == "BAD"


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (b"NO [THROTTLED] slow", None),
        (b"NO [LIMIT] enough", None),
        (b"BAD Request is throttled. Suggested Backoff Time: 5000 milliseconds", 5.0),
        (b"NO [OVERQUOTA] Account exceeded command or bandwidth limits.", None),
    ],
)
async def test_throttling_is_told_with_its_time(play, answer, seconds):
    """S3."""

    async def script(part):
        await part.answer(b"NOOP", with_=answer)
        await part.stay()

    client = await play(script)
    with pytest.raises(Throttled) as caught:
        await client.noop()
    assert caught.value.retry_after_seconds == seconds


async def test_silent_server_is_a_timeout_and_every_later_call_says_so(play):
    """N3."""

    async def script(part):
        await part.hear(b"NOOP")
        await part.stay()

    client = await play(script)
    with pytest.raises(ConnectionLost) as caught:
        await client.noop()
    assert caught.value.reason == "timeout"
    for call in (client.noop(), client.list_mailboxes(), client.idle(), client.select(b"A")):
        with pytest.raises(ConnectionLost) as caught:
            await call
        assert caught.value.reason == "timeout"


@pytest.mark.parametrize(
    "nonsense",
    [b"* 3 EXISTS and more\x00\xff", b"Z99 OK never sent", b"+ unasked", b"* " + b"(" * 100_000],
    ids=["line", "tag", "plus", "depth"],
)
async def test_broken_protocol_is_never_taken_for_another_commands_answer(play, nonsense):
    """S18 and S19: a typed error, or nothing at all; the command is never answered by it."""

    async def script(part):
        await part.hear(b"NOOP")
        await part.say(nonsense)
        await part.stay()

    client = await play(script)
    with pytest.raises((RemoteProtocolError, ConnectionLost)):
        await client.noop()
    assert client.is_lost


async def test_endless_line_is_ended_by_its_limit(play):
    """S16."""

    async def script(part):
        await part.hear(b"NOOP")
        while True:
            part.writer.write(b"* OK " + b"x" * 65536)
            await part.writer.drain()

    client = await play(script)
    with pytest.raises(RemoteProtocolError):
        await client.noop()
    assert client.bytes_received < 2_000_000


async def test_bye_is_a_lost_line_with_its_text(play):
    """S1, and Yandex: closed at the first."""

    async def script(part):
        await part.hear(b"NOOP")
        while True:
            await part.say(b"* BYE Autologout \x07; idle for too long")

    client = await play(script)
    with pytest.raises(ConnectionLost) as caught:
        await client.noop()
    assert "Autologout" in str(caught.value)
    assert "\x07" not in str(caught.value)


async def test_bye_for_throttling_is_throttling(play):
    async def script(part):
        await part.hear(b"NOOP")
        await part.say(b"* BYE [THROTTLED] come back later")
        await part.stay()

    client = await play(script)
    with pytest.raises(Throttled):
        await client.noop()
    with pytest.raises(ConnectionLost):
        await client.noop()


async def test_close_without_a_word_is_a_lost_line(play):
    async def script(part):
        await part.hear(b"NOOP")

    client = await play(script)
    with pytest.raises(ConnectionLost) as caught:
        await client.noop()
    assert caught.value.reason == "closed"


async def test_cancelled_command_drops_the_line(play):
    async def script(part):
        await part.hear(b"NOOP")
        await part.stay()

    client = await play(script)
    task = asyncio.create_task(client.noop())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ConnectionLost):
        await client.noop()


async def test_referral_is_never_followed(play):
    """N23: it is the server's words and nothing more."""

    async def script(part):
        await part.answer(b"SELECT", with_=b"NO [REFERRAL imap://evil.example/Box] moved")
        await part.answer(b"NOOP")
        await part.stay()

    client = await play(script)
    with pytest.raises(ServerRefused) as caught:
        await client.select(b"Box")
    assert caught.value.code == "REFERRAL"
    await client.noop()


async def test_counters_grow_with_the_line(play):
    async def script(part):
        await part.answer(b"NOOP")
        await part.stay()

    client = await play(script)
    before = client.bytes_received, client.bytes_sent
    await client.noop()
    assert client.bytes_received > before[0]
    assert client.bytes_sent > before[1]


@pytest.mark.parametrize("line", [b"* 2 EXISTS", b"* 4 EXPUNGE", b"* 0 EXPUNGE", b"* 4294967295 EXISTS"])
async def test_count_that_cannot_be_ends_the_session(play, line):
    """S12."""

    async def script(part):
        await part.answer(b"NOOP", line)
        await part.stay()

    client = await play(script, selected=True)
    with pytest.raises(RemoteProtocolError):
        await client.noop()


@pytest.mark.parametrize(
    ("line", "claim"),
    [
        (b"* VANISHED 1,,2", "QRESYNC"),
        (b"* VANISHED (EARLIER) 4:x", "QRESYNC"),
        (b"* VANISHED " + b"1," * 400 + b",2", "QRESYNC"),
        (b'* ESEARCH (TAG "A1") UID ALL 1:x', "ESEARCH"),
        (b'* ESEARCH (TAG "A1") UID COUNT many', "ESEARCH"),
    ],
)
async def test_extension_whose_data_cannot_be_read_is_left_out_of_the_next_line(play, line, claim):
    """S9, S29."""

    async def script(part):
        await part.answer(b"NOOP", line)
        await part.stay()

    client = await play(script, selected=True)
    with pytest.raises(RemoteProtocolError):
        await client.noop()
    assert client.distrusted == client.broken == {claim}


async def test_other_unreadable_data_are_blamed_on_no_extension(play):
    async def script(part):
        await part.answer(b"NOOP", b"* SEARCH x")
        await part.stay()

    client = await play(script, selected=True)
    with pytest.raises(RemoteProtocolError):
        await client.noop()
    assert not client.distrusted


async def test_trace_of_a_session_reads_like_a_transcript(serve, endpoint_of):
    from daemon.model.clock import SystemClock
    from daemon.model.secret import Secret
    from daemon.net.imap.client import ImapClient

    async def script(reader, writer):
        writer.write(b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n")
        tag = (await reader.readline()).split()[0]
        writer.write(tag + b" OK [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] in\r\n")
        tag = (await reader.readline()).split()[0]
        packer = zlib.compressobj(wbits=-15)
        writer.write(
            tag + b" OK active\r\n" + packer.compress(b"* OK deflated\r\n") + packer.flush(zlib.Z_SYNC_FLUSH)
        )
        await reader.read()

    lines = []
    client = await ImapClient.connect(
        endpoint_of(await serve(script)),
        clock=SystemClock(),
        compress="on",
        trace=lambda direction, text: lines.append(f"{direction}: {text}"),
    )
    await client.authenticate("ada", Secret("c4n4ry"))
    client.abort()
    assert lines == [
        "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready",
        "C: A1 AUTHENTICATE PLAIN ***",
        "S: A1 OK [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] ***",
        "C: A2 COMPRESS DEFLATE",
        "S: A2 OK active",
        "S: * OK deflated",
    ]
