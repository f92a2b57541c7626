"""POST /v1/advise."""

import pytest

PATH = "/v1/advise"


async def test_where_nothing_answers_that_is_the_advice(served):
    reply = await served.call("POST", PATH, json={"address": "nothing.invalid", "several_devices": True})
    assert reply.status == 200
    assert [reply.json[name] for name in ("protocol", "config", "imap", "pop3")] == [None] * 4
    assert reply.json["reasons"]


async def test_addresses_of_the_link_itself_are_not_connected_to(served):
    reply = await served.call("POST", PATH, json={"address": "169.254.169.254"})
    assert reply.json["protocol"] is None
    assert all("no address that is connected to" in reason for reason in reply.json["reasons"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"address": "me@"}, "address_invalid"),
        ({"address": ""}, "body_invalid"),
        ({"address": "a b"}, "body_invalid"),
        ({"address": "a.invalid", "port": 22}, "body_invalid"),
        ({"address": "a.invalid", "slow_line": "yes"}, "body_invalid"),
        ({}, "body_invalid"),
    ],
)
async def test_what_cannot_be_looked_at_is_refused(served, body, code):
    reply = await served.call("POST", PATH, json=body)
    assert (reply.status, reply.json["code"]) == (422, code)
