"""The service put together: runners, supervisor, schedule and control over one open store.

Nothing starts before `start`. The store belongs to the caller, who closes it after `stop`.
"""

import random as chance
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.ids import AccountId
from daemon.model.settings import ImapSettings, Pop3Settings, Settings
from daemon.net.imap.client import ImapClient
from daemon.service.account import AccountRunner
from daemon.service.bridge import Bridge, Shared
from daemon.service.control.access import Access
from daemon.service.control.accounts import AccountsControl
from daemon.service.control.advice import AdviceControl
from daemon.service.control.events import EventsControl
from daemon.service.control.facade import Control
from daemon.service.control.messages import MessagesControl
from daemon.service.control.status import StatusControl
from daemon.service.gate import Gate
from daemon.service.imap_bridge import ImapBridge
from daemon.service.jobs import JobBook
from daemon.service.login import Connect, ReadPassword
from daemon.service.outbox import Outbox
from daemon.service.pace import Pace
from daemon.service.pop3_means import Pop3Means
from daemon.service.quiescence import OpenEngine
from daemon.service.runner import Runner
from daemon.service.schedule import Schedule
from daemon.service.supervisor import Supervisor
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the service is made from. `trees` has one for each account; `connect` and `open_engine` are for IMAP; `random` is in [0, 1)."""

    settings: Settings
    store: Store
    trees: Mapping[AccountId, MaildirTree]
    connect: Connect[ImapClient]
    open_engine: OpenEngine
    pop3: Pop3Means
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
        self.schedule = Schedule(clock=parts.clock, random=parts.random)
        runners = {
            settings.id: _runner(settings, parts, jobs=jobs, outbox=outbox, gate=gate, schedule=self.schedule)
            for settings in parts.settings.accounts
        }
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
            advice=AdviceControl(clock=parts.clock),
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
    *,
    jobs: JobBook,
    outbox: Outbox,
    gate: Gate,
    schedule: Schedule,
) -> Runner:
    make_bridge: Callable[[Shared], Bridge]
    if isinstance(settings, ImapSettings):
        make_bridge = partial(
            ImapBridge,
            settings=settings,
            tree=parts.trees[settings.id],
            connect=parts.connect,
            open_engine=parts.open_engine,
        )
    else:
        from daemon.service.pop3_bridge import Pop3Bridge  # noqa: PLC0415 - see `pop3_means`

        make_bridge = partial(
            Pop3Bridge,
            settings=settings,
            means=parts.pop3,
            next_wake_at=lambda: schedule.next_run_of(settings.id),
        )
    return AccountRunner(
        settings=settings,
        store=parts.store,
        tree=parts.trees[settings.id],
        make_bridge=make_bridge,
        read_password=parts.read_password,
        gate=gate,
        jobs=jobs,
        announce=outbox.put,
        clock=parts.clock,
        pace=parts.pace if isinstance(settings, ImapSettings) else _pace_of_polls(parts.pace, settings),
        random=parts.random,
        pause_schedule=lambda is_paused: schedule.set_paused(settings.id, is_paused=is_paused),
        log=parts.log.bind(account=settings.id),
    )


def _pace_of_polls(pace: Pace, settings: Pop3Settings) -> Pace:
    """Each poll is a login: as many as are asked for may be made."""
    return replace(
        pace,
        pass_interval_seconds=settings.poll_interval_seconds,
        login_refill_seconds=min(pace.login_refill_seconds, settings.poll_interval_seconds),
    )
