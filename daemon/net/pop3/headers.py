"""Headers by TOP, many in one pipe, and whether the server has TOP at all (RFC 1939 §7: optional).

One refusal says nothing of that: a message may be locked, or gone. There is no TOP where CAPA was answered without it and
the first one is refused, or where it is refused as a command that is not known.
"""

from collections.abc import Sequence

from daemon.model.errors import MessageUnavailable, ServerRefused, Throttled
from daemon.net.pop3.session import Answer, Session
from daemon.wire.pop3 import commands, refusals
from daemon.wire.pop3.events import CommandDone

Header = bytes | ServerRefused | MessageUnavailable


class Headers:
    """TOP on one session, and what is known of it there."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._has_top: bool | None = None

    async def fetch(self, numbers: Sequence[int]) -> dict[int, Header] | None:
        """The header of each message, or why there is none; None where the server has no TOP.

        All are held in memory together. Raises Throttled when the server asks for patience.
        """
        found: dict[int, Header] = {}
        left = list(numbers)
        while left and not self._is_certain:
            number = left.pop(0)
            done = await self._session.ask(commands.top(number, 0))
            self._learn(done)
            if self._has_top is False:
                return None
            found[number] = self._header_of(number, done)
        if self._has_top is False:
            return None
        answers: list[Answer] = [self._session.start(commands.top(number, 0)) for number in left]
        rest = [await self._session.finish(answer) for answer in answers]
        return found | {number: self._header_of(number, one) for number, one in zip(left, rest, strict=True)}

    @property
    def _is_certain(self) -> bool:
        if self._session.caps.has("TOP"):
            self._has_top = True
        return self._has_top is not None

    def _learn(self, done: CommandDone) -> None:
        status = done.status
        if status.is_ok:
            self._has_top = True
        elif refusals.is_unknown_command(status) or (self._session.caps and not refusals.is_busy(status)):
            self._has_top = False

    def _header_of(self, number: int, done: CommandDone) -> Header:
        if not done.status.is_ok:
            refusal = self._session.refusal(done)
            if isinstance(refusal, Throttled):
                raise refusal
            return refusal
        if not isinstance(done.result, bytes):
            return MessageUnavailable(f"the header of message {number} is larger than any header may be")
        return done.result
