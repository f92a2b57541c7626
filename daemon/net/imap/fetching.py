"""Bodies: pipelined UID FETCH with a bounded amount under way, small ones in memory, large ones into sinks.

Chunks are made by bytes, several commands are in flight, and the server is never idle while there is room: what was
requested and not yet taken by the caller stays under `OUTSTANDING_BYTES`, and reading pauses when a server sends more
than it announced or a sink falls behind. Each UID answered is checked against the request; a missing one is asked for
once more by itself and then given up as a refusal. RFC 9051 §6.4.5; BODY.PEEK[] only, so nothing is marked seen.
"""

import functools
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from daemon.model.errors import RemoteProtocolError, Throttled
from daemon.model.ids import Uid
from daemon.model.sink import Sink
from daemon.model.uidset import UidSet
from daemon.net.download import MOST_REFUSALS, OVERHEAD, UNKNOWN_SIZE, Arrived, Download
from daemon.net.imap import compressing
from daemon.net.imap.session import Session
from daemon.net.imap.values import FetchedBody
from daemon.wire.imap import commands, refusals
from daemon.wire.imap.commands import FetchItem
from daemon.wire.imap.responses import FetchData, LiteralBegin, LiteralData, LiteralEnd, Tagged

CHUNK_BYTES: Final = 1024 * 1024
CHUNK_COUNT: Final = 1000
OUTSTANDING_BYTES: Final = 3 * 1024 * 1024
MOST_COMMANDS: Final = 8
GATHERED_BYTES: Final = 1024 * 1024
"""Literals beyond this go to a sink (sync.md, "Small decisions")."""

UNASKED_BYTES: Final = 64 * 1024 * 1024
"""Octets of messages that were not asked for, or sent twice, before the server is taken for a hostile one."""

SinkFor = Callable[[Uid, int], Sink]


@dataclass(slots=True)
class _Chunk:
    """UIDs of one command that have not come yet, with what each was reckoned at."""

    waiting: dict[Uid, int]
    is_retry: bool


class BodyFetch(Download[Session, Uid, FetchedBody]):
    """One run of `fetch_bodies`: the plan of chunks and what is in flight."""

    def __init__(self, session: Session, uids: UidSet, sizes: Mapping[Uid, int], sink_for: SinkFor) -> None:
        super().__init__(session, most_held_bytes=OUTSTANDING_BYTES)
        self._sink_for = sink_for
        self._plan = plan_chunks(uids, sizes, session.set_bytes)
        self._next = next(self._plan, None)
        self._retries: deque[_Chunk] = deque()
        self._chunks: list[_Chunk] = []
        self._at: dict[Uid, _Chunk] = {}
        self._sink_uid: Uid | None = None
        self._unasked_bytes = 0

    async def _listen(self) -> None:
        await compressing.consider(self._session)
        self._session.fetch_listeners.insert(0, self._take_fetch)
        self._session.literal_listener = self._take_literal

    def _stop_listening(self) -> None:
        session = self._session
        if self._take_fetch in session.fetch_listeners:
            session.fetch_listeners.remove(self._take_fetch)
        if session.literal_listener == self._take_literal:  # a later download may have taken the place
            session.literal_listener = None

    def _fetched(self, one: Arrived[Uid]) -> FetchedBody:
        return FetchedBody(uid=one.key, octets=one.octets, sink=one.sink, refusal=one.refusal)

    async def _stir(self) -> None:
        await compressing.measured_wait(self._session)

    # Asking

    @property
    def _is_awaiting(self) -> bool:
        return bool(self._chunks)

    @property
    def _is_more_planned(self) -> bool:
        return not self._is_over and (bool(self._retries) or self._next is not None)

    def _take_planned(self) -> _Chunk | None:
        """The next chunk, if there is room for it; retries go first."""
        chunk = self._retries[0] if self._retries else self._next
        if chunk is None or (self._chunks and self._outstanding + _cost_of(chunk) > OUTSTANDING_BYTES):
            return None
        if self._retries:
            return self._retries.popleft()
        self._next = next(self._plan, None)
        return chunk

    def _fill(self) -> None:
        """Send further commands while there is room; the first always goes."""
        while self._error is None and self._session.error is None and len(self._chunks) < MOST_COMMANDS:
            chunk = self._take_planned()
            if chunk is None:
                return
            self._chunks.append(chunk)
            self._at.update(dict.fromkeys(chunk.waiting, chunk))
            self._outstanding += _cost_of(chunk)
            self._session.start(
                commands.uid_fetch(UidSet(chunk.waiting), [FetchItem.UID, FetchItem.BODY]),
                functools.partial(self._end_chunk, chunk),
            )

    # Receiving, called while octets are parsed

    def _take_fetch(self, data: FetchData) -> bool:
        uid = data.uid
        if data.body is None and data.streamed_bytes is None:
            return False  # flags told on the way, or BODY[] NIL: seen as missing when the command ends
        if data.body is not None and data.body == self._session.profile.unavailable_notice:
            return data.flags is None  # QUIRK Courier: the message is missing, whatever this and the OK say
        chunk = self._at.get(uid) if uid is not None else None
        if uid is None or chunk is None:
            self._drop_sink()
            self._unasked_bytes += data.streamed_bytes or len(data.body or b"")
            if self._unasked_bytes > UNASKED_BYTES:
                raise RemoteProtocolError("messages are sent that nobody asked for", reason="flood")
            return data.flags is None  # never asked for, or sent twice: the octets are nobody's
        if data.body is not None:
            self._take(chunk, uid, octets=data.body)
        elif self._sink is not None and self._sink_uid == uid:
            sink, self._sink, self._sink_uid = self._sink, None, None
            self._take(chunk, uid, sink=sink)
        return data.flags is None

    def _take(
        self, chunk: _Chunk, uid: Uid, *, octets: bytes | None = None, sink: Sink | None = None
    ) -> None:
        cost = chunk.waiting.pop(uid)
        del self._at[uid]
        self._refusals_in_a_row = 0
        if self._is_over:
            if sink is not None:
                sink.abort()
            return
        self._arrive(Arrived(uid, cost, octets=octets, sink=sink))

    def _take_literal(self, event: LiteralBegin | LiteralData | LiteralEnd) -> None:
        if isinstance(event, LiteralData):
            self._write(event.data)
        elif isinstance(event, LiteralBegin):
            self._drop_sink()
            uid = event.uid if event.uid is not None else self._guess()
            if uid is not None and uid in self._at and not event.section and not self._is_over:
                self._sink = self._sink_for(uid, event.size)
                self._sink_uid = uid

    def _guess(self) -> Uid | None:
        """The UID a literal may be of when the server tells it behind the body: the one asked for by itself.

        A wrong guess is found when the FETCH is complete, and the sink aborted.
        """
        for chunk in self._chunks:
            if chunk.is_retry:
                return next(iter(chunk.waiting), None)
        return None

    def _drop_sink(self) -> None:
        super()._drop_sink()
        self._sink_uid = None

    def _end_chunk(self, chunk: _Chunk, tagged: Tagged) -> None:
        self._chunks.remove(chunk)
        for uid in chunk.waiting:
            del self._at[uid]
        if chunk.waiting and not self._is_over:
            self._count_missing(chunk, tagged)

    def _count_missing(self, chunk: _Chunk, tagged: Tagged) -> None:
        refused = None if tagged.is_ok else refusals.refusal(tagged, doing="UID FETCH")
        if isinstance(refused, Throttled):
            self._error = refused
            return
        if chunk.is_retry and refused is not None:
            self._refusals_in_a_row += 1
            if self._refusals_in_a_row >= MOST_REFUSALS:
                self._error = refused
                return
        for uid, cost in chunk.waiting.items():
            if chunk.is_retry or self._session.heard.is_gone(uid):
                words = str(refused) if refused is not None else "the server did not send this message"
                self._arrive(Arrived(uid, cost, refusal=words))
            else:
                self._outstanding -= cost
                # QUIRK M365, getmail:1828: one malformed message fails the whole command; alone the others come
                self._retries.append(_Chunk({uid: cost}, is_retry=True))


def plan_chunks(uids: UidSet, sizes: Mapping[Uid, int], line_bytes: int) -> Iterator[_Chunk]:
    """Commands by bytes: about `CHUNK_BYTES` of requested octets each, a larger message by itself."""
    waiting: dict[Uid, int] = {}
    total = text = 0
    for uid in uids:
        size = sizes.get(uid, UNKNOWN_SIZE)
        length = len(str(uid)) + 1
        if waiting and (
            total + size > CHUNK_BYTES or len(waiting) >= CHUNK_COUNT or text + length > line_bytes
        ):
            yield _Chunk(waiting, is_retry=False)
            waiting, total, text = {}, 0, 0
        waiting[uid] = min(size, GATHERED_BYTES) + OVERHEAD
        total += size
        text += length
    if waiting:
        yield _Chunk(waiting, is_retry=False)


def _cost_of(chunk: _Chunk) -> int:
    return sum(chunk.waiting.values())
