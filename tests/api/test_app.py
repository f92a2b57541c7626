"""The application: gates in their order; Host x Origin x token x route as a whole (faults.md A1, A3 to A5)."""

import itertools

import pytest

from api.routes import ROUTES, Scope

HOSTS = {"own": "127.0.0.1:{port}", "foreign": "evil.example"}
ORIGINS = {"none": None, "own": "http://127.0.0.1:{port}", "foreign": "http://evil.example"}
TOKENS = {"right": "Bearer {token}", "wrong": "Bearer wrong", "none": None}
MATRIX = list(itertools.product(HOSTS, ORIGINS, TOKENS))


def expected(host, origin, token, scope):
    if host == "foreign":
        return 421
    if origin == "foreign":
        return 403
    if token != "right" and scope is not Scope.OPEN:
        return 401
    return None


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_gates_hold_in_their_order_on_every_route(still, route, still_world):
    target = route.path.replace("{account}", "nobody").replace("{id}", "0" * 32)
    for host, origin, token in MATRIX:
        lines = [f"{route.method} {target} HTTP/1.1", f"Host: {HOSTS[host].format(port=still.port)}"]
        if (text := ORIGINS[origin]) is not None:
            lines.append(f"Origin: {text.format(port=still.port)}")
        if (text := TOKENS[token]) is not None:
            lines.append(f"Authorization: {text.format(token=still.token)}")
        answer = await still.exchange("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        status = int(answer.split()[1])
        want = expected(host, origin, token, route.scope)
        case = (host, origin, token, answer)
        if want is not None:
            assert status == want, case
        else:
            assert status in (200, 202, 400, 404, 415, 422), case


async def test_application_without_our_connections_refuses_to_serve(still_world):
    """A gate that cannot know the listener must not let anything through."""
    from aiohttp import ClientSession, web

    from api.app import make_app
    from daemon.model.clock import SystemClock

    runner = web.AppRunner(make_app(still_world.control, clock=SystemClock()), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with ClientSession() as session:
        for target in ("/livez", "/v1/status"):
            async with session.get(f"http://127.0.0.1:{site.port}{target}") as response:
                assert response.status == 500
                assert b"alive" not in await response.read()
    await runner.cleanup()


async def test_mistake_of_ours_is_500_without_its_words(still, still_world, monkeypatch):
    def broken():
        raise RuntimeError("secret words")

    monkeypatch.setattr(still_world.control, "status", broken)
    reply = await still.call("GET", "/v1/status")
    assert reply.status == 500
    assert reply.json["code"] == "internal"
    assert b"secret" not in reply.body
    assert reply.headers["x-content-type-options"] == "nosniff"
