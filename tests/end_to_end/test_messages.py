"""Reading and changing messages over HTTP, with the server's side looked at by another client."""

import base64
import hashlib

import pytest

from tests.end_to_end.installation import eventually
from tests.support import corpus
from tests.support.proxy import WireProxy
from tests.support.server_side import server_side

ODD = [
    b"",
    b"\r\n",
    b"no header at all, and no line end",
    b"Subject: no body\r\n",
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n8-bit: \xc3\xa4\xff\xfe, a lone CR \r and a dot\r\n.\r\n",
    b"Subject: bare line feeds\n\nThe server sends them as CRLF.\n",
    b"From: x\r\n" * 300 + b"\r\nten thousand columns: " + b"x" * 10_000,
    b"Subject: larger than what is kept in memory\r\n\r\n" + b"0123456789abcdef" * 4 * 20_000 + b"\r\n",
]


async def test_deletion_that_is_waited_for_is_gone_on_the_server(installation, mailbag):
    mailbag.fill("INBOX", corpus.small(3))
    async with installation.running() as service:
        await service.until_state("idle")
        victim, *others = await service.messages()
        answer = await service.ask("DELETE", f"/v1/messages/{victim['id']}?wait=5")
        assert answer.status == 200, answer
        assert (answer.json["state"], answer.json["scope"]) == ("done", "server")
        with server_side(mailbag) as server:
            assert server.digests() == sorted(one["sha256"] for one in others)
        assert await service.messages() == others
        assert (await service.ask("GET", f"/v1/messages/{victim['id']}")).status == 404
        assert len(installation.files()) == 2
        assert "message.deleted" in [event["name"] for event in await service.events()]


async def test_deletion_asked_while_the_server_is_away_reaches_it_after_a_kill(installation, mailbag):
    mailbag.fill("INBOX", corpus.small(3))
    async with WireProxy(mailbag.server.imaps_port) as proxy:
        installation.add(mailbag, port=proxy.port)
        async with installation.running() as service:
            await service.until_state("idle")
            victim, *others = await service.messages()
            proxy.is_refusing = True
            await proxy.cut()
            await service.until_state("offline", "error")
            answer = await service.ask("DELETE", f"/v1/messages/{victim['id']}?wait=1")
            assert answer.status == 202, answer
            assert answer.json["state"] == "pending"
            assert await service.messages() == others, "what is deleted is not shown any more"
            await service.kill()
        async with installation.running() as service:
            await service.until_state("offline", "error")
            assert await service.messages() == others
            operation = f"/v1/operations/{answer.json['id']}"
            assert (await service.get(operation))["state"] == "pending"
            proxy.is_refusing = False
            await service.post("/v1/accounts/work/reconnect")
            done = await service.get(f"{operation}?wait=30")
            assert done["state"] == "done", done
            with server_side(mailbag) as there:
                assert there.digests() == sorted(one["sha256"] for one in others)


async def test_asked_twice_is_done_once(installation, mailbag):
    mailbag.fill("INBOX", corpus.small(2))
    async with installation.running() as service:
        await service.until_state("idle")
        victim, other = await service.messages()
        first = await service.ask("DELETE", f"/v1/messages/{victim['id']}")
        second = await service.ask("DELETE", f"/v1/messages/{victim['id']}?wait=10")
        assert first.status == 202
        assert second.status in {200, 404}, second  # 404 when the first was carried out already
        await service.get(f"/v1/operations/{first.json['id']}?wait=10")
        with server_side(mailbag) as server:
            assert server.digests() == [other["sha256"]]


async def test_flags_reach_the_server_and_come_from_it(installation, mailbag):
    mailbag.fill("INBOX", corpus.small(2), flags="")
    async with installation.running() as service:
        await service.until_state("idle")
        one, other = await service.messages()
        change = {"flags": {"add": ["\\Flagged", "\\Seen", "$Work"], "remove": []}}
        answer = await service.ask("PATCH", f"/v1/messages/{one['id']}?wait=10", json=change)
        assert answer.status == 200, answer
        with server_side(mailbag) as server:
            uid_of = {hashlib.sha256(octets).hexdigest(): uid for uid, octets in server.bodies().items()}
            mine, theirs = uid_of[one["sha256"]], uid_of[other["sha256"]]
            assert server.flags() == {
                mine: {"\\Flagged", "\\Seen", "$Work"},
                theirs: frozenset(),
            }
            server.store([theirs], "+", "\\Answered $Paid")
            server.store([mine], "-", "\\Flagged")

        async def both_seen() -> bool:
            flags = {each["id"]: set(each["flags"]) for each in await service.messages()}
            return flags == {one["id"]: {"\\Seen", "$Work"}, other["id"]: {"\\Answered", "$Paid"}}

        await eventually(both_seen)
        events = await service.events("&types=message.flags")
        assert {event["message_id"] for event in events} == {one["id"], other["id"]}


@pytest.mark.parametrize("as_file", [False, True], ids=["fetched", "large"])
async def test_raw_is_byte_for_byte_what_the_server_sends(installation, mailbag, as_file):
    mailbag.fill("INBOX", ODD[-1:] if as_file else ODD[:-1])
    async with installation.running() as service:
        await service.until_state("idle")
        with server_side(mailbag) as server:
            there = sorted(server.bodies().values())
        here = []
        for message in await service.messages():
            answer = await service.ask("GET", f"/v1/messages/{message['id']}/raw")
            digest = hashlib.sha256(answer.body)
            assert answer.status == 200
            assert message["sha256"] == digest.hexdigest()
            assert message["size_bytes"] == len(answer.body)
            sent = base64.b64encode(digest.digest()).decode()
            assert answer.headers["Repr-Digest"] == f"sha-256=:{sent}:"
            here.append(answer.body)
        assert sorted(here) == there
        assert sorted(path.read_bytes() for path in installation.files().values()) == there


async def test_first_sight_of_a_local_file_is_an_upload(installation, mailbag):
    """A file that a mail program puts there goes up, and is one message on both sides."""
    mailbag.fill("INBOX", corpus.small(1))
    octets = b"Subject: written here\r\n\r\nby a mail program\r\n"
    async with installation.running() as service:
        await service.until_state("idle")
        path = installation.store / "mail" / "work" / "cur" / "1700000000.M1P1.here:2,S"
        path.write_bytes(octets)
        job = await service.post("/v1/accounts/work/sync?wait=20")
        assert job["state"] == "done", job  # the watch on the tree may have sent it before this was asked
        with server_side(mailbag) as server:
            assert hashlib.sha256(octets).hexdigest() in server.digests()
            assert len(server.uids()) == 2
        assert len(await service.messages()) == 2
