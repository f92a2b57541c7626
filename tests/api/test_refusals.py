"""The outermost gate: every refusal is a problem with its code."""

import pytest


@pytest.mark.parametrize(
    ("method", "target", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/v1/status/", 404, "not_found"),
        ("PUT", "/v1/status", 405, "method_not_allowed"),
        ("GET", "/v1/accounts/nobody/health", 404, "account_unknown"),
        ("GET", f"/v1/messages/{'0' * 32}", 404, "message_unknown"),
        ("GET", "/v1/messages?cursor=x", 400, "cursor_invalid"),
    ],
)
async def test_refusal_is_a_problem(still, method, target, status, code):
    reply = await still.call(method, target)
    assert reply.status == status == reply.json["status"]
    assert reply.json["code"] == code
    assert reply.headers["content-type"] == "application/problem+json"


async def test_method_not_allowed_tells_what_is(still):
    reply = await still.call("DELETE", "/v1/status")
    assert reply.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "part",
    [
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "a%2fb",
        "%252e%252e",
        "x" * 7000,
        "%ff",
        "%F0%9F%92%A9",
        "'--",
    ],
)
@pytest.mark.parametrize(
    "path",
    ["/v1/accounts/{}/health", "/v1/messages/{}", "/v1/messages/{}/raw", "/v1/operations/{}", "/v1/jobs/{}"],
)
async def test_path_tricks_find_nothing(still, path, part):
    """faults.md A6."""
    answer = await still.exchange(still.head(f"GET {path.format(part)} HTTP/1.1"))
    assert int(answer.split()[1]) in (400, 404), answer
    assert part.encode() not in answer
    assert b"Traceback" not in answer
