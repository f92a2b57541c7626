"""The pipeline of a download: octets are written to tmp/ while more arrive, and whole batches become durable behind.

Whatever protocol brings them. At most two stages are on their way to the disk and two batches on their way to being
durable; beyond that the caller waits, and with it the line. What a batch means is the caller's `commit`.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from daemon.model.sink import Sink
from daemon.store.maildir.delivery import Batch
from daemon.store.maildir.sink import TmpSink
from daemon.store.maildir.tmpfile import StagedFile
from daemon.sync.task_errors import to_its_end

BATCH_MESSAGES: Final = 256
BATCH_BYTES: Final = 4 * 1024 * 1024  # 8 MiB is no faster and keeps 9 MiB more resident at the peak
STAGE_BYTES: Final = 512 * 1024  # handed to the disk in one go: amortises the call, keeps little in memory
STAGE_MESSAGES: Final = 64
BATCHES_IN_FLIGHT: Final = 2
STAGES_IN_FLIGHT: Final = 2

T = TypeVar("T", bound=Hashable)


@dataclass(slots=True)
class _Pending(Generic[T]):
    """A batch that is still being filled."""

    batch: Batch
    stages: list[asyncio.Task[list[tuple[T, StagedFile]]]] = field(default_factory=list)
    ready: list[tuple[T, StagedFile]] = field(default_factory=list)
    messages: int = 0
    octets: int = 0

    @property
    def is_full(self) -> bool:
        return self.messages >= BATCH_MESSAGES or self.octets >= BATCH_BYTES


class Filling(Generic[T]):
    """The batch being filled, the stages being written and the commits under way; `T` names a message."""

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        batches: contextlib.AsyncExitStack,
        *,
        open_batch: Callable[[], Batch],
        commit: Callable[[list[tuple[T, StagedFile]]], Coroutine[Any, Any, None]],
        date_of: Callable[[T], int | None],
    ) -> None:
        """`tasks` waits for everything begun here, `batches` closes every batch, however the download ends."""
        self._tasks = tasks
        self._batches = batches
        self._open_batch = open_batch
        self._commit_staged = commit
        self._date_of = date_of
        self._pending = self._open()
        self._gathered: list[tuple[T, bytes]] = []
        self._gathered_bytes = 0
        self._sinks: dict[T, tuple[_Pending[T], TmpSink]] = {}
        self._commits: set[asyncio.Task[None]] = set()
        self._stage_slots = asyncio.Semaphore(STAGES_IN_FLIGHT)
        self._commit_slots = asyncio.Semaphore(BATCHES_IN_FLIGHT)

    def sink(self, item: T, size: int | None) -> Sink:
        """Where a large message goes. It is a batch by itself: it arrives while others are filled and sent off."""
        pending = self._open()
        sink = pending.batch.sink(size, self._date_of(item))
        self._sinks[item] = (pending, sink)
        return sink

    async def take(self, item: T, octets: bytes) -> None:
        """Take a message; returns at once unless enough is under way already."""
        self._gathered.append((item, octets))
        self._gathered_bytes += len(octets)
        self._pending.messages += 1
        self._pending.octets += len(octets)
        if (
            self._gathered_bytes >= STAGE_BYTES
            or len(self._gathered) >= STAGE_MESSAGES
            or self._pending.is_full
        ):
            await self._stage()
        if self._pending.is_full:
            await self._commit(self._pending)
            self._pending = self._open()

    async def take_sunk(self, item: T) -> bool:
        """Take the message that went through a sink; False where there was none, because the server refused."""
        pending, sink = self._sinks.pop(item, (None, None))
        if pending is None or sink is None:
            return False
        pending.ready.append((item, sink.result))
        pending.messages = 1
        await self._commit(pending)
        return True

    async def settle(self) -> None:
        """Return when all that was taken is durable; raises what its commit raised."""
        await self._stage()
        pending, self._pending = self._pending, self._open()
        await self._commit(pending)
        while self._commits:
            await asyncio.wait(self._commits)

    async def close(self) -> None:
        """Send off what is left; the task group waits for it."""
        self._sinks.clear()
        await self._stage()
        await self._commit(self._pending)

    def _open(self) -> _Pending[T]:
        """A fresh batch, closed at the latest when the download ends, however it ends."""
        batch = self._open_batch()
        self._batches.push_async_callback(batch.close)
        return _Pending(batch)

    async def _stage(self) -> None:
        """Hand octets to the disk without waiting for it, unless enough is under way already."""
        gathered, batch = self._gathered, self._pending.batch
        self._gathered, self._gathered_bytes = [], 0
        if not gathered:
            return
        await self._stage_slots.acquire()

        async def write() -> list[tuple[T, StagedFile]]:
            try:
                files = await batch.write_many([(octets, self._date_of(item)) for item, octets in gathered])
                return [(item, file) for (item, _), file in zip(gathered, files, strict=True)]
            finally:
                gathered.clear()
                self._stage_slots.release()

        self._pending.stages.append(self._tasks.create_task(write(), name="download.stage"))

    async def _commit(self, pending: _Pending[T]) -> None:
        if not pending.messages:
            return
        await self._commit_slots.acquire()

        async def commit() -> None:
            try:
                parts = await asyncio.gather(*pending.stages)
                staged = [*pending.ready, *(pair for part in parts for pair in part)]
                async with pending.batch:
                    # A cancelled wait would leave the pool publishing files whose intent recovery has closed as lost.
                    await to_its_end(self._commit_staged(staged))
            finally:
                self._commit_slots.release()

        task = self._tasks.create_task(commit(), name="download.commit")
        self._commits.add(task)
        task.add_done_callback(self._commits.discard)
