"""Each step of trying an account, on a real server."""

import pytest

from daemon.credentials import read_password
from daemon.model.clock import SystemClock
from daemon.model.settings import PasswordSource
from daemon.net.deadlines import Timers
from daemon.probe.verify import verify
from tests.support import corpus

QUICK = Timers(greeting_seconds=1.0, handshake_seconds=2.0, silence_seconds=2.0)


async def steps(settings):
    return [
        step
        async for step in verify(settings, read_password=read_password, clock=SystemClock(), timers=QUICK)
    ]


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
async def test_good_account_passes_every_step_and_nothing_changes(mailbag, account, protocol):
    mailbag.fill("INBOX", corpus.small(3))
    found = await steps(account(protocol))
    assert [(step.name, step.is_ok) for step in found] == [
        (name, True) for name in ("connect", "tls", "greeting", "password", "log in", "list")
    ]
    assert "3 messages" in found[-1].detail
    assert (await steps(account(protocol)))[-1].detail == found[-1].detail


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
async def test_first_step_that_fails_is_the_last_and_says_why(mailbag, account, protocol):
    async def last(**changes):
        found = await steps(account(protocol, **changes))
        assert all(step.is_ok for step in found[:-1])
        return found[-1].name, found[-1].is_ok, found[-1].reason

    assert await last(password=PasswordSource(literal="wrong")) == ("log in", False, "auth_failed")
    assert await last(password=PasswordSource(file="/nowhere")) == (
        "password",
        False,
        "credential_unavailable",
    )
    assert await last(ca_file=None) == ("tls", False, "tls_untrusted")
    assert await last(port=1) == ("connect", False, "refused")
    assert await last(host="nothing.invalid") == ("connect", False, "dns")


async def test_other_protocol_at_the_port_shows_at_the_greeting(mailbag, account):
    found = await steps(account("imap", port=mailbag.server.pop3s_port))
    assert (found[-1].name, found[-1].is_ok) == ("greeting", False)
