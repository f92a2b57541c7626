"""A download: what has arrived and was not taken yet, the message that is being streamed, and when the server must wait.

What the downloads of IMAP and POP3 have in common; each knows what to ask for and how its answers look. What was
requested and not yet taken by the caller is counted by both, and reading pauses when a server sends more than it
announced or a sink falls behind. A message is the caller's when the iterator is asked for the next one.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from daemon.model.errors import MailError, ServerRefused
from daemon.model.sink import Sink
from daemon.net.conversation import Conversation

SINK_BACKLOG_BYTES: Final = 1024 * 1024
UNKNOWN_SIZE: Final = 32 * 1024
OVERHEAD: Final = 128  # an empty message is not free: the answer around it counts
MOST_REFUSALS: Final = 25  # refused one after the other: then it is the mailbox, not the message

SessionT = TypeVar("SessionT", bound=Conversation[Any])
KeyT = TypeVar("KeyT")
FetchedT = TypeVar("FetchedT")


@dataclass(slots=True)
class Arrived(Generic[KeyT]):
    """A message for the caller; `cost` is given back when it was taken."""

    key: KeyT
    cost: int
    octets: bytes | None = None
    sink: Sink | None = None
    refusal: str | None = None


class Download(ABC, Generic[SessionT, KeyT, FetchedT]):
    """One run; `run` gives the messages. At most `most_held_bytes` wait in memory for the caller."""

    def __init__(self, session: SessionT, *, most_held_bytes: int) -> None:
        self._session = session
        self._most_held_bytes = most_held_bytes
        self._arrived: deque[Arrived[KeyT]] = deque()
        self._outstanding = 0
        self._held_bytes = 0
        self._sink: Sink | None = None
        self._late_sink: Sink | None = None
        self._refusals_in_a_row = 0
        self._error: ServerRefused | None = None
        self._is_over = False

    async def run(self) -> AsyncGenerator[FetchedT, None]:
        """All messages in order of arrival. Closing the iterator early lets what is in flight pass by unread."""
        await self._listen()
        try:
            while self._arrived or self._is_awaiting or self._is_more_planned:
                self._fill()
                while self._arrived:
                    one = self._arrived.popleft()
                    self._held_bytes -= len(one.octets or b"")
                    if one.sink is not None:
                        if one.sink is self._late_sink:
                            self._late_sink = None
                        await one.sink.end()
                    yield self._fetched(one)
                    self._outstanding -= one.cost
                    self._note_taken()
                    self._fill()
                if self._error is not None:
                    break
                await self._wait()
            if self._error is not None:
                raise self._error
        except (GeneratorExit, ServerRefused):
            await self._let_pass()
            raise
        except BaseException:
            self._session.abort()
            raise
        finally:
            self._stop_listening()
            self._drop_sink()
            self._drop_arrived()
            if self._session.error is None:
                self._session.stream.resume_reading()

    # What each protocol does in its own way

    @abstractmethod
    async def _listen(self) -> None:
        """Listen for what will be asked for."""

    @abstractmethod
    def _stop_listening(self) -> None:
        """Listen no longer, whether or not anything still comes."""

    @property
    @abstractmethod
    def _is_awaiting(self) -> bool:
        """Whether something that was asked for is unanswered."""

    @property
    @abstractmethod
    def _is_more_planned(self) -> bool:
        """Whether something is still to be asked for."""

    @abstractmethod
    def _fill(self) -> None:
        """Ask for more while there is room; the first always goes."""

    @abstractmethod
    def _fetched(self, one: Arrived[KeyT]) -> FetchedT:
        """The message as the caller knows it."""

    def _note_taken(self) -> None:
        """The caller has taken one message more."""

    async def _stir(self) -> None:
        await self._session.stir()

    # Receiving

    def _arrive(self, one: Arrived[KeyT]) -> None:
        self._arrived.append(one)
        if one.octets is not None:
            self._held_bytes += len(one.octets)
            if self._held_bytes > self._most_held_bytes:
                self._session.pause_reading()

    def _write(self, data: memoryview) -> None:
        """Octets of the message that is being streamed; nobody's where it has no sink."""
        sink = self._sink
        if sink is not None:
            sink.write(data)
            if sink.backlog_bytes > SINK_BACKLOG_BYTES:
                self._late_sink = sink
                self._session.pause_reading()

    async def _wait(self) -> None:
        session = self._session
        sink = self._late_sink
        if sink is not None:
            await sink.drain()
            self._late_sink = None
        if self._held_bytes <= self._most_held_bytes and session.error is None:
            session.stream.resume_reading()
        if not self._arrived and (self._is_awaiting or session.error is not None):
            try:
                await self._stir()
            except MailError:
                if not self._arrived:
                    raise  # else what came first is given first

    async def _let_pass(self) -> None:
        """Read to the end of what was asked for, and drop it: the connection stays usable."""
        self._is_over = True
        self._drop_sink()
        self._drop_arrived()
        while self._is_awaiting and self._session.error is None:
            self._session.stream.resume_reading()
            try:
                await self._session.stir()
            except MailError:
                return  # nothing is left to read

    def _drop_sink(self) -> None:
        if self._sink is not None:
            self._sink.abort()
        if self._late_sink is self._sink:
            self._late_sink = None
        self._sink = None

    def _drop_arrived(self) -> None:
        for one in self._arrived:
            if one.sink is not None:
                one.sink.abort()
        self._arrived.clear()
