"""What both protocols' sessions rest on: each waiter gets its own answer, or is told why there is none."""

import asyncio

import pytest

from daemon.model.errors import ConnectionLost, LocalProtocolError, RemoteProtocolError, TlsFailed
from daemon.net.conversation import Conversation
from daemon.net.deadlines import DEFAULT_TIMERS


class Talk(Conversation[str]):
    is_inside_unit = False

    def flush(self) -> None:
        raise AssertionError("nothing to send")


@pytest.fixture
def talk() -> Talk:
    return Talk(DEFAULT_TIMERS)


def waiting(talk: Talk, *answers: asyncio.Future) -> asyncio.Future:
    return asyncio.gather(*(talk.finish(answer) for answer in answers), return_exceptions=True)


async def test_answers_come_to_those_who_asked_and_callbacks_before_them(talk):
    told: list[str] = []
    one, two = talk._expect(1, told.append), talk._expect(2)
    talk._answered(2, "second")
    talk._answered(1, "first")
    talk._answered(3, "asked by nobody")
    assert told == ["first"]
    assert await waiting(talk, one, two) == ["first", "second"]


async def test_loss_tells_every_waiter_in_an_error_of_its_own(talk):
    answers = [talk._expect(number) for number in range(2)]
    given_up = talk._expect(9)
    given_up.cancel()
    why = RemoteProtocolError("nonsense")
    talk.lose(why)
    told = await waiting(talk, *answers)
    assert [(type(one), str(one)) for one in told] == [(RemoteProtocolError, "nonsense")] * 2
    assert len({id(one) for one in (*told, why)}) == 3
    with pytest.raises(RemoteProtocolError):
        await talk.stir()
    with pytest.raises(ConnectionLost, match="given up: nonsense"):
        talk.check()


async def test_line_that_could_not_be_trusted_says_so_to_later_callers(talk):
    talk.lose(TlsFailed("expired", reason="tls_expired"))
    with pytest.raises(TlsFailed) as refused:
        talk.check()
    assert refused.value.reason == "tls_expired"


async def test_cancelled_waiter_costs_the_line(talk):
    task = asyncio.create_task(talk.finish(talk._expect(1)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert talk.error is not None
    assert talk.error.reason == "closed"


async def test_stream_before_it_is_open_is_our_own_mistake(talk):
    with pytest.raises(LocalProtocolError):
        _ = talk.stream


async def test_challenge_is_taken_once(talk):
    talk._challenge = b"prove it"
    assert (talk.take_challenge(), talk.take_challenge()) == (b"prove it", None)
