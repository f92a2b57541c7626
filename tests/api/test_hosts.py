"""The Host gate: DNS rebinding must fail on every route, also with a valid token (faults.md A3)."""

import pytest

from api.hosts import allowed_hosts
from api.routes import ROUTES

GOOD = ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}"]
BAD = [
    "evil.example",
    "evil.example:{port}",
    "localhost",
    "localhost.:{port}",
    "127.0.0.1.:{port}",
    "127.0.0.1",
    "127.0.0.1:1",
    "2130706433:{port}",
    "0x7f.1:{port}",
    "127.1:{port}",
    "0.0.0.0:{port}",
    "[::]:{port}",
    "[::ffff:127.0.0.1]:{port}",
    "localhost@evil.example:{port}",
    "user@localhost:{port}",
    "localhost:{port}, evil.example",
    "localhost:0{port}",
    "localhost.evil.example:{port}",
    "",
]
TARGETS = [
    (route.method, route.path.replace("{account}", "work").replace("{id}", "0" * 32)) for route in ROUTES
] + [("GET", "/"), ("GET", "/nothing"), ("OPTIONS", "/v1/status"), ("PUT", "/v1/status")]


def status_of(answer):
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("host", BAD)
async def test_foreign_host_is_misdirected_on_every_route(still, host):
    for method, target in TARGETS:
        sent = f"{method} {target} HTTP/1.1\r\nHost: {host.format(port=still.port)}\r\n"
        sent += f"Authorization: Bearer {still.token}\r\nConnection: close\r\n\r\n"
        answer = await still.exchange(sent.encode())
        assert status_of(answer) in (400, 421), (method, target, answer)
        assert b"evil" not in answer
        assert b'"alive"' not in answer


@pytest.mark.parametrize("host", GOOD)
async def test_own_name_is_answered(still, host):
    answer = await still.exchange(still.head("GET /livez HTTP/1.1", host=host.format(port=still.port)))
    assert status_of(answer) == 200


@pytest.mark.parametrize(
    "target", ["http://evil.example/livez", "http://127.0.0.1/livez", "//evil.example/livez"]
)
async def test_absolute_form_is_misdirected(still, target):
    answer = await still.exchange(still.head(f"GET {target} HTTP/1.1"))
    assert status_of(answer) in (404, 421)
    assert b"alive" not in answer


@pytest.mark.parametrize("target", ["evil.example:443", "livez", "*"])
async def test_other_forms_of_the_target_are_refused(still, target):
    answer = await still.exchange(still.head(f"GET {target} HTTP/1.1"))
    assert status_of(answer) in (400, 404, 421)


async def test_missing_host_is_refused(still):
    for version in ("1.0", "1.1"):
        answer = await still.exchange(f"GET /livez HTTP/{version}\r\nConnection: close\r\n\r\n".encode())
        assert status_of(answer) in (400, 421)


async def test_two_hosts_are_refused(still):
    answer = await still.exchange(still.head("GET /livez HTTP/1.1", f"Host: {still.host}"))
    assert status_of(answer) == 400


async def test_socket_has_no_names(still):
    reply = await still.call("GET", "/livez", headers={"Host": "anything"}, socket=still.server.control_path)
    assert reply.status == 200


def test_port_may_be_left_out_only_where_it_is_the_schemes_own():
    assert "localhost" in allowed_hosts(address="127.0.0.1", port=80, is_tls=False)
    assert "localhost" not in allowed_hosts(address="127.0.0.1", port=80, is_tls=True)
    assert "localhost" in allowed_hosts(address="127.0.0.1", port=443, is_tls=True)


def test_bound_address_is_a_name_unless_it_is_a_wildcard():
    assert "192.168.1.5:8420" in allowed_hosts(address="192.168.1.5", port=8420, is_tls=True)
    assert "[fd00::1]:8420" in allowed_hosts(address="fd00::1", port=8420, is_tls=True)
    for wildcard in ("0.0.0.0", "::"):
        assert not any(
            "0.0.0.0" in host or "[::]" in host
            for host in allowed_hosts(address=wildcard, port=1, is_tls=True)
        )


def test_configured_names_count_with_the_port_they_have():
    allowed = allowed_hosts(
        address="127.0.0.1", port=8420, is_tls=False, named=("Mail.Home", "box:9000", "[fd00::1]")
    )
    assert {"mail.home", "mail.home:8420", "box:9000", "[fd00::1]", "[fd00::1]:8420"} <= allowed
    assert "box" not in allowed
    assert "box:8420" not in allowed
