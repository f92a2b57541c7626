"""Polls of real maildrops, Dovecot's and Courier's: 10,000 messages byte for byte, and a listing alone the second time.

MAILSYNCD_MAILDROP says how many messages the large one has.
"""

import os
import re

import pytest

from tests.support import corpus
from tests.support.pop3_bridge import open_pop3_as, settings_of, sha
from tests.support.proxy import WireProxy
from tests.support.server_side import server_side

MESSAGES = int(os.environ.get("MAILSYNCD_MAILDROP", "10000"))


@pytest.fixture(params=["dovecot", "courier"])
def kind(request) -> str:
    return request.param


def settings(mailbag, port: int, **options):
    return settings_of(
        host="127.0.0.1", port=port, username=mailbag.user, password=mailbag.password, **options
    )


def commands(session) -> list[str]:
    """The words a session sent, without the login."""
    words = [line.split(b" ")[0].decode() for line in bytes(session.to_server).split(b"\r\n")]
    return words[words.index("STAT") :] if "STAT" in words else words


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_large_maildrop_comes_byte_for_byte_and_the_next_poll_asks_for_its_listing_alone(
    mailbag, tmp_path
):
    letters = list(corpus.messages(MESSAGES, seed=3, smallest=300, largest=9_000))
    mailbag.fill("INBOX", letters)
    async with (
        WireProxy(mailbag.server.pop3_port) as proxy,
        open_pop3_as(tmp_path / "store", settings(mailbag, proxy.port)) as bridge,
    ):
        await bridge.poll()
        assert bridge.digests() == sorted(map(sha, letters))
        again = await bridge.poll()
        first, second = proxy.sessions
        assert len(re.findall(rb"RETR \d+\r\n", first.to_server)) == MESSAGES
        assert again.is_quiet
        assert commands(second) == ["STAT", "UIDL", "LIST", "QUIT", ""]
    with server_side(mailbag) as server:
        assert server.digests() == sorted(map(sha, letters))


async def test_maildrop_is_emptied_of_what_is_stored_and_of_nothing_else(mailbag, tmp_path):
    letters = corpus.small(60)
    mailbag.fill("INBOX", letters)
    port = mailbag.server.pop3_port
    async with open_pop3_as(tmp_path / "store", settings(mailbag, port, leave_on_server=False)) as bridge:
        await bridge.poll()
        mailbag.fill("INBOX", more := corpus.small(3, seed=9))
        with server_side(mailbag) as server:
            assert server.digests() == sorted(map(sha, more))
        await bridge.poll()
        assert bridge.digests() == sorted(map(sha, [*letters, *more]))
        assert (await bridge.poll()).is_quiet
    with server_side(mailbag) as server:
        assert server.digests() == []


async def test_message_deleted_here_stays_there_and_does_not_come_back(mailbag, tmp_path):
    letters = corpus.small(6)
    mailbag.fill("INBOX", letters)
    async with open_pop3_as(tmp_path / "store", settings(mailbag, mailbag.server.pop3_port)) as bridge:
        await bridge.poll()
        next(iter(bridge.files().values())).unlink()
        bridge.engine.note_local_change()
        await bridge.poll()
        await bridge.poll()
        assert len(bridge.digests()) == 5
    with server_side(mailbag) as server:
        assert server.digests() == sorted(map(sha, letters))
