"""Quota roots and their numbers. RFC 9208."""

import pytest

from daemon.model.clock import SystemClock
from daemon.model.errors import ServerRefused
from daemon.model.secret import Secret
from daemon.model.settings import Tls
from daemon.net.endpoint import Endpoint
from daemon.net.imap.client import ImapClient, Quota


async def test_every_resource_of_every_root_with_sixty_three_bits(play):
    """QUIRK Gmail (MailKit#1602): beyond 32 bits."""

    async def script(part):
        await part.answer(
            b"GETQUOTAROOT INBOX",
            b'* QUOTAROOT "INBOX" "" "Shared root"',
            b'* QUOTA "" (STORAGE 512 17179869184 MESSAGE 3 100000)',
            b'* QUOTA "Shared root" ()',
        )
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 QUOTA QUOTA=RES-STORAGE")
    assert await client.quota() == (
        Quota(root=b"", resource="STORAGE", used=512, limit=17179869184),
        Quota(root=b"", resource="MESSAGE", used=3, limit=100000),
    )


async def test_server_without_quota_is_not_asked(play):
    async def script(part):
        await part.answer(b"NOOP")
        await part.stay()

    client = await play(script)
    assert await client.quota() == ()
    await client.noop()


async def test_refusal_is_raised(play):
    async def script(part):
        await part.answer(b"GETQUOTAROOT", with_=b"NO [NONEXISTENT] no")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 QUOTA")
    with pytest.raises(ServerRefused):
        await client.quota(b"Box")


QUOTA = """
mail_plugins = quota
protocol imap {
  mail_plugins = quota imap_quota
}
plugin {
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=10M:messages=1000
}
"""


async def test_dovecot_tells_what_is_used(dovecot_factory):
    server = dovecot_factory(extra=QUOTA)
    endpoint = Endpoint(host="localhost", port=server.imaps_port, tls=Tls.IMPLICIT, ca_file=server.ca_file)
    client = await ImapClient.connect(endpoint, clock=SystemClock())
    await client.authenticate("ada", Secret(server.password))
    found = {one.resource: one for one in await client.quota()}
    assert found["STORAGE"] == Quota(root=b"User quota", resource="STORAGE", used=0, limit=10240)
    assert found["MESSAGE"].limit == 1000
    await client.logout()
