"""Challenges of a login: answered in turn, the first without an initial response being an invitation only."""

import asyncio

import pytest

from daemon.model.errors import ConnectionLost
from daemon.model.secret import Secret
from daemon.net.challenges import answer_challenges
from daemon.net.conversation import Conversation
from daemon.net.deadlines import DEFAULT_TIMERS
from daemon.wire import sasl


class Login(Conversation[str]):
    """A server that sends the challenges given, each after the answer to the one before, and then decides."""

    is_inside_unit = False

    def __init__(self, *challenges: bytes) -> None:
        super().__init__(DEFAULT_TIMERS)
        self.answer = self._expect("login")
        self.said: list[bytes | None] = []
        self._left = list(challenges)
        self.flush()

    def answer_challenge(self, answer_base64: bytes | None) -> None:
        self.said.append(answer_base64)

    def flush(self) -> None:
        if self._left:
            self._challenge = self._left.pop(0)
        else:
            self._answered("login", "OK")
        self._stirred.set()


def exchange() -> sasl.Exchange:
    found = sasl.choose(["PLAIN"], "ada", Secret("lovelace"), is_private=True, host="h")
    assert found is not None
    return found


async def run(login: Login, initial: bytes | None) -> str:
    return await answer_challenges(login, login, exchange(), login.answer, initial=initial)


async def test_response_goes_out_with_the_first_challenge_where_it_did_not_with_the_command():
    login = Login(b"")
    assert await run(login, None) == "OK"
    assert login.said == [exchange().initial_base64()]


async def test_nothing_is_said_where_the_response_was_enough():
    login = Login()
    assert await run(login, exchange().initial_base64()) == "OK"
    assert login.said == []


async def test_loss_of_the_line_ends_the_exchange():
    login = Login(b"")
    login.take_challenge()
    task = asyncio.create_task(run(login, None))
    await asyncio.sleep(0)
    login.lose(ConnectionLost("gone"))
    with pytest.raises(ConnectionLost, match="gone"):
        await task
