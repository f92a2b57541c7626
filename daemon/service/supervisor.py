"""The supervisor: one watched task for each account, and what has to go on whatever happens to any of them.

The only place that catches `Exception`. An account that fails by our own fault is logged, shown and run again after a
wait; one that gives no sign of life is cancelled and run again; the others notice neither.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.ids import AccountId
from daemon.service.backoff import Backoff
from daemon.service.outbox import Outbox
from daemon.service.pace import Pace
from daemon.service.runner import Runner
from daemon.service.schedule import Schedule
from daemon.service.wakes import WakeReason


class Supervisor:
    """Owns every task of the service. `start` once, `stop` once."""

    def __init__(
        self,
        *,
        runners: Sequence[Runner],
        outbox: Outbox,
        schedule: Schedule,
        clock: Clock,
        pace: Pace,
        random: Callable[[], float],
        log: FilteringBoundLogger,
    ) -> None:
        self._runners: Mapping[AccountId, Runner] = {runner.account: runner for runner in runners}
        self._outbox = outbox
        self._schedule = schedule
        self._clock = clock
        self._pace = pace
        self._random = random
        self._log = log
        self._lives: dict[AccountId, asyncio.Task[None]] = {}
        self._chores: list[asyncio.Task[None]] = []
        self._is_running = False
        self._ticked_at = clock.monotonic()
        self._wall_offset = clock.now() - clock.monotonic()

    @property
    def is_running(self) -> bool:
        """Whether every account has its task."""
        return self._is_running and not any(task.done() for task in self._lives.values())

    @property
    def last_tick(self) -> float:
        """Monotonic time of the last look at all accounts; the watchdog's evidence that this loop is alive."""
        return self._ticked_at

    async def start(self) -> None:
        """Start all tasks and the schedule; returns before any account has connected."""
        self._schedule.start()
        self._chores = [
            self._spawn("outbox", self._keep("outbox", self._outbox.run)),
            self._spawn("ticker", self._keep("ticker", self._tick)),
        ]
        self._spread_polls()
        for account, runner in self._runners.items():
            wake = partial(runner.wake, WakeReason.SCHEDULE)
            self._schedule.add_pass(account, runner.pass_interval_seconds, wake)
            self._lives[account] = self._live(runner)
        self._is_running = True
        self._log.info("supervisor.started", accounts=len(self._runners))

    async def stop(self) -> None:
        """End everything within `pace.stop_seconds`; what does not end by then is left behind and said so."""
        self._is_running = False
        self._schedule.stop()
        late = await _end(self._lives.values(), self._pace.stop_seconds)
        for task in late:
            self._log.error("task.left_behind", task=task.get_name())
        try:
            async with asyncio.timeout(0.5):
                await self._outbox.drain()
        except TimeoutError:
            self._log.warning("events.dropped")
        await _end(self._chores, 0.5)
        self._log.info("supervisor.stopped")

    def _spread_polls(self) -> None:
        """Accounts that come and go begin one after the other: the gate counts logins, not the polls that follow.

        One account alone, and whoever is asked for by a person, begins at once.
        """
        polling = [runner for runner in self._runners.values() if runner.is_polling]
        for place, runner in enumerate(polling):
            runner.hold_back(place / len(polling) * self._spread_seconds(len(polling)))

    # -- accounts ----------------------------------------------------------------------------------------------

    def _live(self, runner: Runner) -> asyncio.Task[None]:
        return self._spawn(f"account:{runner.account}", self._keep_account(runner))

    async def _keep_account(self, runner: Runner) -> None:
        """Run an account for ever, whatever it throws."""
        backoff = self._restart_backoff()
        while True:
            started = self._clock.monotonic()
            try:
                await runner.run()
            except Exception as exc:  # noqa: BLE001 - the supervisor is the one place for it
                if self._clock.monotonic() - started >= self._pace.settled_after_seconds:
                    backoff.reset()
                delay = max(0.1, backoff.next_delay())
                self._log.exception(
                    "account.crashed", account=runner.account, retry_in_seconds=round(delay, 1)
                )
                runner.note_crash(exc, self._clock.now() + delay)
                await asyncio.sleep(delay)

    async def _restart_stuck(self, runner: Runner) -> None:
        self._log.error("account.stuck", account=runner.account, state=runner.status.state.value)
        if await _end([self._lives[runner.account]], self._pace.stop_seconds):
            # Two tasks on one tree would be worse than one that hangs; the next tick tries again.
            self._log.error("account.does_not_end", account=runner.account)
            return
        runner.note_crash(TimeoutError("no sign of life"), self._clock.now())
        self._lives[runner.account] = self._live(runner)

    # -- chores ------------------------------------------------------------------------------------------------

    async def _keep(self, name: str, chore: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run a chore for ever, whatever it throws."""
        backoff = self._restart_backoff()
        while True:
            try:
                await chore()
            except Exception:  # noqa: BLE001 - as above
                self._log.exception("chore.crashed", chore=name)
                await asyncio.sleep(max(0.1, backoff.next_delay()))

    async def _tick(self) -> None:
        """Look at the clock and at every account, now and then."""
        while True:
            self._look_at_clock()
            stuck = [runner for runner in self._runners.values() if runner.is_stuck()]
            await asyncio.gather(*(self._restart_stuck(runner) for runner in stuck))
            self._ticked_at = self._clock.monotonic()
            await asyncio.sleep(self._pace.tick_seconds)

    def _look_at_clock(self) -> None:
        """A wall clock that ran away from the steady one means that the machine slept (N14), or was set.

        Linux stops CLOCK_MONOTONIC during a suspend. Lines are as good as dead then; a clock that was merely set
        costs one new login. The schedule goes by the wall: set back by hours, its runs would lie hours ahead.
        """
        offset = self._clock.now() - self._clock.monotonic()
        jump = offset - self._wall_offset
        self._wall_offset = offset
        if abs(jump) < self._pace.clock_jump_seconds:
            return
        self._schedule.start_over()
        spread = self._spread_seconds(len(self._runners))
        self._log.warning("clock.jumped", seconds=round(jump), accounts=len(self._runners))
        for runner in self._runners.values():
            runner.note_clock_jump(spread)

    def _spread_seconds(self, count: int) -> float:
        return min(self._pace.spread_cap_seconds, self._pace.spread_per_account_seconds * count)

    def _spawn(self, name: str, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        return asyncio.create_task(work, name=name)

    def _restart_backoff(self) -> Backoff:
        return Backoff(
            first_seconds=self._pace.restart_first_seconds,
            cap_seconds=self._pace.restart_cap_seconds,
            random=self._random,
        )


async def _end(tasks: Iterable[asyncio.Task[None]], seconds: float) -> set[asyncio.Task[None]]:
    """Cancel all tasks and wait; those that have not ended after `seconds`."""
    waiting = list(tasks)
    for task in waiting:
        task.cancel()
    if not waiting:
        return set()
    _, late = await asyncio.wait(waiting, timeout=seconds)
    return late
