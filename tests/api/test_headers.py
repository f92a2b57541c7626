"""Headers of every answer (faults.md A24)."""

import pytest

from api.headers import ALWAYS


@pytest.mark.parametrize(
    "target", ["/livez", "/v1/status", "/v1/messages", "/nothing", "/v1/accounts/nobody/health"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
async def test_every_answer_carries_them(still, method, target):
    reply = await still.call(method, target)
    for name, value in ALWAYS.items():
        assert reply.headers[name.lower()] == value


async def test_refusals_of_the_gates_carry_them(still):
    for headers, with_token in (({"Host": "evil.example"}, True), ({"Origin": "null"}, True), ({}, False)):
        reply = await still.call("GET", "/v1/status", headers=headers, with_token=with_token)
        assert reply.status >= 400
        assert reply.headers["x-content-type-options"] == "nosniff"


async def test_malformed_request_is_answered_with_them(still):
    answer = await still.exchange(b"FOO / bar\r\n\r\n")
    for name, value in ALWAYS.items():
        assert f"{name}: {value}".encode() in answer


async def test_no_version_is_told(still):
    for data in (b"FOO / bar\r\n\r\n", still.head("GET /livez HTTP/1.1")):
        answer = await still.exchange(data)
        assert b"aiohttp" not in answer.lower()
        assert b"python" not in answer.lower()
