"""The Origin gate: no request made by another site's page reaches a handler (faults.md A4, A5)."""

import pytest

TARGETS = [("GET", "/livez"), ("GET", "/v1/status"), ("POST", "/v1/accounts/work/sync"), ("GET", "/nothing")]


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://localhost:1", ""]
)
@pytest.mark.parametrize(("method", "target"), TARGETS)
async def test_foreign_origin_is_forbidden_even_with_a_token(still, method, target, origin):
    reply = await still.call(method, target, headers={"Origin": origin.format(port=still.port)})
    assert reply.status == 403
    assert reply.json["code"] == "origin_forbidden"
    assert b"evil" not in reply.body


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site", "anything"])
@pytest.mark.parametrize(("method", "target"), TARGETS)
async def test_cross_site_fetch_is_forbidden(still, method, target, site):
    reply = await still.call(method, target, headers={"Sec-Fetch-Site": site})
    assert reply.status == 403


async def test_form_post_of_another_site_is_forbidden_before_its_body(still):
    reply = await still.call(
        "POST",
        "/v1/accounts/work/sync",
        data=b"a=b",
        headers={"Origin": "http://evil.example", "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert reply.status == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
async def test_own_page_is_served(still, site):
    origin = f"http://{still.host}"
    reply = await still.call("GET", "/v1/status", headers={"Origin": origin, "Sec-Fetch-Site": site})
    assert reply.status == 200


async def test_origin_on_a_socket_is_forbidden(still):
    reply = await still.call(
        "GET", "/livez", headers={"Origin": f"http://{still.host}"}, socket=still.server.control_path
    )
    assert reply.status == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", None])
async def test_preflight_is_never_allowed(still, origin):
    headers = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}
    if origin:
        headers["Origin"] = origin
    reply = await still.call("OPTIONS", "/v1/messages", headers=headers, with_token=False)
    assert reply.status in (401, 403)
    assert not any(name.startswith("access-control-") for name in reply.headers)


async def test_no_answer_has_cors_headers(still):
    for target in ("/livez", "/v1/status", "/nothing"):
        reply = await still.call("GET", target, headers={"Origin": f"http://{still.host}"})
        assert not any(name.startswith("access-control-") for name in reply.headers)
