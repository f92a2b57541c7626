"""Certificates and scripted servers on loopback for the tests of `daemon.net`."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from daemon.model.settings import Tls
from daemon.net.endpoint import Endpoint

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Certificates:
    authority: trustme.CA
    ca_file: Path

    def server_context(self, *names: str, **options) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*(names or ("localhost", "127.0.0.1")), **options).configure_cert(context)
        return context


@pytest.fixture(scope="session")
def certificates(tmp_path_factory) -> Certificates:
    authority = trustme.CA()
    ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    return Certificates(authority, ca_file)


@dataclass
class ScriptedServer:
    """A server that plays one script per connection; `received` is what its clients sent."""

    port: int
    connections: int = 0
    errors: list[BaseException] | None = None


@pytest.fixture
async def serve(certificates) -> AsyncIterator[Callable[..., Awaitable[ScriptedServer]]]:
    """Start a scripted server: `await serve(script, tls=context)`; it ends with the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(script: Script, *, tls: ssl.SSLContext | None = None) -> ScriptedServer:
            state = ScriptedServer(port=0, errors=[])
            tasks: set[asyncio.Task] = set()

            async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                state.connections += 1
                tasks.add(asyncio.current_task())
                try:
                    await script(reader, writer)
                except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
                    return
                except BaseException as exc:
                    state.errors.append(exc)
                    raise
                finally:
                    with contextlib.suppress(Exception):
                        writer.close()

            async def stop() -> None:
                server.close()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

            server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
            state.port = server.sockets[0].getsockname()[1]
            stack.push_async_callback(stop)
            return state

        yield start


@pytest.fixture
def endpoint_of(certificates) -> Callable[..., Endpoint]:
    def make(server, tls: Tls = Tls.NONE, host: str = "localhost") -> Endpoint:
        return Endpoint(host=host, port=server.port, tls=tls, ca_file=certificates.ca_file)

    return make
