"""GET /v1/operations/{id}."""

import asyncio

import pytest


async def test_pending_operation_is_shown(served, world):
    message = await world.deliver()
    operation = (await served.call("DELETE", f"/v1/messages/{message}")).json
    reply = await served.call("GET", f"/v1/operations/{operation['id']}")
    assert reply.status == 200
    assert reply.json["state"] == "pending"
    assert reply.json["message_id"] == message


async def test_waiting_shows_it_when_it_is_finished(served, world):
    message = await world.deliver()
    operation = (await served.call("DELETE", f"/v1/messages/{message}")).json
    waiting = asyncio.create_task(
        served.call("GET", f"/v1/operations/{operation['id']}?wait=5"), name="waiting"
    )
    await asyncio.sleep(0.05)
    await world.finish(operation["id"], "failed", "refused")
    reply = await waiting
    assert reply.status == 200
    assert (reply.json["state"], reply.json["reason"]) == ("failed", "refused")
    assert reply.json["finished_at"]


@pytest.mark.parametrize("operation_id", ["0" * 32, "x", "..."])
@pytest.mark.parametrize("query", ["", "?wait=0.1"])
async def test_unknown_operation_is_404(served, operation_id, query):
    reply = await served.call("GET", f"/v1/operations/{operation_id}{query}")
    assert reply.status == 404
    assert reply.json["code"] == "operation_unknown"
