"""/v1/accounts/{account}."""

import pytest


async def test_healthy_account_is_200(served, world):
    reply = await served.call("GET", "/v1/accounts/work/health")
    assert reply.status == 200
    assert reply.json["account"] == "work"
    assert set(reply.json) == {"account", "state", "since", "reason", "detail", "remedy", "retry_at"}


async def test_unhealthy_account_is_503_with_state_and_reason(served, world):
    await world.until_state("shut", "error")
    reply = await served.call("GET", "/v1/accounts/shut/health")
    assert reply.status == 503
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json["code"] == "account_unhealthy"
    assert reply.json["account"] == "shut"
    assert reply.json["state"] == "error"
    assert reply.json["reason"] == "credential_unavailable"


@pytest.mark.parametrize("verb", ["sync", "pause", "resume", "reconnect"])
async def test_command_is_a_job(served, verb):
    reply = await served.call("POST", f"/v1/accounts/work/{verb}")
    assert reply.status == 202
    assert reply.json["kind"] == verb
    assert reply.json["account"] == "work"
    assert reply.headers["location"] == f"/v1/jobs/{reply.json['id']}"
    assert (await served.call("GET", reply.headers["location"])).status == 200


async def test_waiting_for_a_command_gives_its_result(served):
    reply = await served.call("POST", "/v1/accounts/work/pause?wait=5")
    assert reply.status == 200
    assert reply.json["state"] == "done"
    assert (await served.call("GET", "/v1/status")).json["accounts"]["work"]["state"] == "paused"
    assert (await served.call("GET", "/v1/accounts/work/health")).status == 200


async def test_wait_that_runs_out_is_202(served):
    reply = await served.call("POST", "/v1/accounts/work/sync?wait=0")
    assert reply.status == 202
    assert reply.json["state"] == "running"


@pytest.mark.parametrize("verb", ["sync", "reconnect"])
async def test_failed_command_is_a_result_to_who_waited(served, verb):
    """The contract: 200 with its result. What became of it stands in `state`."""
    await served.call("POST", "/v1/accounts/work/pause?wait=5")
    reply = await served.call("POST", f"/v1/accounts/work/{verb}?wait=5")
    assert reply.status == 200
    assert reply.json["state"] == "failed"
    assert reply.json["reason"] == "paused"


@pytest.mark.parametrize("target", ["health", "mailboxes"])
async def test_unknown_account_is_404(served, target):
    reply = await served.call("GET", f"/v1/accounts/nobody/{target}")
    assert reply.status == 404
    assert reply.json["code"] == "account_unknown"
    assert reply.json["hint"].startswith("there is no account 'nobody'; there are: ")
    odd = await served.call("GET", f"/v1/accounts/nobody%0d%0a/{target}")
    assert (odd.status, odd.json["code"]) == (404, "account_unknown")
    assert b"nobody" not in odd.body, "only what could be an account is repeated"


@pytest.mark.parametrize("verb", ["sync", "pause", "resume", "reconnect"])
@pytest.mark.parametrize("query", ["", "?wait=1"])
async def test_command_to_an_unknown_account_is_404(served, verb, query):
    assert (await served.call("POST", f"/v1/accounts/nobody/{verb}{query}")).status == 404


async def test_unknown_command_is_404(served):
    assert (await served.call("POST", "/v1/accounts/work/explode")).status == 404


async def test_mailboxes_are_listed_with_counts(served, world):
    await world.deliver(mailbox="Sent", seen=True)
    await world.deliver()
    items = (await served.call("GET", "/v1/accounts/work/mailboxes")).json["items"]
    assert [item["name"] for item in items] == ["INBOX", "Sent"]
    assert [(item["total"], item["unread"]) for item in items] == [(1, 1), (1, 0)]
    assert items[1]["role"] == "\\Sent"
    assert items[0]["uid_validity"] == 7
    assert items[0]["watch"] == "poll"
