"""Starting and stopping: what is bound, what is refused, what is left behind."""

import asyncio
import socket
import ssl
import stat
import time

import aiohttp
import pytest
import trustme

from api import server as server_module
from api.server import start_server
from daemon.model.clock import SystemClock
from daemon.model.errors import ConfigError, StoreError, StoreInUse
from daemon.model.settings import ApiSettings


async def start(world, path=None, **settings):
    fallback = settings.pop("port_fallback", False)
    env = settings.pop("env", {})
    return await start_server(
        world.control,
        settings=ApiSettings(**{"listen": (), **settings}),
        store_path=path or world.store_path,
        store_id=world.store_id,
        clock=SystemClock(),
        port_fallback=fallback,
        env=env,
    )


async def ask(path, target="/livez"):
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session,
        session.get(f"http://x{target}") as response,
    ):
        return response.status


async def test_control_socket_is_there_without_any_listen(world):
    server = await start(world)
    assert server.urls == ()
    assert server.control_path == world.store_path / "control.sock"
    assert stat.S_IMODE(server.control_path.stat().st_mode) == 0o660
    assert await ask(server.control_path, "/v1/status") == 200
    await server.stop()
    assert not (world.store_path / "control.sock").exists()


async def test_control_socket_of_a_long_path_is_served_from_the_runtime_directory(world, tmp_path, runtime):
    store = tmp_path / ("long" * 20) / ("path" * 20)
    store.mkdir(parents=True)
    server = await start(world, store, env={"XDG_RUNTIME_DIR": str(runtime)})
    assert server.control_path.is_relative_to(runtime)
    assert (store / "control.sock").readlink() == server.control_path
    assert await ask(server.control_path, "/v1/status") == 200
    await server.stop()
    assert list(store.glob("*.sock")) == []


async def test_control_socket_left_by_a_killed_process_is_replaced(world):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(world.store_path / "control.sock"))
    server = await start(world)
    assert await ask(server.control_path) == 200
    await server.stop()


async def test_file_in_the_place_of_the_control_socket_is_a_store_error(world):
    (world.store_path / "control.sock").write_text("")
    with pytest.raises(StoreError) as caught:
        await start(world)
    assert caught.value.remedy


async def test_second_server_on_a_store_is_refused(world):
    server = await start(world)
    with pytest.raises(StoreInUse):
        await start(world)
    assert await ask(server.control_path) == 200
    await server.stop()


async def test_configured_socket_needs_a_token(world, tmp_path):
    path = tmp_path / "api.sock"
    server = await start(world, listen=(f"unix:{path}",))
    assert await ask(path, "/v1/status") == 401
    assert await ask(path, "/livez") == 200
    await server.stop()
    assert not path.exists()


async def test_taken_port_is_a_config_error_and_nothing_stays_bound(world):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match="taken") as caught:
            await start(world, listen=(f"127.0.0.1:{port}", "unix:/nonexistent/directory/s"))
    assert [problem.key for problem in caught.value.problems] == ["api.listen", "api.listen"]
    assert not (world.store_path / "control.sock").exists()


async def test_demo_takes_another_port(world):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = await start(world, listen=(f"127.0.0.1:{port}",), port_fallback=True)
        assert server.urls[0] != f"http://127.0.0.1:{port}"
        async with aiohttp.ClientSession() as session, session.get(f"{server.urls[0]}/livez") as response:
            assert response.status == 200
        await server.stop()


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"])
async def test_beyond_loopback_without_tls_is_refused(world, address):
    with pytest.raises(ConfigError, match="without TLS"):
        await start(world, listen=(address,))
    assert not (world.store_path / "control.sock").exists()


async def test_every_problem_is_told_at_once(world, tmp_path):
    with pytest.raises(ConfigError) as caught:
        await start(world, listen=("nonsense", "0.0.0.0:1", "host.example:1"), tls_key=tmp_path / "key")
    assert [problem.key for problem in caught.value.problems] == ["api.listen"] * 3 + ["api.tls_cert"]


async def test_unusable_certificate_is_a_config_error(world, tmp_path):
    (tmp_path / "x.pem").write_text("nonsense")
    with pytest.raises(ConfigError) as caught:
        await start(world, tls_cert=tmp_path / "x.pem", tls_key=tmp_path / "x.pem")
    assert caught.value.problems[0].key == "api.tls_cert"


async def test_tls_is_served_with_certificate_and_key(world, tmp_path):
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    server = await start(
        world, listen=("0.0.0.0:0",), tls_cert=tmp_path / "both.pem", tls_key=tmp_path / "both.pem"
    )
    assert server.urls[0].startswith("https://0.0.0.0:")
    port = server.urls[0].rpartition(":")[2]
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"https://127.0.0.1:{port}/livez", ssl=context) as response:
            assert response.status == 200
        origin = {"Origin": f"https://127.0.0.1:{port}"}
        async with session.get(f"https://127.0.0.1:{port}/livez", ssl=context, headers=origin) as response:
            assert response.status == 200
        origin = {"Origin": f"http://127.0.0.1:{port}"}
        async with session.get(f"https://127.0.0.1:{port}/livez", ssl=context, headers=origin) as response:
            assert response.status == 403
    await server.stop()


async def test_ipv6_loopback_is_served(world):
    try:
        server = await start(world, listen=("[::1]:0",))
    except ConfigError:
        pytest.skip("this machine has no IPv6 loopback")
    async with aiohttp.ClientSession() as session, session.get(f"{server.urls[0]}/livez") as response:
        assert response.status == 200
    await server.stop()


async def test_configured_host_name_is_answered(world):
    server = await start(world, listen=("127.0.0.1:0",), hosts=("mail.home",))
    for host, status in (("mail.home", 200), ("MAIL.home", 200), ("other.home", 421)):
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{server.urls[0]}/livez", headers={"Host": host}) as response,
        ):
            assert response.status == status
    await server.stop()


async def test_stop_is_quick_with_idle_connections(world):
    server = await start(world, listen=("127.0.0.1:0",))
    port = int(server.urls[0].rpartition(":")[2])
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
    began = time.monotonic()
    await server.stop()
    assert time.monotonic() - began < 1
    for _, writer in held:
        writer.close()


async def test_parser_in_c_is_in_use():
    assert server_module.http.HttpRequestParser.__module__ == "aiohttp._http_parser"
