"""Octets of a literal: exactly as many as were promised, or no line."""

import pytest

from daemon.model.errors import LocalProtocolError
from daemon.net.imap import literals
from daemon.wire.imap import commands


async def source(*chunks: bytes):
    for chunk in chunks:
        yield chunk


async def test_read_ahead_chunk_comes_first(play):
    async def script(part):
        tag = await part.hear(b"{9+}")
        assert await part.reader.readexactly(11) == b"abcdefghi\r\n"
        await part.say(tag + b" OK done")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 LITERAL+")
    session = client._session
    octets = source(b"abc", b"def", b"", b"ghi")
    first = await anext(octets)
    sent, answer = session.start(commands.append(b"Box", 9))
    assert await literals.await_turn(session, sent, answer)
    await literals.send(session, 9, octets, first)
    assert (await session.finish(answer)).is_ok


@pytest.mark.parametrize("chunks", [(b"abc",), (b"abcdef", b"ghij"), ()])
async def test_other_number_of_octets_costs_the_line(play, chunks):
    async def script(part):
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 LITERAL+")
    session = client._session
    session.start(commands.append(b"Box", 9))
    with pytest.raises(LocalProtocolError):
        await literals.send(session, 9, source(*chunks))
    assert client.is_lost


async def test_command_refused_before_its_octets_wants_none(play):
    async def script(part):
        await part.answer(b"APPEND", with_=b"NO [TRYCREATE] no")
        await part.stay()

    client = await play(script)
    session = client._session
    sent, answer = session.start(commands.append(b"Box", 9))
    assert not await literals.await_turn(session, sent, answer)
