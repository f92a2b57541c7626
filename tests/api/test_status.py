"""/livez, /readyz and /v1/status."""

from datetime import datetime

from api.status import format_status


async def test_livez_and_readyz_are_200_while_running(served):
    assert (await served.call("GET", "/livez", with_token=False)).json == {"state": "alive"}
    assert (await served.call("GET", "/readyz", with_token=False)).json == {"state": "ready"}


async def test_readyz_is_503_when_the_service_is_not_up(served, world):
    await world.service.stop()
    reply = await served.call("GET", "/readyz", with_token=False)
    assert reply.status == 503
    assert reply.json["code"] == "not_ready"
    assert (await served.call("GET", "/livez", with_token=False)).status == 200


async def test_status_has_the_contracts_shape(served, world):
    await world.deliver(seen=True)
    await world.deliver()
    status = (await served.call("GET", "/v1/status")).json
    assert set(status) == {
        "state",
        "version",
        "uptime_seconds",
        "unread",
        "total",
        "accounts_ok",
        "accounts_error",
        "last_sync",
        "event_id",
        "accounts",
    }
    assert {"work", "shut"} == set(status["accounts"])
    assert set(status["accounts"]["work"]) >= {
        "protocol",
        "state",
        "unread",
        "total",
        "last_sync",
        "last_sync_age_seconds",
        "reason",
        "retry_at",
    }
    assert (status["unread"], status["total"]) == (1, 2)
    assert (status["accounts"]["work"]["unread"], status["accounts"]["work"]["total"]) == (1, 2)
    assert status["accounts"]["work"]["protocol"] == "imap"
    assert status["accounts_ok"] + status["accounts_error"] == 2
    assert status["state"] == ("ok" if status["accounts_error"] == 0 else "degraded")
    assert isinstance(status["uptime_seconds"], float)
    assert datetime.fromisoformat(status["accounts"]["work"]["since"]).utcoffset().total_seconds() == 0


async def test_status_for_eyes_has_a_line_for_each_account(served, world):
    reply = await served.call("GET", "/v1/status?format=text")
    assert reply.headers["content-type"].startswith("text/plain")
    lines = reply.body.decode().splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("work  imap")
    assert lines[2].startswith("shut  imap")


def test_status_without_accounts_can_be_said(world):
    from dataclasses import replace

    assert "0 accounts" in format_status(replace(world.control.status(), accounts={}))
