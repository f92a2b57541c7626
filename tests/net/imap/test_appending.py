"""APPEND with and without non-synchronising literals, refusals, and sources that fail."""

import pytest

from daemon.model.errors import ConnectionLost, LocalProtocolError, StoreError
from daemon.model.flags import SEEN
from daemon.net.imap.client import AppendItem


def item(octets: bytes, *, size=None, error: Exception | None = None) -> AppendItem:
    async def chunks():
        yield octets[:100]
        if error:
            raise error
        yield octets[100:]

    return AppendItem(
        size=len(octets) if size is None else size,
        open_chunks=chunks,
        internal_date=0,
        flags=frozenset({SEEN}),
    )


async def literal(part, size: int) -> bytes:
    octets = await part.reader.readexactly(size)
    assert await part.reader.readline() == b"\r\n"
    return octets


async def test_literal_plus_sends_all_before_the_first_answer(play):
    got = []

    async def script(part):
        tags = []
        for number in range(3):
            tags.append(
                await part.hear(b"APPEND Box (\\Seen) ", b"1970 00:00:00 +0000", b"{%d+}" % (200 + number))
            )
            got.append(await literal(part, 200 + number))
        for number, tag in enumerate(tags):
            await part.say(tag + b" OK [APPENDUID 7 %d] done" % (number + 1))
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 LITERAL+ UIDPLUS")
    sent = [bytes([65 + number]) * (200 + number) for number in range(3)]
    outcomes = await client.append_many(b"Box", [item(octets) for octets in sent])
    assert got == sent
    assert [(one.uid_validity, one.uid) for one in outcomes] == [(7, 1), (7, 2), (7, 3)]


async def test_without_literal_plus_each_waits_for_the_continuation(play):
    got = []

    async def script(part):
        for number in range(2):
            tag = await part.hear(b"APPEND", b"{300}")
            await part.say(b"+ go")
            got.append(await literal(part, 300))
            await part.say(tag + b" OK done %d" % number)
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1")
    outcomes = await client.append_many(b"Box", [item(b"a" * 300), item(b"b" * 300)])
    assert got == [b"a" * 300, b"b" * 300]
    assert all(one.uid is None and one.refusal is None for one in outcomes)


async def test_literal_minus_waits_above_4096(play):
    async def script(part):
        tag = await part.hear(b"{4096+}")
        await literal(part, 4096)
        await part.say(tag + b" OK")
        tag = await part.hear(b"{4097}")
        await part.say(b"+ go")
        await literal(part, 4097)
        await part.say(tag + b" OK")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 LITERAL-")
    await client.append_many(b"Box", [item(b"a" * 4096), item(b"b" * 4097)])


async def test_refusal_before_and_after_the_octets_leaves_the_others_alone(play):
    """S4 and S26."""

    async def script(part):
        tag = await part.hear(b"{200}")
        await part.say(tag + b" NO [TRYCREATE] no such mailbox")
        tag = await part.hear(b"{201}")
        await part.say(b"+ go")
        await literal(part, 201)
        await part.say(tag + b" NO [OVERQUOTA] full")
        tag = await part.hear(b"{202}")
        await part.say(b"+ go")
        await literal(part, 202)
        await part.say(tag + b" OK [APPENDUID 7 9] done")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 UIDPLUS")
    outcomes = await client.append_many(b"Box", [item(b"x" * size) for size in (200, 201, 202)])
    assert [one.refusal.code if one.refusal else None for one in outcomes] == ["TRYCREATE", "OVERQUOTA", None]
    assert outcomes[2].uid == 9


async def test_message_beyond_the_servers_limit_is_not_sent(play):
    async def script(part):
        await part.answer(b"NOOP")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 APPENDLIMIT=100")
    (outcome,) = await client.append_many(b"Box", [item(b"x" * 101)])
    assert outcome.refusal.code == "TOOBIG"
    await client.noop()


async def test_line_lost_midway_leaves_the_outcome_unknown(play):
    async def script(part):
        await part.hear(b"APPEND")
        await part.reader.readexactly(50)

    client = await play(script, caps=b"IMAP4rev1 LITERAL+")
    with pytest.raises(ConnectionLost):
        await client.append_many(b"Box", [item(b"x" * 300), item(b"y" * 300)])


@pytest.mark.parametrize("size", [299, 301])
async def test_source_of_another_length_drops_the_line(play, size):
    async def script(part):
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 LITERAL+")
    with pytest.raises(LocalProtocolError):
        await client.append_many(b"Box", [item(b"x" * 300, size=size)])
    assert client.is_lost


async def test_source_that_fails_drops_the_line_and_its_error_is_raised(play):
    async def script(part):
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 LITERAL+")
    with pytest.raises(StoreError):
        await client.append_many(b"Box", [item(b"x" * 300, error=StoreError("unreadable"))])
    assert client.is_lost


async def test_appenduid_out_of_place_is_not_believed(play):
    """isync CVE-2021-3578: it counts on the answer to an APPEND only."""

    async def script(part):
        tag = await part.hear(b"APPEND")
        await literal(part, 200)
        await part.say(b"* OK [APPENDUID 1 666] surprise", tag + b" OK done")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 LITERAL+ UIDPLUS")
    (outcome,) = await client.append_many(b"Box", [item(b"x" * 200)])
    assert outcome.uid is None


async def test_limit_of_the_mailbox_is_asked_where_it_is_not_the_same_for_all(play):
    """RFC 7889 §3: APPENDLIMIT without a number."""

    async def script(part):
        await part.answer(b"STATUS Box (APPENDLIMIT)", b"* STATUS Box (APPENDLIMIT 100)")
        await part.answer(b"STATUS Free (APPENDLIMIT)", b"* STATUS Free (APPENDLIMIT NIL)")
        tag = await part.hear(b"APPEND Free")
        await literal(part, 101)
        await part.say(tag + b" OK done")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 LITERAL+ APPENDLIMIT")
    (outcome,) = await client.append_many(b"Box", [item(b"x" * 101)])
    assert outcome.refusal.code == "TOOBIG"
    (outcome,) = await client.append_many(b"Free", [item(b"x" * 101)])
    assert outcome.refusal is None


async def test_message_with_8_bit_header_goes_in_utf8_form_once_that_is_enabled(play):
    """RFC 6855 §4: literal8 between parentheses; a message of plain ASCII headers goes as ever."""
    eai = "From: jürgen@bücher.example\r\nTo: x\r\n\r\n".encode() + b"y" * 100
    plain = b"From: x\r\n\r\n" + "käse".encode() * 20

    async def script(part):
        await part.answer(b"ENABLE UTF8=ACCEPT", b"* ENABLED UTF8=ACCEPT")
        tag = await part.hear(b'APPEND Box (\\Seen) " 1-Jan-1970 00:00:00 +0000" UTF8 (~{%d+}\r\n' % len(eai))
        assert await part.reader.readexactly(len(eai)) == eai
        assert await part.reader.readline() == b")\r\n"
        await part.say(tag + b" OK [APPENDUID 7 1] done")
        tag = await part.hear(b" {%d+}\r\n" % len(plain))
        assert await literal(part, len(plain)) == plain
        await part.say(tag + b" OK [APPENDUID 7 2] done")
        await part.stay()

    from daemon.model.secret import Secret

    client = await play(script, caps=b"IMAP4rev1 LITERAL+ MULTIAPPEND ENABLE UTF8=ACCEPT UIDPLUS")
    await client.authenticate("ada", Secret("x"))
    outcomes = await client.append_many(b"Box", [item(eai), item(plain)])
    assert [one.uid for one in outcomes] == [1, 2]


async def test_appenduid_of_several_is_not_believed_for_one(play):
    async def script(part):
        tag = await part.hear(b"APPEND")
        await literal(part, 200)
        await part.say(tag + b" OK [APPENDUID 7 1:2] done")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 LITERAL+ UIDPLUS")
    (outcome,) = await client.append_many(b"Box", [item(b"x" * 200)])
    assert outcome.uid is None
