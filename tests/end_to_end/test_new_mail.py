"""A message that arrives while the service runs: file, index and journal, over restarts too."""

import hashlib
import smtplib

import pytest

from tests.end_to_end.installation import eventually
from tests.support import corpus
from tests.support.server_side import server_side


def letter(number: int) -> bytes:
    return b"From: ada@example.org\r\nSubject: letter %d\r\n\r\nHello.\r\n" % number


def append(mailbag, octets: bytes) -> None:
    with server_side(mailbag) as server:
        server.append(octets)


def deliver(mailbag, octets: bytes) -> None:
    with smtplib.LMTP("127.0.0.1", mailbag.server.lmtp_port) as lmtp:
        lmtp.sendmail("ada@example.org", [mailbag.user], octets)


async def news(service, since: str) -> list[dict]:
    """New messages after `since`; waits for the first."""
    found = await service.get(f"/v1/events?since={since}&types=message.new&timeout=30")
    return found["items"]


@pytest.mark.parametrize("arrive", [append, deliver], ids=["append", "lmtp"])
async def test_message_is_in_file_index_and_journal(installation, mailbag, arrive):
    mailbag.fill("INBOX", corpus.small(2))
    async with installation.running() as service:
        await service.until_state("idle")
        before = await service.messages()
        place = (await service.get("/v1/status"))["event_id"]
        arrive(mailbag, letter(1))
        [event] = await news(service, place)
        assert (event["account"], event["mailbox"], event["data"]["subject"]) == ("work", "INBOX", "letter 1")
        message = await service.get(f"/v1/messages/{event['message_id']}")
        [path] = set(installation.files().values()) - {
            path for path in installation.files().values() if b"letter 1" not in path.read_bytes()
        }
        assert path.parent.name == "new"
        assert hashlib.sha256(path.read_bytes()).hexdigest() == message["sha256"]
        with server_side(mailbag) as server:
            assert message["sha256"] in server.digests()
        assert (await service.messages())[0] == message, "the newest comes first"
        assert len(await service.messages()) == len(before) + 1


async def test_first_download_is_no_news(installation, mailbag):
    mailbag.fill("INBOX", corpus.small(20))
    mailbag.fill("Archive", corpus.small(20, seed=2))
    async with installation.running() as service:
        await service.until_state("idle")
        assert len(await service.messages()) == 40
        assert await service.events("&types=message.new") == []


async def test_journal_keeps_its_order_and_its_ids_over_restarts(installation, mailbag):
    mailbag.fill("INBOX", corpus.small(1))
    async with installation.running() as service:
        await service.until_state("idle")
        place = (await service.get("/v1/status"))["event_id"]
        append(mailbag, letter(1))
        await news(service, place)
        first = await service.events()
        await service.kill()
    append(mailbag, letter(2))  # while nobody is there
    async with installation.running() as service:
        await service.until_state("idle")

        async def second() -> bool:
            return len(await service.events("&types=message.new")) == 2

        await eventually(second)
        again = await service.events()
        assert [event["id"] for event in again[: len(first)]] == [event["id"] for event in first]
        assert again[: len(first)] == first
        assert await service.stop() == 0
    async with installation.running() as service:
        await service.until_state("idle")
        append(mailbag, letter(3))
        [latest] = await news(service, again[-1]["id"])
        everything = await service.events()
        ids = [event["id"] for event in everything]
        assert ids == sorted(set(ids)), "ids grow, and none is given twice"
        subjects = [event["data"]["subject"] for event in everything if event["name"] == "message.new"]
        assert subjects == ["letter 1", "letter 2", "letter 3"]
        assert ids[-1] >= latest["id"]


async def test_stream_tells_what_the_journal_has(installation, mailbag):
    mailbag.fill("INBOX", corpus.small(1))
    async with installation.running() as service:
        await service.until_state("idle")
        place = (await service.get("/v1/status"))["event_id"]
        append(mailbag, letter(1))
        lines = await service.stream(f"/v1/events?since={place}&types=message.new", until="data: ")
        [event] = await news(service, place)
        assert f"id: {event['id']}" in lines
        assert "event: message.new" in lines
