"""What is wrong is told, each by its own reason, and stops nobody else."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from tests.end_to_end.installation import eventually
from tests.support import corpus
from tests.support.dovecot import free_ports
from tests.support.proxy import WireProxy
from tests.support.server_side import server_side

_LOGIN = re.compile(rb"^\S+ (?:AUTHENTICATE|LOGIN) ", re.MULTILINE | re.IGNORECASE)

FIVE_MISTAKES = """
[store]
path = "store"
gruop = "mail"

[api]
listen = ["0.0.0.0:8420"]

[accounts.work]
protocol = "imap"
host = "imap.example.com"
port = 99999
username = "me@example.com"

[accounts.Home]
protocol = "pop3"
host = "pop.example.com"
username = "me"
password = "pw"
"""


async def test_five_mistakes_are_five_lines_and_exit_2(install):
    installation = install()
    installation.handwritten = FIVE_MISTAKES
    for command in ("run", "sync", "check", "status"):
        done = await installation.call(command)
        assert done.code == 2, done
        lines = done.err.splitlines()
        keys = ["store.gruop", "api.listen", "accounts.work.port", "accounts.work.password", "accounts.Home"]
        assert len(lines) == len(keys), done.err
        for key, line in zip(keys, lines, strict=True):
            assert str(installation.config) in line
            assert key in line
            assert line.count(";") >= 1, "each says what to do"
        assert "did you mean group?" in lines[0]
        assert done.out == ""


async def test_config_that_is_not_there_is_named_and_exit_2(install):
    done = await install().call("check", "--config", "/nowhere/config.toml")
    assert done.code == 2
    assert "/nowhere/config.toml" in done.err


def logins(proxy: WireProxy) -> int:
    """How many times a secret was offered to the server."""
    return sum(len(_LOGIN.findall(bytes(session.to_server))) for session in proxy.sessions)


async def test_wrong_password_is_offered_three_times_in_all(installation, mailbag, install):
    """Counted on the wire, over kill -9, restarts and `sync`; the other account goes on meanwhile."""
    mailbag.fill("INBOX", corpus.small(1))
    async with WireProxy(mailbag.server.imap_port) as proxy:
        wrong = replace(mailbag, password="not-the-password")
        installation.add(wrong, "broken", port=proxy.port, tls="none", ca_file=None)

        async def twice() -> bool:
            return logins(proxy) == 2

        async with installation.running() as service:
            refused = await service.until_state("auth_failed", account="broken")
            assert refused["reason"] == "auth_failed"
            assert "Authentication failed" in refused["detail"], "the server's own words"
            await service.until_state("idle")
            await eventually(twice)
            await service.kill()
        for _ in range(2):
            async with installation.running() as service:
                await service.until_state("idle")

                async def is_final(service=service) -> bool:
                    told = await service.account("broken")
                    return told["state"] == "auth_failed" and told["retry_at"] is None

                await eventually(is_final)
                assert "Authentication failed" in (await service.account("broken"))["detail"]
                assert (await service.ask("GET", "/v1/accounts/broken/health")).status == 503
                assert (await service.ask("GET", "/v1/accounts/work/health")).status == 200
                job = await service.post("/v1/accounts/broken/sync?wait=10")
                assert (job["state"], job["reason"]) == ("failed", "auth_failed")
                assert logins(proxy) == 3
                assert await service.stop() == 0
        done = await installation.call("sync")
        assert done.code == 1
        [line] = [line for line in done.out.splitlines() if line.startswith("broken: ")]
        assert "failed (auth_failed)" in line
        assert "Authentication failed" in line
        assert logins(proxy) == 3
        # A corrected secret is noticed by itself.
        installation.add(mailbag, "broken", port=proxy.port, tls="none", ca_file=None)
        async with installation.running() as service:
            await service.until_state("idle", account="broken")
            assert logins(proxy) == 4


@asynccontextmanager
async def impostor(name: str, authority: trustme.CA, **options) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A TLS server with a certificate for `name`: its port, and what clients told it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **options).configure_cert(context)
    told: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n")
        told.append(await reader.read(1000))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], told


async def test_each_setback_has_its_own_reason_and_the_others_go_on(installation, mailbag):
    mailbag.fill("INBOX", corpus.small(1))
    ours = trustme.CA()
    ca_file = installation.home / "ours.pem"
    ours.cert_pem.write_to_path(ca_file)
    now, day = datetime.now(UTC), timedelta(days=1)
    async with (
        impostor("mail.example.com", ours) as (other_name, told_other),
        impostor("localhost", trustme.CA()) as (other_issuer, told_issuer),
        impostor("localhost", ours, not_before=now - 3 * day, not_after=now - day) as (expired, told_expired),
        impostor("localhost", ours, not_before=now + day) as (early, told_early),
    ):
        trusting = {"ca_file": str(ca_file)}
        expected = {
            "untrusted": ({"port": other_issuer, **trusting}, "error", "tls_untrusted"),
            "system": ({"ca_file": None}, "error", "tls_untrusted"),
            "hostname": ({"port": other_name, **trusting}, "error", "tls_hostname"),
            "expired": ({"port": expired, **trusting}, "error", "tls_expired"),
            "early": ({"port": early, **trusting}, "error", "tls_not_yet_valid"),
            "plain": ({"port": mailbag.server.imap_port}, "error", "tls_handshake"),
            "refused": ({"port": free_ports(1)[0]}, "offline", "refused"),
            "dns": ({"host": "mail.invalid"}, "offline", "dns"),
            "secret": ({"password_file": str(installation.home / "none")}, "error", "credential_unavailable"),
        }
        for account, (options, _, _) in expected.items():
            installation.add(mailbag, account, **options)
        async with installation.running() as service:
            await service.until_state("idle")
            for account, (_, state, reason) in expected.items():
                told = await service.until_state("error", "offline", account=account)
                assert (told["state"], told["reason"]) == (state, reason), (account, told)
                assert told["detail"]
                assert told["remedy"]
                assert told["retry_at"]
            with server_side(mailbag) as server:
                server.append(b"Subject: still here\r\n\r\nyes\r\n")
            place = "/v1/events?types=message.new&timeout=20&since="
            events = (await service.get("/v1/events?types=account.state"))["next"]
            if not [one for one in await service.messages() if one["subject"] == "still here"]:
                await service.get(place + events)
            assert "still here" in [one["subject"] for one in await service.messages()]
            status = await service.get("/v1/status")
            assert (status["state"], status["accounts_ok"]) == (
                "degraded",
                3,
            )  # offline is forgiven for 5 minutes
            assert (await service.ask("GET", "/v1/accounts/hostname/health")).status == 503
            shown = await installation.call("status")
            assert shown.code == 1
            for _, _, reason in expected.values():
                assert reason in (await installation.call("status", "--json")).out
            assert "ca_file" in shown.out, "what to do stands there"
        assert not any([*told_other, *told_issuer, *told_expired, *told_early]), (
            "not an octet over a line without trust"
        )


@pytest.mark.parametrize("secret", ["", "group-readable"])
async def test_secret_that_cannot_be_used_is_no_login(installation, mailbag, secret):
    async with WireProxy(mailbag.server.imap_port) as proxy:
        installation.add(mailbag, port=proxy.port, tls="none", ca_file=None)
        path = installation.home / "work.password"
        path.write_text(secret, encoding="utf-8")
        path.chmod(0o644 if secret else 0o600)
        done = await installation.call("sync")
        assert done.code == 1
        assert "credential_unavailable" in done.out
        assert logins(proxy) == 0
