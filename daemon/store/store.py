"""Signatures; bodies follow."""
from __future__ import annotations
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, TypeVarTuple
from daemon.model.clock import Clock
from daemon.model.ids import AccountId
from daemon.model.mailbox import MailboxCounts
from daemon.store.base import BaseRoom
from daemon.store.events import EventRoom
from daemon.store.facts import FactRoom
from daemon.store.intents import IntentRoom
from daemon.store.mailboxes import MailboxRoom
from daemon.store.messages import MessageRoom
from daemon.store.operations import OperationRoom
from daemon.store.pools import PoolName, Pools
from daemon.store.tokens import TokenRoom
from daemon.store.tombstones import TombstoneRoom

R = TypeVar("R")
Ts = TypeVarTuple("Ts")

class Store:
    mailboxes: MailboxRoom
    base: BaseRoom
    messages: MessageRoom
    intents: IntentRoom
    operations: OperationRoom
    tombstones: TombstoneRoom
    events: EventRoom
    facts: FactRoom
    tokens: TokenRoom
    pools: Pools
    path: Path
    store_id: str
    epoch: str
    generation: int
    was_index_rebuilt: bool
    generation_gap: bool
    findings: tuple[str, ...]

    @classmethod
    async def open(cls, path: Path, *, clock: Clock, lock_wait_seconds: float = 0) -> Store: ...
    async def close(self) -> None: ...
    def counts_of(self, account: AccountId) -> MailboxCounts: ...
    def on_commit(self, callback: Callable[[], None]) -> None: ...
    async def run_in(self, pool: PoolName, work: Callable[[*Ts], R], *args: *Ts) -> R: ...
