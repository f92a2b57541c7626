"""DELE of what still stands behind its number."""

import pytest

from daemon.model.errors import ConnectionLost, RemoteProtocolError, ServerRefused
from daemon.net.pop3.values import MaildropEntry
from tests.net.pop3.test_client import witness
from tests.support import corpus

ENTRIES = [MaildropEntry(1, "a", 10), MaildropEntry(2, "b", 10)]


async def asked_once(part):
    """The first round of a pipe: both ids are as listed."""
    await part.hear(b"UIDL 1")
    await part.answer(b"UIDL 2", b"+OK 1 a", b"+OK 2 b")


async def test_ids_are_asked_for_again_between_the_deletions_in_one_pipe(play):
    async def script(part):
        await asked_once(part)
        for line in (b"UIDL 1", b"DELE 1", b"UIDL 2", b"DELE 2"):
            await part.hear(line)
        await part.say(b"+OK 1 a", b"+OK", b"+OK 2 b", b"-ERR locked")
        await part.stay()

    first, second = await (await play(script)).remove(ENTRIES)
    assert first is None
    assert isinstance(second, ServerRefused)


async def test_message_renumbered_since_the_listing_ends_the_session_before_any_deletion(play):
    """P12."""

    async def script(part):
        await part.hear(b"UIDL 1")
        await part.answer(b"UIDL 2", b"+OK 1 a", b"+OK 2 c")
        await part.answer(b"RSET", b"+OK")
        await part.stay()

    client = await play(script)
    with pytest.raises(RemoteProtocolError) as caught:
        await client.remove(ENTRIES)
    assert caught.value.reason == "maildrop_changed"
    with pytest.raises(ConnectionLost):
        await client.noop()


async def test_message_renumbered_by_a_deletion_ends_the_session(play):
    """P12: the server closes the ranks behind each DELE."""

    async def script(part):
        await asked_once(part)
        for line in (b"UIDL 1", b"DELE 1", b"UIDL 2", b"DELE 2"):
            await part.hear(line)
        await part.say(b"+OK 1 a", b"+OK", b"-ERR no such message", b"-ERR no such message")
        await part.answer(b"RSET", b"+OK")
        await part.stay()

    with pytest.raises(RemoteProtocolError) as caught:
        await (await play(script)).remove(ENTRIES)
    assert caught.value.reason == "maildrop_changed"


@pytest.mark.parametrize("caps", [(b"USER", b"UIDL", b"TOP", b"PIPELINING"), (b"USER", b"UIDL")])
async def test_message_whose_id_is_refused_stays(play, caps):
    async def script(part):
        if b"PIPELINING" in caps:
            await part.hear(b"UIDL 1")
            await part.answer(b"UIDL 2", b"-ERR no such message", b"+OK 2 b")
        else:
            await part.answer(b"UIDL 1", b"-ERR no such message")
        await part.answer(b"UIDL 2", b"+OK 2 b")
        await part.answer(b"DELE 2", b"+OK")
        await part.stay()

    first, second = await (await play(script, caps=caps)).remove(ENTRIES)
    assert isinstance(first, ServerRefused)
    assert second is None


async def test_without_a_pipe_each_id_is_asked_for_once_before_its_deletion(play):
    async def script(part):
        await part.answer(b"UIDL 1", b"+OK 1 a")
        await part.answer(b"DELE 1", b"+OK")
        await part.answer(b"UIDL 2", b"+OK 2 other")
        await part.answer(b"RSET", b"+OK")
        await part.stay()

    with pytest.raises(RemoteProtocolError):
        await (await play(script, caps=(b"USER", b"UIDL"))).remove(ENTRIES)


@pytest.mark.parametrize(
    ("answer", "is_other"), [(b"+OK 2 b", False), (b"-ERR no such message", False), (b"+OK 2 c", True)]
)
async def test_number_that_names_another_message_is_noticed(play, answer, is_other):
    async def script(part):
        await part.answer(b"UIDL 2", answer)
        await part.answer(b"RSET" if is_other else b"NOOP", b"+OK")
        await part.stay()

    client = await play(script)
    if is_other:
        with pytest.raises(RemoteProtocolError):
            await client.confirm(ENTRIES[1])
    else:
        await client.confirm(ENTRIES[1])
        await client.noop()


async def test_real_server_deletes_what_was_listed(mailbag, log_in):
    mailbag.fill("INBOX", corpus.small(20))
    before = await witness(mailbag)
    client = await log_in()
    listed = await client.list_messages()
    assert await client.remove(listed[:15]) == (None,) * 15
    await client.quit()
    assert await witness(mailbag) == before[15:]
    client = await log_in()
    assert await client.remove([]) == ()
