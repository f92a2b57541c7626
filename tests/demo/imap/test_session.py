"""The line: literals, limits and ends. What commands do is tested with their modules."""

import asyncio

import pytest

from daemon.demo.imap import session


async def test_literal_is_asked_for_before_it_is_sent(talk):
    assert await talk.ok("LOGOUT") == [b"* BYE Until next time"]


async def test_login_takes_its_words_as_literals(connect):
    talk = await connect(is_logged_in=False)
    assert (await talk("LOGIN {4}", b"demo {6}", b"secret")).is_ok


async def test_literal_of_a_stranger_is_kept_small(connect):
    talk = await connect(is_logged_in=False)
    assert (await talk("LOGIN {5000}")).tagged.startswith(b"NO [TOOBIG]")
    assert (await talk("LOGIN demo secret")).is_ok


async def test_unasked_literal_that_is_too_large_ends_the_line(connect):
    talk = await connect(is_logged_in=False)
    talk.writer.write(b"a LOGIN {5000+}\r\n")
    assert (await talk.response()).startswith(b"* BYE [TOOBIG]")
    assert await talk.reader.read() == b""


async def test_unasked_literal_ends_the_line_where_it_is_not_offered(connect):
    talk = await connect(without=["LITERAL+"])
    talk.writer.write(b"a APPEND INBOX {3+}\r\nabc\r\n")
    assert (await talk.response()).startswith(b"* BYE LITERAL+")


async def test_endless_line_ends_the_connection(talk):
    talk.writer.write(b"a NOOP" + b"x" * session.LINE_BYTES + b"\r\n")
    assert (await talk.response()).startswith(b"* BYE Line too long")


@pytest.mark.parametrize("cut", [b"", b"a NO", b"a APPEND INBOX {10}\r\n", b"a APPEND INBOX {10+}\r\nab"])
async def test_client_that_vanishes_leaves_nothing_behind(talk, server, user, cut):
    before = len(user.inbox.messages)
    talk.writer.write(cut)
    await talk.writer.drain()
    talk.writer.write_eof()
    async with asyncio.timeout(5):
        await talk.reader.read()
        while server.client_count:
            await asyncio.sleep(0.01)
    assert len(user.inbox.messages) == before


async def test_silent_client_is_dropped(connect, monkeypatch):
    monkeypatch.setattr(session, "IDLE_SECONDS", 0.05)
    talk = await connect()
    assert await talk.response() == b"* BYE Silent for too long"


async def test_deleted_mailbox_drops_who_has_it_selected(inbox, user):
    user.inbox.reset(user.new_uid_validity())
    inbox.writer.write(b"a NOOP\r\n")
    assert (await inbox.response()).startswith(b"* BYE")
    assert await inbox.reader.read() == b""
