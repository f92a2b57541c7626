"""I8: no secret leaves the process, neither in an answer nor in the log nor on the disk."""

import base64
from dataclasses import replace

from tests.end_to_end.installation import Login
from tests.support import corpus
from tests.support.dovecot import free_ports

CANARY = "canary-Zq7-correct"
WRONG = "canary-Zq7-refused"
ROUTES = (
    "/v1/status",
    "/v1/status?format=text",
    "/v1/accounts/work/health",
    "/v1/accounts/broken/health",
    "/v1/accounts/work/mailboxes",
    "/v1/messages",
    "/v1/events?limit=1000",
    "/v1/messages?account=nobody",
    f"/v1/messages/{CANARY}",
    f"/v1/messages?q={CANARY}",
    "/metrics",
    "/openapi.json",
    "/nowhere",
)


async def test_canary_password_leaves_no_process(install, dovecot_factory):
    server = dovecot_factory(password=CANARY)
    server.fill("ada", "INBOX", corpus.small(3))
    login = Login(server, "ada", CANARY)
    installation = install()
    # In the config itself, in a file, refused by the server, and on a line that breaks off.
    installation.add(login, "inline", password_file=None, password=CANARY)
    installation.add(login)
    installation.add(replace(login, password=WRONG), "broken")
    installation.add(login, "plain", port=server.imap_port, tls="none", ca_file=None)
    installation.add(login, "gone", port=free_ports(1)[0])
    async with installation.running("--log-level", "debug") as service:
        await service.until_state("idle")
        await service.until_state("auth_failed", account="broken")
        asked = [await service.ask("GET", route) for route in ROUTES]
        asked.append(await service.ask("GET", "/v1/status", token=CANARY))
        asked.append(await service.ask("POST", "/v1/accounts/work/sync?wait=20"))
        asked.append(await service.ask("PATCH", "/v1/messages/x", json={"password": CANARY}))
        login = {"username": "ada", "password": CANARY}
        asked.append(await service.ask("POST", "/v1/advise", json={"address": "localhost", **login}))
        asked.append(
            await service.ask("POST", "/v1/advise", json={"address": "localhost", "password": WRONG})
        )
        token = service.token
        for command in (("status",), ("status", "--json"), ("sync",)):
            await installation.call(*command)
        assert await service.stop() == 0
    for command in (("check",), ("sync", "--log-level", "debug"), ("sync", CANARY[:6])):
        await installation.call(*command)
    everything = b"\n".join(installation.said)
    assert b"account.state_changed" in everything, "the logs are among it"
    assert len(asked) == len(ROUTES) + 5
    for secret in (CANARY, WRONG, token):
        assert secret.encode() not in everything
        assert base64.b64encode(f"\0ada\0{secret}".encode()) not in everything
    for path in installation.store.rglob("*"):
        if path.is_file() and path.name != "api-token":
            octets = path.read_bytes()
            assert CANARY.encode() not in octets, path
            assert WRONG.encode() not in octets, path
            assert token.encode() not in octets, path
