"""The token gate (faults.md A1, A4) and the control socket, which needs none (sync.md 29, decision 13)."""

import os
import socket
import subprocess
import sys
import time

import pytest

from api.connection import Peer
from api.routes import ROUTES, Scope

CLOSED = [
    (route.method, route.path.replace("{account}", "work").replace("{id}", "0" * 32))
    for route in ROUTES
    if route.scope is not Scope.OPEN
] + [("GET", "/"), ("GET", "/v1"), ("GET", "/nothing"), ("DELETE", "/livez"), ("GET", "/v1/status/")]


@pytest.mark.parametrize(("method", "target"), CLOSED)
async def test_without_token_every_closed_route_is_unauthorized(still, method, target):
    reply = await still.call(method, target, with_token=False)
    assert reply.status == 401
    assert reply.json["code"] == "unauthorized"
    assert reply.headers["www-authenticate"].startswith("Bearer")


async def test_open_routes_need_no_token(still):
    for target in ("/livez", "/readyz"):
        assert (await still.call("GET", target, with_token=False)).status == 200


@pytest.mark.parametrize(
    "given",
    [
        "Bearer wrong",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "{token}",
        "Token {token}",
        "Bearer {token}x",
        "Bearer  {token} ,",
        "Bearer \xff\xfe",
        "Bearer " + "x" * 5000,
    ],
)
async def test_whatever_is_wrong_with_the_token_the_answer_is_the_same(still, given):
    missing = await still.exchange(
        f"GET /v1/status HTTP/1.1\r\nHost: {still.host}\r\nConnection: close\r\n\r\n".encode()
    )
    sent = f"GET /v1/status HTTP/1.1\r\nHost: {still.host}\r\nConnection: close\r\n"
    sent += f"Authorization: {given.format(token=still.token)}\r\n\r\n"
    answer = await still.exchange(sent.encode("latin-1"))
    assert answer.partition(b"\r\n\r\n")[2] == missing.partition(b"\r\n\r\n")[2]
    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_two_tokens_are_none(still):
    answer = await still.exchange(
        still.head("GET /v1/status HTTP/1.1", f"Authorization: Bearer {still.token}")
    )
    assert int(answer.split()[1]) in (400, 401)


async def test_scheme_is_case_insensitive(still):
    reply = await still.call(
        "GET", "/v1/status", headers={"Authorization": f"bearer {still.token}"}, with_token=False
    )
    assert reply.status == 200


async def test_refusals_are_held_back_after_five(still):
    durations = []
    for _ in range(7):
        began = time.monotonic()
        assert (await still.call("GET", "/v1/status", with_token=False)).status == 401
        durations.append(time.monotonic() - began)
    assert min(durations[5:]) >= 0.1
    began = time.monotonic()
    assert (await still.call("GET", "/v1/status")).status == 200
    assert time.monotonic() - began < min(durations[5:])


async def test_token_in_the_query_does_not_count(still):
    reply = await still.call("GET", f"/v1/status?token={still.token}", with_token=False)
    assert reply.status == 401


async def test_control_socket_needs_no_token(still):
    for method, target in CLOSED:
        if method == "GET":
            reply = await still.call(method, target, with_token=False, socket=still.server.control_path)
            assert reply.status in (200, 404), target


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_other_user_on_the_control_socket_needs_a_token(still):
    path = still.server.control_path
    path.chmod(0o666)
    for parent in path.parents:
        if parent.stat().st_uid == 0 and str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    script = (
        "import os, socket, sys\n"
        "os.setgroups([]); os.setgid(54321); os.setuid(54321)\n"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
        "s.sendall(b'GET /v1/status HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n' + sys.argv[2].encode() + b'\\r\\n')\n"
        "print(s.recv(4096).split(b' ')[1].decode())\n"
    )

    async def ask(field):
        import asyncio

        child = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-c", script, str(path), field, stdout=subprocess.PIPE
        )
        out, _ = await child.communicate()
        return out.decode().strip()

    assert await ask("") == "401"
    assert await ask(f"Authorization: Bearer {still.token}\r\n") == "200"


def test_root_own_user_and_own_group_are_trusted():
    other = os.geteuid() + 1 or 1
    assert Peer(uid=0, gids=frozenset({4711})).is_trusted
    assert Peer(uid=os.geteuid(), gids=frozenset({4711})).is_trusted
    assert Peer(uid=other, gids=frozenset({4711, os.getegid()})).is_trusted
    assert not Peer(uid=other, gids=frozenset({os.getegid() + 1})).is_trusted


def test_peer_credentials_are_those_of_the_kernel():
    from api.connection import _peer_of

    left, right = socket.socketpair(socket.AF_UNIX)
    with left, right:
        peer = _peer_of(left)
    assert peer is not None
    assert peer.uid == os.geteuid()
    assert peer.gids >= {os.getegid()}
