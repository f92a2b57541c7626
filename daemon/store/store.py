"""The store of one service: two databases, one writer, a few readers, and the rooms that give and take model values.

Knows no protocol and nothing of accounts' settings. One process owns it at a time (`store.lock`). Every write is one
job of the one writer thread; whoever awaited it reads what it wrote. Errors of SQLite and of the disk come out as
`StoreError`.
"""

import asyncio
import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar, TypeVarTuple

from sqlalchemy import Connection, select

from daemon.model.clock import Clock
from daemon.model.errors import ConfigError, ConfigProblem, StoreError, StoreInUse
from daemon.model.events import Event
from daemon.model.ids import AccountId
from daemon.model.mailbox import MailboxCounts
from daemon.model.operations import Tombstone
from daemon.store.base import BaseRoom
from daemon.store.counts import CountBook, recount
from daemon.store.database import checkpoint, disconnect, mapped
from daemon.store.effects import Effect
from daemon.store.email_ids import EmailIdRoom
from daemon.store.encoding import id_to_bytes
from daemon.store.events import EventRoom, last_event_number
from daemon.store.facts import FactRoom
from daemon.store.intents import IntentRoom
from daemon.store.lock import POLL_SECONDS, StoreLock
from daemon.store.mailboxes import MailboxRoom, StoredMailbox, load_mailboxes
from daemon.store.maildir.errors import store_error
from daemon.store.maildrop import MaildropRoom
from daemon.store.message_rows import apply_effect, remove_buried, set_hidden
from daemon.store.messages import MessageRoom
from daemon.store.opening import (
    INDEX_NAME,
    STATE_NAME,
    OpenedFiles,
    mark_clean,
    open_files,
    settle_generation,
)
from daemon.store.operations import OperationRoom, effect_of, load_pending
from daemon.store.pools import PoolName, Pools
from daemon.store.readers import Readers
from daemon.store.tables_index import APPLIED, MESSAGE
from daemon.store.tables_state import HANDOVER
from daemon.store.tokens import TokenRecord, TokenRoom, load_tokens
from daemon.store.tombstones import TombstoneRoom, load_buried
from daemon.store.transactions import IndexTx
from daemon.store.writer import Writer

R = TypeVar("R")
Ts = TypeVarTuple("Ts")


@dataclass(slots=True)
class _Recalled:
    """What must be known before the writer starts."""

    handovers: list[tuple[int, Effect]]
    tokens: tuple[TokenRecord, ...]
    standing: Effect
    buried: tuple[Tombstone, ...]


class Store:
    """Open it with `Store.open`, close it with `close`.

    `findings` tells what was wrong and mended when it was opened, each `code: detail`. `was_index_rebuilt`: the index
    is new and empty though the store is not. `generation_gap`: the two databases are not of the same age, so one was
    restored from a backup; nothing may be inferred as deleted until a pass has gone through.
    """

    def __init__(  # noqa: PLR0917 - called by `open` alone
        self, path: Path, lock: StoreLock, pools: Pools, files: OpenedFiles, clock: Clock, recalled: _Recalled
    ) -> None:
        self.path: Final = path
        self.store_id: Final = files.store_id
        self.epoch: Final = files.epoch
        self.generation: Final = files.generation
        self.was_index_rebuilt: Final = files.was_index_rebuilt
        self.generation_gap: Final = files.generation_gap
        self.findings: Final = tuple(files.findings)
        self.pools: Final = pools
        self._lock = lock
        self._callbacks: list[Callable[[], None]] = []
        self._counts = CountBook()
        self._readers = Readers(pools, path / INDEX_NAME, path / STATE_NAME)
        self._writer = Writer(
            index=(path / INDEX_NAME, files.index),
            state=(path / STATE_NAME, files.state),
            clock=clock,
            epoch=files.epoch,
            last_event_number=files.last_event_number,
            handovers=recalled.handovers,
            on_commit=self._committed,
        )
        self._is_closed = False
        self.base: Final = BaseRoom(self._writer, self._readers)
        self.messages: Final = MessageRoom(self._readers)
        self.email_ids: Final = EmailIdRoom(self._readers)
        self.intents: Final = IntentRoom(self._writer, self._readers)
        self.operations: Final = OperationRoom(self._writer, self._readers)
        self.tombstones: Final = TombstoneRoom(self._writer, self._readers)
        self.facts: Final = FactRoom(self._writer, self._readers)
        self.maildrop: Final = MaildropRoom(self._writer, self._readers)
        self.tokens: Final = TokenRoom(self._writer, recalled.tokens)
        self._mailboxes: MailboxRoom | None = None
        self._events: EventRoom | None = None

    @classmethod
    async def open(cls, path: Path, *, clock: Clock, lock_wait_seconds: float = 0) -> "Store":
        """The store at `path`, made where it is missing (mode 0700), ours alone until it is closed.

        Effects of operations and removals that a crash kept from the index are in it when this returns.

        Args:
            path: The store's directory.
            clock: Wall time for what is written, steady time for waiting.
            lock_wait_seconds: How long to wait for another process to give the store up.

        Raises:
            StoreInUse: Another process has it, and still had when the wait ended.
            ConfigError: The path cannot be a directory that we may write to.
            StoreError: disk_full, store_readonly, store_io, or store_newer for files of a newer version.
        Cancellation:
            Safe: the lock is given back.
        """
        pools = Pools()
        lock = StoreLock(path)
        try:
            await pools.run("files", _make_directory, path)
            await _acquire(lock, pools, clock, lock_wait_seconds)
            files = await pools.run("files", open_files, path, clock)
        except BaseException:
            lock.release()
            await pools.close()
            raise
        try:
            recalled = await pools.run("files", _recall, files)
            store = cls(path, lock, pools, files, clock, recalled)
        except BaseException:
            disconnect(files.state)
            disconnect(files.index)
            lock.release()
            await pools.close()
            raise
        store._writer.start()
        try:
            await store._begin(recalled, is_review_needed=files.needs_review)
        except BaseException:
            await store.close()
            raise
        return store

    @property
    def mailboxes(self) -> MailboxRoom:
        """Records of mailboxes."""
        assert self._mailboxes is not None  # noqa: S101 - set before `open` returns
        return self._mailboxes

    @property
    def events(self) -> EventRoom:
        """The journal."""
        assert self._events is not None  # noqa: S101 - set before `open` returns
        return self._events

    @property
    def busy_since(self) -> float | None:
        """When the writer began the batch it is at (the clock's `monotonic`), or None; for a watchdog."""
        return self._writer.busy_since

    @property
    def commit_count(self) -> int:
        """Transactions committed since the store was opened."""
        return self._writer.commit_count

    def counts_of(self, account: AccountId) -> MailboxCounts:
        """Shown messages of the account. No I/O."""
        return self._counts.of_account(account)

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Have `callback` called in the event loop after each commit to the index; it must not block."""
        self._callbacks.append(callback)

    async def run_in(self, pool: PoolName, work: Callable[[*Ts], R], *args: *Ts) -> R:
        """What `work(*args)` returned, done by a thread of the named pool; see `Pools.run`."""
        return await self.pools.run(pool, work, *args)

    async def close(self) -> None:
        """Write what is queued, end all threads, close the files in order, give the lock back. May be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        await self._writer.stop()
        await self.pools.close()
        last = Pools()
        try:
            await last.run("files", self._close_files)
        finally:
            await last.close()

    def _close_files(self) -> None:
        try:
            self._readers.close()
            with mapped(self.path / STATE_NAME):
                index, state = self._writer.connections()
                checkpoint(index)
                if not (self._readers.has_found_damage or self._writer.has_found_damage):
                    mark_clean(state)
                checkpoint(state)
        except StoreError:
            # What could not be tidied now is at the next start, which finds the files not marked as clean.
            return
        finally:
            self._writer.abandon()
            self._lock.release()

    async def _begin(self, recalled: _Recalled, *, is_review_needed: bool) -> None:
        """First job of the writer: effects that are due, and what the rooms keep in memory."""

        def work(tx: IndexTx) -> tuple[tuple[StoredMailbox, ...], int]:
            if is_review_needed:
                _show_all(tx, recalled.standing)
                remove_buried(tx, recalled.buried)
            apply_effect(tx, recalled.standing)
            tx.flush_counts()
            tx.shifts.clear()  # what is read below has them already
            if is_review_needed:
                recount(tx)
            tx.later(lambda state: settle_generation(state.connection))
            return load_mailboxes(tx.connection), last_event_number(tx.connection)

        stored, last_number = await self._writer.index(work)
        self._mailboxes = MailboxRoom(self._writer, self._counts, stored)
        self._events = EventRoom(self._writer, self._readers, self.epoch, last_number)

    def _committed(self, events: Sequence[Event], shifts: dict[int, tuple[int, int]]) -> None:
        self._counts.shift(shifts.items())
        if self._events is not None:
            self._events.committed(events)
        for callback in self._callbacks:
            callback()


_PATH_UNUSABLE: Final = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
)
"""What stays as it is until a person names another path or grants the rights."""


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in _PATH_UNUSABLE:
            raise _unusable(path, f"cannot be made: {error.strerror}") from error
        raise store_error(error, f"cannot make {path}") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise _unusable(path, "is not writable for this user")


def _unusable(path: Path, problem: str) -> ConfigError:
    remedy = "make it a directory that the user of this program may write to, or name another one"
    return ConfigError(
        (ConfigProblem(file=None, key="store.path", problem=f"{path} {problem}", remedy=remedy),)
    )


async def _acquire(lock: StoreLock, pools: Pools, clock: Clock, wait_seconds: float) -> None:
    deadline = clock.monotonic() + wait_seconds
    while True:
        try:
            await pools.run("files", lock.acquire)
        except StoreInUse:
            if clock.monotonic() >= deadline:
                raise
            await asyncio.sleep(POLL_SECONDS)
        else:
            return


def _recall(files: OpenedFiles) -> _Recalled:
    """Read what is due from the state database, before the writer owns it."""
    state = files.state
    applied = set(files.index.execute(select(APPLIED.c.number)).scalars())
    files.index.rollback()
    handovers = [
        (number, Effect.from_text(text))
        for number, text in state.execute(
            select(HANDOVER.c.number, HANDOVER.c.effect).order_by(HANDOVER.c.number)
        )
    ]
    recalled = _Recalled(
        handovers=handovers,
        tokens=load_tokens(state),
        standing=effect_of(load_pending(state)),
        buried=load_buried(state) if files.needs_review else (),
    )
    state.rollback()
    _forget_applied(files.index, applied - {number for number, _ in handovers})
    return recalled


def _forget_applied(index: Connection, numbers: set[int]) -> None:
    """Numbers whose notes are gone from the state database; their order is not needed any more."""
    if numbers:
        index.execute(APPLIED.delete().where(APPLIED.c.number.in_(numbers)))
        index.commit()


def _show_all(tx: IndexTx, standing: Effect) -> None:
    """Messages hidden without a pending deletion shown again: a restored index may be older than the decision."""
    wanted = set(map(id_to_bytes, standing.hide))
    hidden = tx.connection.execute(select(MESSAGE.c.id).where(MESSAGE.c.is_hidden.is_(True))).scalars()
    set_hidden(tx, [raw for raw in hidden if raw not in wanted], is_hidden=False)
