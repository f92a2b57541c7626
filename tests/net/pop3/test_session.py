"""What the session itself does: futures in order, the lost line, words of the server."""

import asyncio

import pytest

from daemon.model.errors import ConnectionLost, LocalProtocolError, Throttled
from daemon.net.deadlines import DEFAULT_TIMERS
from daemon.net.pop3.session import Session, turned_away
from daemon.wire.pop3 import commands
from daemon.wire.pop3.responses import parse_status


async def test_session_without_a_stream_says_so():
    session = Session(DEFAULT_TIMERS)
    with pytest.raises(LocalProtocolError):
        _ = session.stream
    session.abort()
    with pytest.raises(ConnectionLost):
        session.check()


async def test_lost_line_fails_everyone_who_waits_and_every_later_call(play):
    async def script(part):
        await part.hear(b"NOOP")

    client = await play(script)
    session = client._session
    answers = [session.start(commands.noop()) for _ in range(3)]
    for answer in answers:
        with pytest.raises(ConnectionLost):
            await session.finish(answer)
    with pytest.raises(ConnectionLost):
        await client.noop()
    with pytest.raises(ConnectionLost):
        await client.list_messages()


async def test_answers_reach_their_futures_in_order(play):
    async def script(part):
        for number in (1, 2, 3):
            await part.hear(b"DELE %d" % number)
        await part.say(b"+OK one", b"-ERR two", b"+OK three")
        await part.stay()

    session = (await play(script))._session
    answers = [session.start(commands.dele(number)) for number in (1, 2, 3)]
    assert [(await session.finish(answer)).status.is_ok for answer in answers] == [True, False, True]


async def test_farewell_while_idle_ends_the_line_with_the_servers_words(play):
    async def script(part):
        await part.answer(b"NOOP", b"+OK")
        await part.say(b"-ERR Disconnected for inactivity.")
        await part.stay()

    client = await play(script)
    await client.noop()
    while not client.is_lost:
        await asyncio.sleep(0.01)
    assert "inactivity" in str(client._session.error)


async def test_cancelled_command_drops_the_line(play):
    async def script(part):
        await part.stay()

    client = await play(script)
    task = asyncio.create_task(client.noop())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert client.is_lost


async def test_stuck_server_is_given_up(play):
    """N3."""

    async def script(part):
        await part.stay()

    client = await play(script)
    with pytest.raises(ConnectionLost) as caught:
        await client.noop()
    assert caught.value.reason == "timeout"


async def test_idle_line_is_not_given_up(play):
    async def script(part):
        await part.answer(b"NOOP", b"+OK")
        await part.stay()

    client = await play(script)
    await asyncio.sleep(0.8)
    await client.noop()


def test_being_turned_away_is_throttling_or_a_lost_line():
    assert isinstance(turned_away(parse_status(b"-ERR [IN-USE] x")), Throttled)
    assert isinstance(turned_away(parse_status(b"-ERR go away")), ConnectionLost)
