"""Greetings: awaited for so long, and an answer in another language told as what it is."""

import asyncio
from pathlib import Path

import pytest

from daemon.model.errors import ConnectionLost, RemoteProtocolError
from daemon.model.settings import Tls
from daemon.net.conversation import Conversation
from daemon.net.deadlines import Timers
from daemon.net.endpoint import Endpoint
from daemon.net.greeting import await_greeting, no_encryption

ENDPOINT = Endpoint(host="mail.example", port=1234, tls=Tls.NONE, ca_file=Path("none"))


class Line(Conversation[str]):
    def __init__(self, *, is_inside_unit: bool = False) -> None:
        super().__init__(Timers(greeting_seconds=0.05))
        self._is_inside_unit = is_inside_unit
        self.has_greeted = False

    @property
    def is_inside_unit(self) -> bool:
        return self._is_inside_unit

    def flush(self) -> None:
        raise AssertionError("nothing is said before the greeting")

    def greet(self) -> None:
        self.has_greeted = True
        self._stirred.set()


async def wait(line: Line, protocol: str = "a POP3") -> None:
    await await_greeting(line, ENDPOINT, protocol=protocol, has_come=lambda: line.has_greeted)


async def test_greeting_ends_the_wait():
    line = Line()
    task = asyncio.create_task(wait(line))
    await asyncio.sleep(0)
    line.greet()
    await task


@pytest.mark.parametrize(("is_inside_unit", "reason"), [(False, "timeout"), (True, "too_slow")])
async def test_silence_and_half_a_line_end_in_time_and_are_told_apart(is_inside_unit, reason):
    with pytest.raises(ConnectionLost) as lost:
        await wait(Line(is_inside_unit=is_inside_unit))
    assert lost.value.reason == reason


@pytest.mark.parametrize(("protocol", "reason"), [("an IMAP", "not_imap"), ("a POP3", "not_pop3")])
async def test_another_language_is_named(protocol, reason):
    line = Line()
    line.lose(RemoteProtocolError("HTTP/1.1 400"))
    with pytest.raises(
        ConnectionLost, match=f"mail.example port 1234 does not answer like {protocol}"
    ) as lost:
        await wait(line, protocol)
    assert lost.value.reason == reason
    assert lost.value.remedy


def test_refusal_to_encrypt_says_what_to_do():
    error = no_encryption(ENDPOINT, "refuses STLS", implicit_port=995)
    assert (error.reason, str(error)) == (
        "starttls_missing",
        "mail.example refuses STLS, so the line cannot be encrypted",
    )
    assert "995" in (error.remedy or "")
