"""The access log: routes and results, nothing that was sent."""

import pytest
import structlog


@pytest.fixture
def lines():
    with structlog.testing.capture_logs() as captured:
        yield captured


def answered(lines):
    return [line for line in lines if line["event"] == "api.answered"]


async def test_answer_is_one_line_with_the_routes_template(lines, served, world):
    message = await world.deliver()
    await served.call("GET", f"/v1/messages/{message}")
    line = answered(lines)[-1]
    assert (line["method"], line["route"], line["status"]) == ("GET", "/v1/messages/{id}", 200)
    assert line["listener"] == "tcp"
    assert line["duration_ms"] >= 0
    assert message not in str(lines)


async def test_nothing_that_was_sent_is_logged(lines, served):
    await served.call("GET", "/v1/messages?mailbox=canary1", headers={"X-Canary": "canary2"})
    await served.call("GET", "/canary3")
    await served.call("GET", "/v1/accounts/canary4/health")
    await served.call("PATCH", "/v1/messages/canary5", json={"flags": {"add": ["canary6"]}})
    await served.call("GET", "/v1/status", headers={"Authorization": "Bearer canary7"}, with_token=False)
    await served.exchange(b"CANARY8 / HTTP/1.1\r\n\r\n")
    await served.exchange(b"canary9\r\n\r\n")
    assert len(answered(lines)) == 7
    assert "canary" not in str(lines).lower()
    assert served.token not in str(lines)


async def test_unknown_paths_share_one_name(lines, served):
    await served.call("GET", "/a")
    await served.call("GET", "/b/c")
    assert [line["route"] for line in answered(lines)] == ["unknown", "unknown"]


async def test_peer_of_a_socket_is_its_user(lines, served):
    await served.call("GET", "/livez", socket=served.server.control_path)
    assert answered(lines)[-1]["peer"].startswith("uid ")
