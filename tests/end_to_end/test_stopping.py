"""SIGTERM: a clean end with exit 0, also in the middle of a download; nothing is lost or fetched again by it."""

import asyncio

import pytest

from tests.end_to_end.installation import eventually
from tests.support import corpus
from tests.support.proxy import WireProxy
from tests.support.server_side import server_side

COUNT = 1500


async def test_idle_service_ends_with_0(installation):
    async with installation.running() as service:
        await service.until_state("idle")
        assert await service.stop() == 0
        assert [line["event"] for line in service.log][-1] == "service.stopped"
        assert not (installation.store / "control.sock").exists()


@pytest.mark.parametrize("tls", ["none", "implicit"])
async def test_service_ends_with_0_in_the_middle_of_a_download(installation, mailbag, tls):
    """Exit 0 means within 5 seconds: beyond them it ends itself with 1."""
    mailbag.fill("INBOX", corpus.messages(COUNT, smallest=4_000, largest=60_000))
    port = mailbag.server.imap_port if tls == "none" else mailbag.server.imaps_port
    async with WireProxy(port, delay_seconds=0.02) as proxy:
        options = {"ca_file": None} if tls == "none" else {}
        installation.add(mailbag, port=proxy.port, tls=tls, **options)
        async with installation.running() as service:

            async def is_under_way() -> bool:
                return bool(installation.files())

            await eventually(is_under_way)
            assert await service.stop() == 0
            assert "service.stop_overran" not in [line["event"] for line in service.log]
        begun = len(installation.files())
        assert begun < COUNT, "it was in the middle"
        assert list(installation.store.glob("mail/work/tmp/*")) == []
        sessions = len(proxy.sessions)
    installation.add(mailbag)
    done = await installation.call("sync")
    assert (done.code, done.out) == (0, f"work: {COUNT - begun:,} downloaded\n")
    assert sessions == 1
    with server_side(mailbag) as server:
        here = sorted(path.read_bytes() for path in installation.files().values())
        assert here == sorted(server.bodies().values())


async def test_service_ends_with_0_while_its_server_says_nothing(installation, mailbag):
    async with WireProxy(mailbag.server.imap_port, delay_seconds=600) as proxy:
        installation.add(mailbag, port=proxy.port, tls="none", ca_file=None)
        async with installation.running() as service:

            async def is_connected() -> bool:
                return bool(proxy.sessions)

            await eventually(is_connected)
            assert await service.stop() == 0


async def test_waiting_clients_do_not_hold_up_the_end(installation, mailbag):
    mailbag.fill("INBOX", corpus.small(1))
    async with installation.running() as service:
        await service.until_state("idle")
        place = (await service.get("/v1/status"))["event_id"]
        waits = [
            asyncio.create_task(service.ask("GET", f"/v1/events?since={place}&timeout=60&types=message.new")),
            asyncio.create_task(service.stream(f"/v1/events?since={place}", until="never")),
        ]
        await asyncio.sleep(0.2)
        assert await service.stop() == 0
        await asyncio.gather(*waits, return_exceptions=True)
