"""Names and addresses: what is looked up, tried, given up and told."""

import asyncio
import socket
import threading
import time

import pytest

from daemon.model.errors import ConnectionLost
from daemon.model.settings import Tls
from daemon.net import dialling
from daemon.net.deadlines import DEFAULT_TIMERS, Timers
from daemon.net.endpoint import Endpoint

QUICK = Timers(connect_seconds=0.4, resolve_seconds=0.3, stagger_seconds=0.05)
V4, V6 = socket.AF_INET, socket.AF_INET6
BLACK_HOLE = "192.0.2.1"  # RFC 5737: never answers, where there is a route at all


@pytest.fixture
def resolver(monkeypatch):
    """Put a table in the place of the system's resolver: foreign code, asked in its own thread."""

    def install(answer):
        asked = []

        def getaddrinfo(host, port, *, flags, **kind):
            asked.append((host, threading.current_thread().name))
            found = answer() if callable(answer) else answer
            return [
                (
                    V6 if ":" in one else V4,
                    kind["type"],
                    6,
                    "",
                    (one, port, 0, 0) if ":" in one else (one, port),
                )
                for one in found
            ]

        monkeypatch.setattr(dialling.socket, "getaddrinfo", getaddrinfo)
        return asked

    return install


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


def endpoint(port, host="mail.example.org", tls=Tls.IMPLICIT) -> Endpoint:
    return Endpoint(host=host, port=port, tls=tls)


async def test_unknown_name_is_dns():
    """N7: `.invalid` exists nowhere (RFC 2606)."""
    with pytest.raises(ConnectionLost) as caught:
        await dialling.dial(endpoint(993, "no-such-host.invalid"), QUICK)
    assert caught.value.reason == "dns"


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".example.org"])
async def test_name_that_no_dns_can_hold_is_dns(host):
    with pytest.raises(ConnectionLost) as caught:
        await dialling.dial(endpoint(993, host), QUICK)
    assert caught.value.reason == "dns"


async def test_slow_resolver_times_out_and_does_not_block_the_loop(resolver):
    """N7."""
    asked = resolver(lambda: time.sleep(0.8) or ["127.0.0.1"])
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    beside = asyncio.create_task(tick())
    with pytest.raises(ConnectionLost) as caught:
        await dialling.dial(endpoint(993), QUICK)
    beside.cancel()
    assert caught.value.reason == "dns"
    assert ticks > 10
    assert asked[0][1].startswith("resolver-")


async def test_empty_answer_is_dns(resolver):
    resolver([])
    with pytest.raises(ConnectionLost) as caught:
        await dialling.dial(endpoint(993), QUICK)
    assert caught.value.reason == "dns"


async def test_refused_is_told():
    """N9."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    with pytest.raises(ConnectionLost) as caught:
        await dialling.dial(endpoint(port, "127.0.0.1"), QUICK)
    assert caught.value.reason == "refused"
    assert caught.value.remedy


async def test_full_backlog_is_a_timeout():
    """N9: a listener that takes nobody any more answers nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as sock:
        port = sock.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            with pytest.raises(ConnectionLost) as caught:
                await dialling.dial(endpoint(port, "127.0.0.1"), QUICK)
        finally:
            for filler in fillers:
                filler.close()
    assert caught.value.reason == "timeout"


async def test_first_address_dead_next_one_is_used(resolver, listener):
    """N8: the next try does not wait for the end of the first."""
    resolver(["127.0.0.2", "127.0.0.1"])
    with socket.create_server(("127.0.0.2", listener), backlog=0):
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.2", listener))
            began = time.monotonic()
            sock = await dialling.dial(endpoint(listener), QUICK)
            assert time.monotonic() - began < QUICK.connect_seconds
            assert sock.getpeername()[0] == "127.0.0.1"
            sock.close()
        finally:
            for filler in fillers:
                filler.close()


async def test_refused_address_gives_way_at_once(resolver, listener):
    resolver(["127.0.0.3", "127.0.0.1"])
    sock = await dialling.dial(endpoint(listener), Timers(stagger_seconds=30))
    assert sock.getpeername()[0] == "127.0.0.1"
    sock.close()


async def test_keepalive_is_on(listener):
    sock = await dialling.dial(endpoint(listener, "127.0.0.1"), QUICK)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 15
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 4
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 120_000
    sock.close()


async def test_cancelled_dial_leaves_no_socket(resolver):
    """Sockets left open would be ResourceWarnings, and those are errors here."""
    resolver(["127.0.0.2"])
    with socket.create_server(("127.0.0.2", 0), backlog=0) as sock:
        port = sock.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.2", port))
            task = asyncio.create_task(dialling.dial(endpoint(port), Timers()))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        finally:
            for filler in fillers:
                filler.close()
    assert not [one for one in asyncio.all_tasks() if one.get_name().startswith("dial ")]


def test_families_take_turns():
    """RFC 8305 §4."""
    addresses = [(V6, ("a",)), (V6, ("b",)), (V4, ("c",)), (V4, ("d",)), (V4, ("e",))]
    assert [where[0] for _, where in dialling.alternate(addresses)] == ["a", "c", "b", "d", "e"]


@pytest.mark.parametrize("found", [[BLACK_HOLE], ["127.0.0.1", BLACK_HOLE]])
async def test_plaintext_needs_every_address_on_this_machine(resolver, found):
    from daemon.model.errors import LocalProtocolError

    resolver(found)
    with pytest.raises(LocalProtocolError):
        await dialling.dial(endpoint(143, tls=Tls.NONE), QUICK)


@pytest.mark.parametrize("host", ["169.254.169.254", "fe80::1", "::ffff:169.254.1.1", "0.0.0.0", "224.0.0.1"])
async def test_foreign_name_does_not_lead_to_the_link_itself(host):
    endpoint = Endpoint(host=host, port=993, tls=Tls.IMPLICIT, is_foreign=True)
    with pytest.raises(ConnectionLost, match="no address that is connected to"):
        await dialling.dial(endpoint, DEFAULT_TIMERS)
