"""A POP3 account over HTTP: what is done here is done here only, with the server's side looked at by another client."""

import pytest

from tests.support import corpus
from tests.support.server_side import server_side


@pytest.fixture
def dropped(install, mailbag):
    """An installation with the POP3 account `drop` of this test's user."""
    made = install()
    made.add(mailbag, "drop", protocol="pop3", port=mailbag.server.pop3s_port, poll_interval="1h")
    return made


def server_state(mailbag):
    """What another client sees. To be taken after the first download: to Dovecot what was fetched is seen."""
    with server_side(mailbag) as server:
        return server.bodies(), server.flags()


async def poll(service):
    job = await service.post("/v1/accounts/drop/sync?wait=30")
    assert job["state"] == "done", job


async def test_deletion_is_local_and_the_message_does_not_come_back(dropped, mailbag):
    mailbag.fill("INBOX", corpus.small(3))
    async with dropped.running() as service:
        await service.until_state("polling", account="drop")
        before = server_state(mailbag)
        victim, *others = await service.messages()
        answer = await service.ask("DELETE", f"/v1/messages/{victim['id']}?wait=10")
        assert answer.status == 200, answer
        assert (answer.json["state"], answer.json["scope"]) == ("done", "local")
        again = await service.get(f"/v1/operations/{answer.json['id']}")
        assert (again["state"], again["scope"]) == ("done", "local")
        await poll(service)
        assert await service.messages() == others
        assert (await service.ask("GET", f"/v1/messages/{victim['id']}")).status == 404
        assert len(dropped.files("drop")) == 2
        names = [(event["name"], event["message_id"]) for event in await service.events()]
        assert names.count(("message.deleted", victim["id"])) == 1
        await service.kill()
    async with dropped.running() as service:
        await poll(service)
        assert await service.messages() == others, "nor after a kill"
    assert server_state(mailbag) == before


async def test_flags_are_local_and_a_poll_leaves_them_as_they_are(dropped, mailbag):
    mailbag.fill("INBOX", corpus.small(2), flags="")
    async with dropped.running() as service:
        await service.until_state("polling", account="drop")
        before = server_state(mailbag)
        one, other = await service.messages()
        change = {"flags": {"add": ["\\Flagged", "\\Seen", "$Work"], "remove": []}}
        answer = await service.ask("PATCH", f"/v1/messages/{one['id']}?wait=10", json=change)
        assert answer.status == 200, answer
        assert (answer.json["state"], answer.json["scope"]) == ("done", "local")
        await poll(service)
        flags = {each["id"]: set(each["flags"]) for each in await service.messages()}
        assert flags == {one["id"]: {"\\Flagged", "\\Seen", "$Work"}, other["id"]: set()}
        back = {"flags": {"add": [], "remove": ["\\Flagged"]}}
        answer = await service.ask("PATCH", f"/v1/messages/{one['id']}", json=back)
        assert (answer.status, answer.json["scope"]) == (202, "local")
        done = await service.get(f"/v1/operations/{answer.json['id']}?wait=10")
        assert (done["state"], done["scope"]) == ("done", "local")
        await poll(service)
        flags = {each["id"]: set(each["flags"]) for each in await service.messages()}
        assert flags[one["id"]] == {"\\Seen", "$Work"}
        assert (await service.account("drop"))["unread"] == 1
    assert server_state(mailbag) == before


async def test_state_is_polling_with_the_time_of_the_next_poll(dropped, mailbag):
    mailbag.fill("INBOX", corpus.small(1))
    async with dropped.running() as service:
        await service.until_state("polling", account="drop")
        status = (await service.get("/v1/status"))["accounts"]["drop"]
        assert (status["protocol"], status["total"]) == ("pop3", 1)
        assert status["last_sync"] < status["retry_at"]
