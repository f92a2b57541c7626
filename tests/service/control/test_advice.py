"""Advice for those who ask the service."""

import asyncio

import pytest

from daemon.model.advice import Wants
from daemon.model.clock import SystemClock
from daemon.model.errors import InvalidRequest, MailError
from daemon.service.control.advice import AdviceControl


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


async def test_what_is_no_address_is_refused_before_anything_is_looked_at(control):
    with pytest.raises(InvalidRequest) as caught:
        await control.consult("no address", Wants())
    assert caught.value.reason == "address_invalid"
