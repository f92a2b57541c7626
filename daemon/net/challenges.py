"""A SASL exchange on a line: each challenge answered until the server has decided (RFC 4422 §3)."""

import asyncio
from typing import Protocol

from daemon.net.conversation import AnswerT, Conversation
from daemon.wire import sasl


class TakesAnswers(Protocol):
    """A connection in the midst of a login."""

    def answer_challenge(self, answer_base64: bytes | None) -> None:
        """Send this in answer to the challenge that came last; None cancels."""
        ...


async def answer_challenges(
    session: Conversation[AnswerT],
    connection: TakesAnswers,
    exchange: sasl.Exchange,
    answer: asyncio.Future[AnswerT],
    *,
    initial: bytes | None,
) -> AnswerT:
    """What the server said in the end. `initial` went out with the command; without it the first challenge asks for it."""
    is_first = initial is None
    while not answer.done():
        challenge = session.take_challenge()
        if challenge is None:
            await session.stir()
            continue
        connection.answer_challenge(exchange.answer_base64(challenge, is_first=is_first))
        is_first = False
        session.flush()
    return await session.finish(answer)
