"""IDLE and its races: nothing that was heard or wished for is lost."""

import asyncio

import pytest

from daemon.model.errors import ConnectionLost, ServerRefused
from daemon.net.deadlines import Timers
from daemon.net.imap.client import IdleEnd

PATIENT = Timers(silence_seconds=0.3, leave_idle_seconds=0.4)


async def idle_once(part, *while_idle: bytes, before_plus: tuple[bytes, ...] = ()) -> None:
    tag = await part.hear(b"IDLE")
    await part.say(*before_plus, b"+ idling", *while_idle)
    await part.hear(b"DONE")
    await part.say(tag + b" OK done")


async def test_wake_before_idle_is_not_lost(play):
    async def script(part):
        await part.stay()

    client = await play(script, selected=True)
    client.wake()
    assert await client.idle() is IdleEnd.WOKEN


async def test_wake_before_the_plus_is_not_lost(play):
    async def script(part):
        tag = await part.hear(b"IDLE")
        await asyncio.sleep(0.2)
        await part.say(b"+ idling")
        await part.hear(b"DONE")
        await part.say(tag + b" OK done")
        await part.stay()

    client = await play(script, selected=True)
    waiting = asyncio.create_task(client.idle())
    await asyncio.sleep(0.05)
    client.wake()
    assert await waiting is IdleEnd.WOKEN


async def test_exists_heard_before_idle_returns_at_once(play):
    """chatmail/core#4926."""

    async def script(part):
        await part.answer(b"NOOP", b"* 4 EXISTS")
        await part.stay()

    client = await play(script, selected=True)
    await client.noop()
    assert await client.idle() is IdleEnd.CHANGED
    assert await client.idle() is IdleEnd.CHANGED
    assert client.selection.exists == 4


async def test_exists_behind_the_ok_of_select_is_news(play):
    """It came in the same packet as the OK and belongs to the new mailbox."""

    async def script(part):
        tag = await part.hear(b"SELECT")
        await part.say(
            b"* 1 EXISTS", b"* OK [UIDVALIDITY 1] x", b"* OK [UIDNEXT 2] x", tag + b" OK done", b"* 2 EXISTS"
        )
        await part.stay()

    client = await play(script)
    await client.select(b"A")
    assert await client.idle() is IdleEnd.CHANGED
    assert client.selection.exists == 2


@pytest.mark.parametrize(
    "line",
    [
        b"* 4 EXISTS",
        b"* 1 EXPUNGE",
        b"* VANISHED 5",
        b"* 2 FETCH (UID 5 FLAGS (\\Seen))",
        b"* 2 FETCH (FLAGS ())",
    ],
)
async def test_each_kind_of_change_ends_the_wait(play, line):
    async def script(part):
        await idle_once(part, line)
        await part.stay()

    client = await play(script, selected=True)
    assert await client.idle() is IdleEnd.CHANGED


async def test_change_before_the_plus_ends_the_wait(play):
    async def script(part):
        await idle_once(part, before_plus=(b"* 4 EXISTS",))
        await part.stay()

    client = await play(script, selected=True)
    assert await client.idle() is IdleEnd.CHANGED


async def test_change_racing_done_is_not_lost(play):
    """S30."""

    async def script(part):
        tag = await part.hear(b"IDLE")
        await part.say(b"+ idling")
        await part.hear(b"DONE")
        await part.say(b"* 9 EXISTS", tag + b" OK done")
        await part.stay()

    client = await play(script, selected=True)
    waiting = asyncio.create_task(client.idle())
    await asyncio.sleep(0.1)
    client.wake()
    assert await waiting is IdleEnd.CHANGED
    assert client.selection.exists == 9
    client.drain_heard()
    assert await client.idle() is IdleEnd.WOKEN  # the wish to wake was not used up


async def test_still_here_does_not_end_the_wait_nor_put_off_the_renewal(play):
    async def script(part):
        tag = await part.hear(b"IDLE")
        await part.say(b"+ idling")
        done = asyncio.create_task(part.hear(b"DONE"))
        while not done.done():
            await part.say(b"* OK Still here")
            await asyncio.sleep(0.05)
        await part.say(tag + b" OK done")
        await part.stay()

    client = await play(script, selected=True)
    assert await client.idle(renew_after=0.4) is IdleEnd.RENEW


async def test_silence_in_idle_is_no_fault(play):
    async def script(part):
        await idle_once(part)
        await part.stay()

    client = await play(script, selected=True, timers=PATIENT)
    assert await client.idle(renew_after=0.9) is IdleEnd.RENEW


async def test_no_plus_is_a_dead_server(play):
    """S30."""

    async def script(part):
        await part.hear(b"IDLE")
        await part.stay()

    client = await play(script, selected=True, timers=PATIENT)
    with pytest.raises(ConnectionLost) as caught:
        await client.idle()
    assert caught.value.reason == "timeout"


async def test_ignored_done_drops_the_line_in_time(play):
    """S30."""

    async def script(part):
        await part.hear(b"IDLE")
        await part.say(b"+ idling")
        await part.hear(b"DONE")
        while True:
            await part.say(b"* OK Still here")
            await asyncio.sleep(0.05)

    client = await play(script, selected=True, timers=PATIENT)
    with pytest.raises(ConnectionLost):
        await client.idle(renew_after=0.05)
    assert client.is_lost


@pytest.mark.parametrize("word", [b"BAD", b"NO"])
async def test_refused_idle_lets_the_caller_fall_back(play, word):
    """S29."""

    async def script(part):
        await part.answer(b"IDLE", with_=word + b" never heard of it")
        await part.answer(b"NOOP")
        await part.stay()

    client = await play(script, selected=True)
    with pytest.raises(ServerRefused) as caught:
        await client.idle()
    assert caught.value.status == word.decode()
    await client.noop()


async def test_bye_in_idle_is_a_lost_line_with_its_text(play):
    """S1."""

    async def script(part):
        await part.hear(b"IDLE")
        await part.say(b"+ idling", b"* BYE Server shutting down.")
        await part.stay()

    client = await play(script, selected=True)
    with pytest.raises(ConnectionLost) as caught:
        await client.idle()
    assert "Server shutting down." in str(caught.value)


async def test_idle_is_written_by_itself(play):
    """geary: IDLE must not share a packet with other commands."""
    packets = []

    async def script(part):
        original = part.reader.feed_data

        def tap(data):
            packets.append(bytes(data))
            original(data)

        part.reader.feed_data = tap
        await part.answer(b"NOOP")
        await idle_once(part)
        await part.answer(b"NOOP")
        await part.stay()

    client = await play(script, selected=True)
    await client.noop()
    assert await client.idle(renew_after=0.1) is IdleEnd.RENEW
    await client.noop()
    idle = next(packet for packet in packets if b"IDLE" in packet)
    assert idle.endswith(b"IDLE\r\n")
    assert idle.count(b"\r\n") == 1


async def test_cancelled_idle_says_done_and_keeps_the_line(play):
    async def script(part):
        await idle_once(part)
        await part.answer(b"NOOP")
        await part.stay()

    client = await play(script, selected=True)
    waiting = asyncio.create_task(client.idle())
    await asyncio.sleep(0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await client.noop()


async def test_cancelled_idle_gives_up_a_server_that_ignores_done(play, monkeypatch):
    from daemon.net.imap import idling

    monkeypatch.setattr(idling, "LEAVE_WHEN_CANCELLED_SECONDS", 0.1)

    async def script(part):
        await part.hear(b"IDLE")
        await part.say(b"+ idling")
        await part.stay()

    client = await play(script, selected=True)
    waiting = asyncio.create_task(client.idle())
    await asyncio.sleep(0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert client.is_lost
