"""TOP in one pipe, and what a refusal says of the server."""

import pytest

from daemon.model.errors import MessageUnavailable, ServerRefused, Throttled
from daemon.net.pop3.headers import Headers

HEADER = b"Subject: x\r\n\r\n"
SHOWN = (b"+OK", b"Subject: x", b"", b".")


async def test_headers_are_asked_for_before_the_first_is_answered(play):
    async def script(part):
        for number in (1, 2, 3):
            await part.hear(b"TOP %d 0" % number)
        await part.say(*SHOWN, b"-ERR locked", *SHOWN)
        await part.stay()

    found = await (await play(script)).tops([1, 2, 3])
    assert (found[1], found[3]) == (HEADER, HEADER)
    assert isinstance(found[2], ServerRefused), "one refusal says nothing of the others"


@pytest.mark.parametrize(
    ("caps", "words"),
    [
        ((b"USER", b"UIDL", b"PIPELINING"), b"-ERR what"),
        (None, b"-ERR Unknown command: TOP"),
        ((b"USER", b"UIDL"), b"-ERR command not implemented"),
    ],
)
async def test_first_refusal_of_a_server_that_does_not_claim_it_means_no_top(play, caps, words):
    """P3."""

    async def script(part):
        await part.answer(b"TOP 1 0", words)
        await part.answer(b"NOOP", b"+OK")
        await part.stay()

    client = await play(script, caps=caps)
    assert await client.tops([1, 2]) is None
    assert await client.tops([2]) is None, "it is not asked again"
    await client.noop()


@pytest.mark.parametrize(
    ("caps", "words"),
    [
        ((b"USER", b"UIDL", b"TOP"), b"-ERR unknown command"),
        ((b"USER", b"UIDL"), b"-ERR message locked"),
        (None, b"-ERR no such message"),
        (None, b"-ERR"),
    ],
)
async def test_refusal_of_one_message_is_no_lack_of_top(play, caps, words):
    async def script(part):
        await part.answer(b"TOP 1 0", words)
        await part.answer(b"TOP 2 0", *SHOWN)
        await part.answer(b"TOP 3 0", b"-ERR unknown command")
        await part.stay()

    found = await (await play(script, caps=caps)).tops([1, 2, 3])
    assert [isinstance(found[number], bytes) for number in (1, 2, 3)] == [False, True, False]


async def test_request_for_patience_is_an_error(play):
    async def script(part):
        await part.hear(b"TOP 1 0")
        await part.answer(b"TOP 2 0", *SHOWN, b"-ERR too many requests")
        await part.stay()

    client = await play(script)
    with pytest.raises(Throttled):
        await client.tops([1, 2])


async def test_header_larger_than_any_is_left_out_of_what_is_known(play):
    async def script(part):
        await part.answer(b"TOP 1 0", b"+OK", b"x" * (2 * 1024 * 1024), b".")
        await part.stay()

    client = await play(script)
    assert isinstance((await client.tops([1]))[1], MessageUnavailable)
    assert await client.tops([]) == {}


async def test_each_session_learns_anew(play):
    async def script(part):
        await part.answer(b"TOP 1 0", b"-ERR unknown command")
        await part.answer(b"TOP 1 0", *SHOWN)
        await part.stay()

    client = await play(script, caps=(b"USER", b"UIDL"))
    assert await client.tops([1]) is None
    assert await Headers(client._session).fetch([1]) == {1: HEADER}
