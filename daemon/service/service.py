"""The service put together: runners, supervisor, schedule and control over one open store.

Nothing starts before `start`. The store belongs to the caller, who closes it after `stop`.
"""

import random as chance
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.ids import AccountId
from daemon.model.settings import ImapSettings, Pop3Settings, Settings
from daemon.service.account import AccountRunner
from daemon.service.control.access import Access
from daemon.service.control.accounts import AccountsControl
from daemon.service.control.events import EventsControl
from daemon.service.control.facade import Control
from daemon.service.control.messages import MessagesControl
from daemon.service.control.status import StatusControl
from daemon.service.gate import Gate
from daemon.service.jobs import JobBook
from daemon.service.login import Connect, ReadPassword
from daemon.service.outbox import Outbox
from daemon.service.pace import Pace
from daemon.service.quiescence import OpenEngine
from daemon.service.runner import Runner
from daemon.service.schedule import Schedule
from daemon.service.standing import Standing
from daemon.service.supervisor import Supervisor
from daemon.service.unserved import UnservedAccount
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the service is made from. `trees` has one for each IMAP account; `random` is in [0, 1)."""

    settings: Settings
    store: Store
    trees: Mapping[AccountId, MaildirTree]
    connect: Connect
    open_engine: OpenEngine
    read_password: ReadPassword
    access: Access
    clock: Clock
    version: str
    log: FilteringBoundLogger
    pace: Pace = field(default_factory=Pace)
    random: Callable[[], float] = chance.random


class Service:
    """The running whole."""

    def __init__(self, parts: Parts) -> None:
        jobs = JobBook(parts.clock)
        outbox = Outbox(parts.store, parts.log)
        gate = Gate(at_once=parts.pace.handshakes_at_once, turn_seconds=parts.pace.handshake_turn_seconds)
        runners = {
            settings.id: _runner(settings, parts, jobs, outbox, gate) for settings in parts.settings.accounts
        }
        self.schedule = Schedule(clock=parts.clock, random=parts.random)
        self.supervisor = Supervisor(
            runners=tuple(runners.values()),
            outbox=outbox,
            schedule=self.schedule,
            clock=parts.clock,
            pace=parts.pace,
            random=parts.random,
            log=parts.log,
        )
        self.control = Control(
            status=StatusControl(
                store=parts.store,
                runners=runners,
                clock=parts.clock,
                version=parts.version,
                is_running=lambda: self.supervisor.is_running,
            ),
            accounts=AccountsControl(store=parts.store, runners=runners, jobs=jobs),
            messages=MessagesControl(
                store=parts.store, trees=parts.trees, runners=runners, clock=parts.clock
            ),
            events=EventsControl(store=parts.store, clock=parts.clock),
            access=parts.access,
        )

    async def start(self) -> None:
        """Start every account; returns before any has connected."""
        await self.supervisor.start()

    async def stop(self) -> None:
        """A clean end within 5 seconds."""
        await self.supervisor.stop()


def _runner(
    settings: ImapSettings | Pop3Settings,
    parts: Parts,
    jobs: JobBook,
    outbox: Outbox,
    gate: Gate,
) -> Runner:
    log = parts.log.bind(account=settings.id)
    if isinstance(settings, ImapSettings):
        return AccountRunner(
            settings=settings,
            store=parts.store,
            tree=parts.trees[settings.id],
            open_engine=parts.open_engine,
            connect=parts.connect,
            read_password=parts.read_password,
            gate=gate,
            jobs=jobs,
            announce=outbox.put,
            clock=parts.clock,
            pace=parts.pace,
            random=parts.random,
            log=log,
        )
    standing = Standing(
        account=settings.id, protocol=settings.protocol, clock=parts.clock, log=log, announce=outbox.put
    )
    return UnservedAccount(settings=settings, protocol=settings.protocol, standing=standing, jobs=jobs)
