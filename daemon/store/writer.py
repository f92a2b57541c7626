"""The one writer: a thread that owns both databases for writing and gathers waiting jobs into transactions.

Jobs that queue up while one transaction is being synced are committed together in the next, each under a savepoint, so
that one that fails undoes only itself. A batch is a state transaction followed by an index transaction; either is left
out when no job needs it. Futures resolve after the commit, never before. Effects handed over from the state half are
applied in the index half (`store.effects`); those that could not be stay waiting and go first in the next batch.

After an error that leaves a connection in doubt (failed read, write or sync; damage) the file is opened anew and
checked. If it is not sound, everything fails with `store_damaged` until the store itself is opened again.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Connection, delete
from sqlalchemy.exc import DBAPIError

from daemon.model.clock import Clock
from daemon.model.errors import StoreError
from daemon.model.events import Event
from daemon.store import tables_index, tables_state
from daemon.store.database import (
    begin,
    is_in_transaction,
    needs_reopening,
    store_error,
)
from daemon.store.effects import Effect
from daemon.store.encoding import to_ms
from daemon.store.message_rows import apply_handover
from daemon.store.slot import Slot, is_undone
from daemon.store.transactions import EventNumbers, Hook, IndexTx, StateTx

R = TypeVar("R")
StateWork = Callable[[StateTx], R]
IndexWork = Callable[[IndexTx], R]

MOST_JOBS_IN_A_BATCH: Final = 256  # keeps the longest transaction, and so the longest wait, short
MOST_JOBS_WAITING: Final = 1024  # beyond it callers wait before they may queue
MOST_CHORES: Final = 64  # tidying that has waited for a state transaction long enough to get its own


@dataclass(slots=True, eq=False)
class _Job(Generic[R]):
    """One caller's work and what became of it."""

    future: asyncio.Future[R] | None
    state: StateWork[R] | None = None
    index: IndexWork[R] | None = None
    result: Any = None
    error: BaseException | None = None
    hooks: list[Hook] = field(default_factory=list)
    handovers: list[tuple[int, Effect]] = field(default_factory=list)
    index_tx: IndexTx | None = None

    def fail(self, error: BaseException) -> None:
        if self.error is None:
            self.error = error
        self.hooks.clear()


class Writer:
    """Start it once, hand it work from the event loop, stop it once."""

    def __init__(
        self,
        *,
        index: tuple[Path, Connection],
        state: tuple[Path, Connection],
        clock: Clock,
        epoch: str,
        last_event_number: int,
        handovers: Sequence[tuple[int, Effect]] = (),
        on_commit: Callable[[Sequence[Event], dict[int, tuple[int, int]]], None],
    ) -> None:
        self._index = Slot(*index)
        self._state = Slot(*state)
        self._clock = clock
        self._epoch = epoch
        self._numbers = EventNumbers(last_event_number, self._reserve_events)
        self._on_commit = on_commit
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(MOST_JOBS_WAITING)
        self._waiting_handovers: list[tuple[int, Effect]] = list(handovers)
        self._applied: list[int] = []
        self._forgettable: list[int] = []
        self._chores: list[Callable[[StateTx], None]] = []
        self._stopped: asyncio.Future[None] = self._loop.create_future()
        self._is_stopping = False
        self.commit_count = 0
        self.busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)

    def start(self) -> None:
        """Begin to take jobs."""
        self._thread.start()

    async def index(self, work: IndexWork[R]) -> R:
        """What `work` returned, its changes to the index committed.

        Raises:
            StoreError: Nothing of it was written.
        Cancellation:
            The caller returns at once; the job is carried out all the same.
        """
        return await self._submit(_Job(self._loop.create_future(), index=work))

    async def state(self, work: StateWork[R]) -> R:
        """What `work` returned, its changes to the state database and their effects on the index committed.

        Raises:
            StoreError: Nothing was written, or the state was and the effect will follow by itself.
        Cancellation:
            As for `index`.
        """
        return await self._submit(_Job(self._loop.create_future(), state=work))

    async def stop(self) -> None:
        """Carry out what is queued, do the chores, end the thread. The connections stay open."""
        if not self._is_stopping:
            self._is_stopping = True
            self._queue.put(None)
        await asyncio.shield(self._stopped)

    def connections(self) -> tuple[Connection, Connection]:
        """Index and state, for whoever closes them after `stop`. Raises StoreError for a damaged one."""
        return self._index.connection(), self._state.connection()

    def abandon(self) -> None:
        """Close the connections as they are."""
        self._index.distrust()
        self._state.distrust()

    @property
    def has_found_damage(self) -> bool:
        """Whether a database turned out unsound; it is then checked when the store is opened again."""
        return self._index.damage is not None or self._state.damage is not None

    async def _submit(self, job: _Job[R]) -> R:
        if self._is_stopping:
            raise StoreError("the store is closed", reason="store_closed")
        future = job.future
        assert future is not None  # noqa: S101 - only the writer's own jobs have none
        async with self._room:
            if self._is_stopping:  # it began while we waited for room
                raise StoreError("the store is closed", reason="store_closed")
            self._queue.put(job)
            return await future

    # The rest runs in the writer's thread.

    def _run(self) -> None:
        is_last = False
        while not is_last:
            jobs: list[_Job[Any]] = []
            next_job = self._queue.get()
            while True:
                if next_job is None:
                    is_last = True
                    break
                jobs.append(next_job)
                if len(jobs) == MOST_JOBS_IN_A_BATCH:
                    break
                try:
                    next_job = self._queue.get_nowait()
                except queue.Empty:
                    break
            self.busy_since = self._clock.monotonic()
            try:
                self._run_batch(jobs, is_last=is_last)
            except BaseException as error:  # noqa: BLE001 - a caller must never wait for ever on a thread that died
                for job in jobs:
                    job.fail(error)
                self._deliver(jobs)
            self.busy_since = None
        self._loop.call_soon_threadsafe(self._stopped.set_result, None)

    def _run_batch(self, jobs: Sequence[_Job[Any]], *, is_last: bool) -> None:
        with_state = [job for job in jobs if job.state is not None]
        if with_state or len(self._chores) >= MOST_CHORES or (is_last and self._has_chores()):
            self._state_half(with_state)
        with_index = [job for job in jobs if job.error is None and (job.index is not None or job.handovers)]
        ended = [job for job in jobs if job not in with_index]
        if ended:
            self._deliver(ended)
        if with_index or self._waiting_handovers:
            self._index_half(with_index)
            self._deliver(with_index)
        if is_last and self._applied:
            self._state_half([])

    def _has_chores(self) -> bool:
        return bool(self._chores or self._applied)

    def _state_half(self, jobs: Sequence[_Job[Any]]) -> None:
        chores, self._chores = self._chores, []
        applied = tuple(self._applied)

        def tidy(connection: Connection) -> None:
            if applied:
                handover = tables_state.HANDOVER
                connection.execute(delete(handover).where(handover.c.number.in_(applied)))
            for chore in chores:
                chore(StateTx(connection, self._now_ms()))

        def run(job: _Job[Any], connection: Connection) -> None:
            assert job.state is not None  # noqa: S101 - for the type checker
            tx = StateTx(connection, self._now_ms())
            job.result = job.state(tx)
            job.hooks += tx.hooks
            job.handovers = tx.handovers

        if self._transact(self._state, jobs, run, tidy):
            self._forgettable += applied
            del self._applied[: len(applied)]
        for job in jobs:
            if job.error is not None:
                job.handovers = []

    def _index_half(self, jobs: Sequence[_Job[Any]]) -> None:
        if self._waiting_handovers:
            # Effects that failed before go first, in a transaction of their own: they hold up nothing if they fail again.
            retries = [_Job[None](None, handovers=[waiting]) for waiting in self._waiting_handovers]
            self._waiting_handovers.clear()
            self._index_transaction(retries)
        if jobs:
            self._index_transaction(jobs)

    def _index_transaction(self, jobs: Sequence[_Job[Any]]) -> None:
        forgettable = tuple(self._forgettable)

        def before(connection: Connection) -> None:
            if forgettable:
                applied = tables_index.APPLIED
                connection.execute(delete(applied).where(applied.c.number.in_(forgettable)))

        def run(job: _Job[Any], _: Connection) -> None:
            tx = IndexTx(*self._index_context())
            for number, effect in job.handovers:
                apply_handover(tx, number, effect)
            if job.index is not None:
                job.result = job.index(tx)
            tx.flush_counts()
            job.index_tx = tx

        if self._transact(self._index, jobs, run, before):
            del self._forgettable[: len(forgettable)]
            done = [job.index_tx for job in jobs if job.error is None and job.index_tx is not None]
            self._loop_call(self._publish, done)
            for tx in done:
                self._chores += tx.chores
        for job in jobs:
            if job.error is None:
                self._applied += [number for number, _ in job.handovers]
            else:
                self._waiting_handovers += job.handovers

    def _index_context(self) -> tuple[Connection, Connection, int, str, EventNumbers]:
        return (
            self._index.connection(),
            self._state.connection(),
            self._now_ms(),
            self._epoch,
            self._numbers,
        )

    def _transact(
        self,
        slot: Slot,
        jobs: Sequence[_Job[Any]],
        run: Callable[[_Job[Any], Connection], None],
        before: Callable[[Connection], None],
    ) -> bool:
        """Whether the transaction was committed; jobs that failed carry their error."""
        connection: Connection | None = None
        try:
            connection = slot.connection()
            begin(connection)
            before(connection)
            for job in jobs:
                self._run_one(slot, connection, job, run)
            connection.commit()
        except Exception as error:  # noqa: BLE001 - what undoes the transaction fails its jobs, whatever it is
            failure = _as_ours(error, slot.path)
            for job in jobs:
                job.fail(failure)
            if connection is not None and (needs_reopening(error) or not is_undone(connection)):
                slot.distrust()
            return False
        self.commit_count += 1
        return True

    @staticmethod
    def _run_one(
        slot: Slot, connection: Connection, job: _Job[Any], run: Callable[[_Job[Any], Connection], None]
    ) -> None:
        connection.exec_driver_sql("SAVEPOINT job")
        try:
            run(job, connection)
        except Exception as error:
            if needs_reopening(error) or not is_in_transaction(connection):
                raise  # nothing of this transaction can be kept
            connection.exec_driver_sql("ROLLBACK TO job")
            job.fail(_as_ours(error, slot.path))
        connection.exec_driver_sql("RELEASE job")

    def _reserve_events(self, through: int) -> None:
        """Numbers up to `through` are ours, whatever becomes of the index. Called from within the index half."""
        connection = self._state.connection()
        begin(connection)
        try:
            counter = tables_state.COUNTER
            connection.execute(counter.insert().prefix_with("OR REPLACE").values(name="event", value=through))
            connection.commit()
        except BaseException:
            connection.rollback()
            raise

    def _now_ms(self) -> int:
        return to_ms(self._clock.now())

    def _deliver(self, jobs: Sequence[_Job[Any]]) -> None:
        self._loop_call(self._resolve, tuple(jobs))

    def _loop_call(self, call: Callable[[Any], None], argument: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, argument)

    # These run in the event loop again.

    def _publish(self, transactions: Sequence[IndexTx]) -> None:
        shifts: dict[int, tuple[int, int]] = {}
        for tx in transactions:
            for hook in tx.hooks:
                hook()
            for mailbox_id, (total, unread) in tx.shifts.items():
                old_total, old_unread = shifts.get(mailbox_id, (0, 0))
                shifts[mailbox_id] = (old_total + total, old_unread + unread)
        self._on_commit([event for tx in transactions for event in tx.events], shifts)

    @staticmethod
    def _resolve(jobs: Sequence[_Job[Any]]) -> None:
        for job in jobs:
            for hook in job.hooks:
                hook()
            if job.future is None or job.future.done():
                continue
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.result)


def _as_ours(error: Exception, path: Path) -> Exception:
    if not isinstance(error, DBAPIError):
        return error
    failure = store_error(error, path)
    failure.__cause__ = error
    return failure
