"""`sync`, `status`, `check` and a second `run`: exit codes, output, and who does the work."""

import asyncio
import contextlib
import json
import re

from tests.end_to_end.installation import eventually
from tests.support import corpus
from tests.support.dovecot import free_ports
from tests.support.proxy import WireProxy
from tests.support.server_side import server_side

_WRITES = re.compile(
    rb"^\S+ (?:UID )?(?:STORE|EXPUNGE|COPY|MOVE|APPEND|CREATE|DELETE|RENAME|SUBSCRIBE|CLOSE) ",
    re.MULTILINE | re.IGNORECASE,
)


async def test_sync_brings_everything_and_a_second_run_transfers_nothing(installation, mailbag):
    for number, mailbox in enumerate(corpus.MAILBOXES):
        mailbag.fill(mailbox, corpus.small(12, seed=number))
    async with WireProxy(mailbag.server.imap_port) as proxy:
        installation.add(mailbag, port=proxy.port, tls="none", ca_file=None)
        done = await installation.call("sync")
        assert (done.code, done.err) == (0, ""), "a pipe hears no progress"
        assert done.out == f"work: {12 * len(corpus.MAILBOXES)} downloaded\n"
        sessions = len(proxy.sessions)
        again = await installation.call("sync", "work")
        assert (again.code, again.out, again.err) == (0, "work: nothing to do\n", "")
        second = proxy.sessions[sessions:]
        assert second, "it did ask"
        for session in second:
            assert session.bodies_fetched() == []
            assert not _WRITES.findall(bytes(session.to_server))
    with server_side(mailbag) as server:
        here = [path.read_bytes() for path in installation.store.glob("mail/work/**/cur/*")]
        there = [octets for mailbox in corpus.MAILBOXES for octets in server.bodies(mailbox).values()]
        assert sorted(here) == sorted(there)


async def test_sync_is_1_when_an_account_fails_and_the_others_are_finished(installation, mailbag):
    mailbag.fill("INBOX", corpus.small(3))
    installation.add(mailbag, "gone", port=free_ports(1)[0])
    done = await installation.call("sync")
    assert done.code == 1
    assert "work: 3 downloaded\n" in done.out
    assert "gone: failed (refused): " in done.out
    assert (await installation.call("sync", "work")).code == 0
    assert (await installation.call("sync", "gone")).code == 1


async def test_sync_of_an_unknown_account_is_2(installation):
    done = await installation.call("sync", "wrok")
    assert done.code == 2
    assert "did you mean work?" in done.err
    assert (await installation.call("sync", "--no-such-option")).code == 2


async def test_sync_beside_a_sync_is_75_and_names_it(installation, mailbag):
    """The first is held up by a server that says nothing."""
    greeted = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeted.set()
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        installation.add(mailbag, port=port, tls="none", ca_file=None)
        first = asyncio.create_task(installation.call("sync"))
        await greeted.wait()
        second = await installation.call("sync")
        assert second.code == 75, second
        assert re.search(r"\b\d+\b", second.err), "the owner's pid"
        server.close()
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first


async def test_sync_while_a_service_runs_asks_the_service(installation, mailbag):
    mailbag.fill("INBOX", corpus.small(2))
    mailbag.fill("Archive", corpus.small(2, seed=2))
    async with WireProxy(mailbag.server.imap_port) as proxy:
        installation.add(mailbag, port=proxy.port, tls="none", ca_file=None)
        installation.add(mailbag, "gone", port=free_ports(1)[0])
        async with installation.running() as service:
            await service.until_state("idle")
            mailbag.fill("Archive", corpus.small(3, seed=3))
            done = await installation.call("sync", "work")
            assert (done.code, done.out) == (0, "work: 3 downloaded\n")
            assert len(await service.messages("mailbox=Archive&limit=2")) == 5
            assert len(proxy.sessions) == 1, "nobody else has logged in"
            done = await installation.call("sync")
            assert done.code == 1
            assert "work: nothing to do\n" in done.out
            assert "gone: failed (refused)" in done.out


async def test_second_run_on_a_store_is_75_with_the_pid_of_the_first(installation, mailbag):
    async with installation.running() as service:
        await service.until_state("idle")
        port, installation.port = installation.port, free_ports(1)[0]
        second = await installation.call("run")
        installation.port = port
        assert second.code == 75
        assert str(service.pid) in second.err
        assert (await service.account())["state"] == "idle"


async def test_run_waits_for_a_sync_to_finish(installation, mailbag):
    mailbag.fill("INBOX", corpus.small(50))
    async with WireProxy(mailbag.server.imap_port, delay_seconds=0.1) as proxy:
        installation.add(mailbag, port=proxy.port, tls="none", ca_file=None)
        first = asyncio.create_task(installation.call("sync"))

        async def is_under_way() -> bool:
            return bool(proxy.sessions)

        await eventually(is_under_way)
        async with installation.running() as service:
            done = await first
            assert (done.code, done.out) == (0, "work: 50 downloaded\n")
            await service.until_state("idle")
            assert len(await service.messages()) == 50


async def test_status_tells_how_it_is(installation, mailbag):
    mailbag.fill("INBOX", corpus.small(3), flags="")
    none = await installation.call("status")
    assert (none.code, none.out) == (3, "")
    assert "no service" in none.err
    async with installation.running() as service:
        await service.until_state("idle")
        well = await installation.call("status")
        assert well.code == 0, well
        assert re.search(r"^work +idle +3 +3 ", well.out, re.MULTILINE)
        told = await installation.call("status", "--json")
        assert told.code == 0
        status = json.loads(told.out)
        assert status["accounts"]["work"]["total"] == 3
        assert status.keys() == (await service.get("/v1/status")).keys()
    assert (await installation.call("status", "--json")).code == 3


async def test_status_is_1_when_an_account_is_not_well(installation, mailbag):
    installation.add(mailbag, "broken", ca_file=None)
    async with installation.running() as service:
        await service.until_state("error", account="broken")
        assert (await installation.call("status")).code == 1
        assert (await installation.call("status", "--json")).code == 1


async def test_check_looks_and_touches_nothing(installation, mailbag):
    fit = await installation.call("check")
    assert fit.code == 0, fit
    assert "fit to run" in fit.out
    assert not installation.store.exists()
    installation.add(mailbag, protocol="smtp")
    assert (await installation.call("check")).code == 2
    installation.add(mailbag)
    async with installation.running() as service:
        await service.until_state("idle")
        assert (await installation.call("check")).code == 0, "a running service is no problem"


async def test_control_socket_answers_without_a_token_and_the_port_only_with(installation):
    async with installation.running() as service:
        assert (await service.ask_control("GET", "/v1/status")).status == 200
        assert (await service.ask("GET", "/v1/status", token="wrong")).status == 401
        assert (await service.ask("GET", "/livez", token="wrong")).status == 200
        mode = (installation.store / "api-token").stat().st_mode & 0o777
        assert mode == 0o600
