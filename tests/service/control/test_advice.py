"""Advice for those who ask the service."""

import asyncio

import pytest

from daemon.model.advice import Wants
from daemon.model.clock import SystemClock
from daemon.model.errors import InvalidRequest, MailError
from daemon.model.secret import Secret
from daemon.model.settings import Tls
from daemon.net import tls
from daemon.probe import candidates
from daemon.service.control.advice import LOGIN_PAUSE_SECONDS, AdviceControl


class Ahead(SystemClock):
    """The real clock, ahead of time by some seconds."""

    by = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.by


@pytest.fixture
def control():
    return AdviceControl(clock=SystemClock())


async def test_one_server_is_looked_at_at_a_time(control):
    first = asyncio.create_task(control.consult("169.254.0.1", Wants()))
    await asyncio.sleep(0)
    with pytest.raises(MailError) as caught:
        await control.consult("169.254.0.2", Wants())
    assert caught.value.reason == "advice_busy"
    assert (await first).advice.protocol is None
    assert (await control.consult("169.254.0.2", Wants())).imap is None


async def test_after_a_refused_login_none_is_made_for_a_while(dovecot_factory, monkeypatch):
    server = dovecot_factory()
    monkeypatch.setenv("SSL_CERT_FILE", str(server.ca_file))
    monkeypatch.setattr(tls, "_contexts", {})
    monkeypatch.setattr(candidates, "_IMAP_PORTS", ((server.imaps_port, Tls.IMPLICIT),))
    monkeypatch.setattr(candidates, "_POP3_PORTS", ())
    clock = Ahead()
    control = AdviceControl(clock=clock)
    right, wrong = ("ada", Secret(server.password)), ("ada", Secret("wrong"))
    assert (await control.consult("localhost", Wants(), wrong)).imap.login_error
    with pytest.raises(MailError) as caught:
        await control.consult("localhost", Wants(), right)
    assert caught.value.reason == "advice_busy"
    clock.by = LOGIN_PAUSE_SECONDS
    for _ in range(2):  # one that is accepted makes nobody wait
        assert (await control.consult("localhost", Wants(), right)).imap.messages == 0


async def test_what_is_no_address_is_refused_before_anything_is_looked_at(control):
    with pytest.raises(InvalidRequest) as caught:
        await control.consult("no address", Wants())
    assert caught.value.reason == "address_invalid"
