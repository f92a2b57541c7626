"""MULTIAPPEND: all or none, and what becomes of each message when it is none. RFC 3502."""

import pytest

from daemon.model.errors import ConnectionLost
from daemon.model.flags import SEEN
from daemon.net.imap import batches
from daemon.net.imap.client import AppendItem
from tests.support.server_side import server_side

CAPS = b"IMAP4rev1 MULTIAPPEND LITERAL+ UIDPLUS"
COUNT = 10


def item(octets: bytes) -> AppendItem:
    async def chunks():
        yield octets[:7]
        yield octets[7:]

    return AppendItem(size=len(octets), open_chunks=chunks, internal_date=0, flags=frozenset({SEEN}))


def messages(count: int = COUNT) -> list[bytes]:
    return [b"Subject: %d\r\n\r\n" % number + b"x" * number + b"\r\n" for number in range(count)]


async def take_batch(part, octets: list[bytes]) -> bytes:
    """The tag of a MULTIAPPEND that brings exactly these messages."""
    line = await part.reader.readline()
    assert b" APPEND Box (\\Seen) " in line, line
    tag = line.split()[0]
    for one in octets:
        assert line.endswith(b"{%d+}\r\n" % len(one)), line
        assert await part.reader.readexactly(len(one)) == one
        line = await part.reader.readline()
    assert line == b"\r\n"
    return tag


async def take_single(part, octets: bytes, answer: bytes) -> None:
    tag = await take_batch(part, [octets])
    await part.say(tag + b" " + answer)


def numbers(uid_next: int) -> bytes:
    return b"* STATUS Box (UIDNEXT %d UIDVALIDITY 7)" % uid_next


async def test_one_command_brings_all_and_a_set_of_uids_names_them(play):
    sent = messages()

    async def script(part):
        await part.answer(b"STATUS Box", numbers(5))
        tag = await take_batch(part, sent)
        await part.say(tag + b" OK [APPENDUID 7 5:14] done")
        await part.stay()

    client = await play(script, caps=CAPS)
    outcomes = await client.append_many(b"Box", [item(octets) for octets in sent])
    assert [(one.uid_validity, one.uid, one.refusal) for one in outcomes] == [
        (7, uid, None) for uid in range(5, 15)
    ]


@pytest.mark.parametrize("code", [b"", b" [APPENDUID 7 5:6]", b" [APPENDUID 7 0]"])
async def test_uids_that_do_not_fit_are_not_believed(play, code):
    sent = messages()

    async def script(part):
        await part.answer(b"STATUS Box", numbers(5))
        await part.say(await take_batch(part, sent) + b" OK" + code + b" done")
        await part.stay()

    client = await play(script, caps=CAPS)
    outcomes = await client.append_many(b"Box", [item(octets) for octets in sent])
    assert all(one.uid is None and one.refusal is None for one in outcomes)


@pytest.mark.parametrize("code", [b"TRYCREATE", b"OVERQUOTA"])
async def test_refusal_about_the_mailbox_is_that_of_each_message(play, code):
    """S4: nothing is sent again."""
    sent = messages()

    async def script(part):
        await part.answer(b"STATUS Box", numbers(5))
        await part.say(await take_batch(part, sent) + b" NO [" + code + b"] no")
        await part.answer(b"NOOP")
        await part.stay()

    client = await play(script, caps=CAPS)
    outcomes = await client.append_many(b"Box", [item(octets) for octets in sent])
    assert {one.refusal.code for one in outcomes} == {code.decode()}
    await client.noop()


async def test_refusal_about_one_message_lets_the_others_go_by_themselves(play):
    sent = messages()

    async def script(part):
        await part.answer(b"STATUS Box", numbers(5))
        await part.say(await take_batch(part, sent) + b" NO bad message in there")
        await part.answer(b"STATUS Box", numbers(5))
        for number, octets in enumerate(sent):
            answer = b"NO 8-bit header" if number == 3 else b"OK [APPENDUID 7 %d] done" % (5 + number)
            await take_single(part, octets, answer)
        await part.stay()

    client = await play(script, caps=CAPS)
    outcomes = await client.append_many(b"Box", [item(octets) for octets in sent])
    assert [one.refusal is not None for one in outcomes] == [number == 3 for number in range(COUNT)]
    assert outcomes[9].uid == 14


@pytest.mark.parametrize("after", [numbers(8), b"* STATUS Box (UIDVALIDITY 7)"])
async def test_refused_batch_that_may_be_there_in_part_is_an_unknown_outcome(play, after):
    """Sent again, its messages could be there twice."""
    sent = messages()

    async def script(part):
        await part.answer(b"STATUS Box", numbers(5))
        await part.say(await take_batch(part, sent) + b" NO disk full in the middle")
        await part.answer(b"STATUS Box", after)
        await part.stay()

    client = await play(script, caps=CAPS)
    with pytest.raises(ConnectionLost):
        await client.append_many(b"Box", [item(octets) for octets in sent])
    assert client.distrusted == {"MULTIAPPEND"}


async def test_refusal_in_the_middle_still_gets_the_octets_it_is_owed(play):
    """LITERAL+: what was announced follows whatever the server says, else the next command is read as mail."""
    sent = messages()

    async def script(part):
        await part.answer(b"STATUS Box", numbers(5))
        line = await part.reader.readline()
        tag = line.split()[0]
        await part.say(tag + b" NO [OVERQUOTA] enough")
        for octets in sent:
            assert line.endswith(b"{%d+}\r\n" % len(octets))
            assert await part.reader.readexactly(len(octets)) == octets
            line = await part.reader.readline()
        await part.answer(b"NOOP")
        await part.stay()

    client = await play(script, caps=CAPS)
    outcomes = await client.append_many(b"Box", [item(octets) for octets in sent])
    assert {one.refusal.code for one in outcomes} == {"OVERQUOTA"}
    await client.noop()


async def test_large_and_lonely_messages_go_by_themselves(play, monkeypatch):
    monkeypatch.setattr(batches, "BATCH_COUNT", 4)
    monkeypatch.setattr(batches, "BATCH_BYTES", 1000)
    sent = [*messages(8), b"y" * 2000, b"z" * 30]

    async def script(part):
        await part.answer(b"STATUS Box", numbers(1))
        first = await take_batch(part, sent[:4])
        second = await take_batch(part, sent[4:8])
        await part.say(first + b" OK [APPENDUID 7 1:4]", second + b" OK [APPENDUID 7 5:8]")
        await take_single(part, sent[8], b"OK [APPENDUID 7 9]")
        await take_single(part, sent[9], b"OK [APPENDUID 7 10]")
        await part.stay()

    client = await play(script, caps=CAPS)
    outcomes = await client.append_many(b"Box", [item(octets) for octets in sent])
    assert [one.uid for one in outcomes] == list(range(1, 11))


@pytest.mark.parametrize(
    ("caps", "count"),
    [
        (b"IMAP4rev1 LITERAL+", COUNT),
        (b"IMAP4rev1 MULTIAPPEND LITERAL-", COUNT),
        (CAPS, batches.LEAST_COUNT - 1),
    ],
)
async def test_batches_are_made_only_where_they_pay(play, caps, count):
    sent = messages(count)

    async def script(part):
        for octets in sent:
            await take_single(part, octets, b"OK done")
        await part.stay()

    client = await play(script, caps=caps)
    await client.append_many(b"Box", [item(octets) for octets in sent])


async def test_mailbox_without_uidnext_is_served_one_by_one(play):
    sent = messages()

    async def script(part):
        await part.answer(b"STATUS Box", with_=b"NO [NONEXISTENT] no")
        for octets in sent:
            await take_single(part, octets, b"NO [TRYCREATE] no")
        await part.stay()

    client = await play(script, caps=CAPS)
    outcomes = await client.append_many(b"Box", [item(octets) for octets in sent])
    assert {one.refusal.code for one in outcomes} == {"TRYCREATE"}


async def test_dovecot_takes_batches_and_names_each_message(log_in, mailbag):
    sent = messages(120)
    client = await log_in()
    assert client.caps.has("MULTIAPPEND")
    outcomes = await client.append_many(b"Sent", [item(octets) for octets in sent])
    assert [one.uid for one in outcomes] == list(range(1, 121))
    with server_side(mailbag) as other:
        assert other.bodies("Sent") == dict(enumerate(sent, 1))
