"""A conversation on one line: the stream below it, those who wait for an answer of it, and its end.

What the sessions of IMAP and POP3 have in common. It knows no command and parses nothing. Everything runs in the loop's
thread.
"""

import asyncio
import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from daemon.model.errors import ConnectionLost, LocalProtocolError, MailError
from daemon.net.deadlines import Timers
from daemon.net.foreign import again
from daemon.net.stream import Stream

AnswerT = TypeVar("AnswerT")


class Conversation(ABC, Generic[AnswerT]):
    """One connection after `Stream.open`, whose receiver it is. `error` says why it ended; nothing revives it."""

    def __init__(self, timers: Timers) -> None:
        self.timers = timers
        self.error: MailError | None = None
        self.is_leaving = False
        self._stream: Stream | None = None
        self._answers: dict[
            Hashable, tuple[asyncio.Future[AnswerT] | None, Callable[[AnswerT], None] | None]
        ] = {}
        self._challenge: bytes | None = None
        self._stirred = asyncio.Event()
        self._awaited = 0

    @property
    @abstractmethod
    def is_inside_unit(self) -> bool:
        """Whether a line, literal or answer has begun and is not complete."""

    @abstractmethod
    def flush(self) -> None:
        """Write what there is to send."""

    # The stream

    @property
    def stream(self) -> Stream:
        if self._stream is None:
            raise LocalProtocolError("the connection is not open yet")
        return self._stream

    def attach(self, stream: Stream) -> None:
        """Take the stream whose receiver this is."""
        self._stream = stream

    def lose(self, error: MailError) -> None:
        """The line is gone: whoever waits is told why."""
        self.error = error
        for answer, _ in self._answers.values():
            if answer is not None and not answer.done():
                answer.set_exception(_copy_of(error))
        self._answers.clear()
        self._stirred.set()

    def check(self) -> None:
        """Raise ConnectionLost (or TlsFailed) if the line is gone."""
        if self.error is not None:
            raise again(self.error)

    def abort(self, error: MailError | None = None) -> None:
        """Drop the line at once."""
        if self._stream is not None:
            self._stream.abort(error)
        elif self.error is None:
            self.lose(error or ConnectionLost("the connection was dropped by us", reason="closed"))

    # Answers

    def _expect(
        self, key: Hashable, on_done: Callable[[AnswerT], None] | None = None
    ) -> asyncio.Future[AnswerT]:
        """Where the answer to what was sent under `key` will come."""
        answer: asyncio.Future[AnswerT] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_mark_retrieved)
        self._answers[key] = (answer, on_done)
        return answer

    def _answered(self, key: Hashable, said: AnswerT) -> None:
        if self._stream is not None:
            self._stream.deadlines.note_answered()
        answer, on_done = self._answers.pop(key, (None, None))
        if on_done is not None:
            on_done(said)
        if answer is not None and not answer.done():
            answer.set_result(said)

    async def finish(self, answer: asyncio.Future[AnswerT]) -> AnswerT:
        """The answer, whatever it says.

        Cancellation: the line is dropped, because what the answer would have meant is lost with the waiter.
        """
        try:
            with self.unpaused():
                return await answer
        except asyncio.CancelledError:
            self.abort()
            raise

    def take_challenge(self) -> bytes | None:
        """The challenge of a login that came last, once."""
        challenge, self._challenge = self._challenge, None
        return challenge

    # Waiting

    @contextmanager
    def unpaused(self) -> Iterator[None]:
        """Read whatever comes while an answer is awaited.

        A download whose iterator was left lying would otherwise hold up every later command for ever.
        """
        self._awaited += 1
        if self._stream is not None:
            self._stream.resume_reading()
        try:
            yield
        finally:
            self._awaited -= 1

    def pause_reading(self) -> None:
        """Let the server wait, unless someone waits for an answer of it."""
        if not self._awaited:
            self.stream.pause_reading()

    async def stir(self) -> None:
        """Return once anything was received or the line was lost; check your condition first.

        Raises why the line is gone, in its own words: whoever waits is in the middle of something.
        """
        if self.error is None:
            self._stirred.clear()
            await self._stirred.wait()
        if self.error is not None:
            raise _copy_of(self.error)


def _mark_retrieved(answer: asyncio.Future[AnswerT]) -> None:
    if not answer.cancelled():
        answer.exception()


def _copy_of(error: MailError) -> MailError:
    """The same error for another waiter: one instance raised twice would pile up tracebacks."""
    fresh = copy.copy(error) if type(error).__init__ is MailError.__init__ else error
    fresh.__cause__ = error.__cause__
    return fresh
