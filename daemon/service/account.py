"""An account's life: one session after another, with the right wait in between.

Owns what outlives a connection: the engine, the wakes, the waiting times, the refused logins, whether it is paused.
Every error of a session ends here and becomes a state with a reason and a time of retry; our own faults go up.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import LocalProtocolError, MailError, StoreError
from daemon.model.ids import AccountId, MailboxName
from daemon.model.jobs import Job, JobKind
from daemon.model.passes import Progress
from daemon.model.settings import ImapSettings, Pop3Settings
from daemon.model.states import AccountState, AccountStatus, WatchMode
from daemon.service.bridge import Bridge, Session, Shared
from daemon.service.gate import Gate
from daemon.service.jobs import JobBook
from daemon.service.local_watch import LocalWatch
from daemon.service.login import ReadPassword
from daemon.service.login_guard import LoginGuard
from daemon.service.pace import Pace
from daemon.service.pulse import Pulse
from daemon.service.standing import Announce, Standing
from daemon.service.states import AccountEvent
from daemon.service.verdicts import LoginSpent, Wait, verdict_on
from daemon.service.waits import Waits
from daemon.service.wakes import WakeReason, Wakes
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.guard import HeldDeletions

_PAUSED_KEY: Final = "account.paused"
_WAITING_KINDS: Final = (JobKind.SYNC, JobKind.RESUME, JobKind.RECONNECT)
_CUT_SHORT_BY_SYNC: Final = frozenset(
    {AccountState.STARTING, AccountState.OFFLINE, AccountState.ERROR, AccountState.HELD}
)


class AccountRunner:
    """Runs one account over the bridge that `make_bridge` gives; implements `runner.Runner`. The loop's thread only."""

    def __init__(
        self,
        *,
        settings: ImapSettings | Pop3Settings,
        store: Store,
        tree: MaildirTree,
        make_bridge: Callable[[Shared], Bridge],
        read_password: ReadPassword,
        gate: Gate,
        jobs: JobBook,
        announce: Announce,
        clock: Clock,
        pace: Pace,
        random: Callable[[], float],
        pause_schedule: Callable[[bool], None],
        log: FilteringBoundLogger,
    ) -> None:
        """`pause_schedule` lets the account's jobs rest (True) or run (False); asking twice changes nothing."""
        self._settings = settings
        self._store = store
        self._jobs = jobs
        self._clock = clock
        self._pace = pace
        self._random = random
        self._pause_schedule = pause_schedule
        self._log = log
        self._standing = Standing(
            account=settings.id, protocol=settings.protocol, clock=clock, log=log, announce=announce
        )
        self._wakes = Wakes()
        self._local_watch = LocalWatch(
            settings=settings, store=store, tree=tree, wakes=self._wakes, clock=clock, log=log
        )
        self._pulse = Pulse(clock)
        self._guard = LoginGuard(store=store, account=settings.id, clock=clock, attempts=pace.login_attempts)
        self._waits = Waits(pace=pace, clock=clock, random=random)
        self._bridge = make_bridge(
            Shared(
                store=store,
                standing=self._standing,
                wakes=self._wakes,
                jobs=jobs,
                pulse=self._pulse,
                local_watch=self._local_watch,
                guard=self._guard,
                bucket=self._waits.bucket,
                gate=gate,
                read_password=read_password,
                announce=announce,
                clock=clock,
                pace=pace,
                log=log,
            )
        )
        self._session: Session | None = None
        self._task: asyncio.Task[None] | None = None
        self._attention = asyncio.Event()
        self._is_paused: bool | None = None  # not known before the store was asked
        self._not_before = 0.0
        self._tried_at = float("-inf")

    # -- what others see ---------------------------------------------------------------------------------------

    @property
    def pass_interval_seconds(self) -> float:
        return self._pace.pass_interval_seconds

    @property
    def operation_scope(self) -> str:
        return self._bridge.operation_scope

    @property
    def is_polling(self) -> bool:
        return self._bridge.is_polling

    @property
    def account(self) -> AccountId:
        return self._settings.id

    @property
    def status(self) -> AccountStatus:
        return self._standing.status

    @property
    def is_connected(self) -> bool:
        return self._session is not None and self._session.is_connected

    def watch_of(self, mailbox: MailboxName) -> WatchMode:
        return self._bridge.mode_of(mailbox)

    def lag_of(self, mailbox: MailboxName) -> float | None:
        return self._bridge.lag_of(mailbox)

    def is_stuck(self) -> bool:
        return self._pulse.is_overdue()

    def wake(self, reason: WakeReason, mailbox: MailboxName | None = None) -> None:
        self._wakes.wake(reason, mailbox)

    def hold_back(self, seconds: float) -> None:
        self._not_before = max(self._not_before, self._clock.monotonic() + seconds)

    def note_crash(self, error: Exception, retry_at: float) -> None:
        fault: MailError
        if isinstance(error, TimeoutError):
            fault = MailError("the account gave no sign of life and was restarted", reason="stuck")
        else:
            words = f"the account stopped by a fault of this program ({type(error).__name__})"
            remedy = "it is tried again; the log has the details, please report them"
            fault = LocalProtocolError(words, remedy=remedy)
        self._standing.apply(
            AccountEvent.CRASHED,
            reason=fault.reason,
            detail=str(fault),
            remedy=fault.remedy,
            retry_at=retry_at,
        )
        self._fail_waiting(fault)

    def note_clock_jump(self, spread_seconds: float) -> None:
        if self._is_paused or self._standing.state is AccountState.AUTH_FAILED:
            return
        self._not_before = self._clock.monotonic() + self._random() * spread_seconds
        if self._session is not None:
            self._session.is_line_dead = True
            self._standing.apply(AccountEvent.RESTARTED)
        self._interrupt()

    # -- what a person asks for --------------------------------------------------------------------------------

    def request_sync(self) -> Job:
        """A job for a pass over everything. Fails at once where only a person or time can help."""
        job = self._jobs.open(self.account, JobKind.SYNC)
        status = self._standing.status
        if self._is_paused:
            refusal = MailError("the account is paused", reason="paused")
        elif status.state in {AccountState.THROTTLED, AccountState.AUTH_FAILED}:
            refusal = MailError(status.detail or status.state.value, reason=status.reason)
        else:
            self._wakes.wake(WakeReason.REQUEST)
            if self._session is None and status.state in _CUT_SHORT_BY_SYNC:
                # A client that asks in a loop must not turn the waiting time into nothing.
                self._not_before = min(self._not_before, self._tried_at + self._pace.retry_first_seconds)
                self._attention.set()
            return job
        self._jobs.fail_waiting(self.account, JobKind.SYNC, refusal)
        return self._jobs.get(job.id)

    async def pause(self) -> Job:
        """Let go of the server and stay so, over restarts too."""
        await self._store.facts.set(self.account, _PAUSED_KEY, "1")
        job = self._jobs.open(self.account, JobKind.PAUSE)
        self._is_paused = True
        self._interrupt()
        return job

    async def resume(self) -> Job:
        """Go on, with refused logins forgotten."""
        await self._store.facts.set(self.account, _PAUSED_KEY, None)
        job = self._jobs.open(self.account, JobKind.RESUME)
        self._is_paused = False
        if self.is_connected:
            self._jobs.finish(self._jobs.begin(self.account, JobKind.RESUME))
            return self._jobs.get(job.id)
        await self._start_over()
        return job

    async def reconnect(self) -> Job:
        """Drop the line, forget refused logins and waiting times, connect at once."""
        job = self._jobs.open(self.account, JobKind.RECONNECT)
        if self._is_paused:
            refusal = MailError("the account is paused", reason="paused", remedy="resume it")
            self._jobs.fail_waiting(self.account, JobKind.RECONNECT, refusal)
            return self._jobs.get(job.id)
        await self._start_over()
        return job

    @property
    def held(self) -> Mapping[MailboxName, HeldDeletions]:
        """Deletions that wait for a person, as of the last pass."""
        return self._bridge.held

    async def approve(self, mailbox: MailboxName) -> Job:
        """Let the held deletions of a mailbox go on, in a pass at once."""
        await self._bridge.approve(mailbox)
        return self.request_sync()

    async def _start_over(self) -> None:
        await self._guard.forget_refusals()
        await self._guard.keep_throttle(None)
        self._waits.start_over()
        self._bridge.forget_doubts()
        self._not_before = 0.0
        self._standing.apply(AccountEvent.RESTARTED)
        self._interrupt()

    def _interrupt(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._attention.set()

    # -- the life ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the account in step until cancelled.

        Raises:
            LocalProtocolError: Our own fault; may be run again.
        """
        self._bridge.drop_engine()  # after a crash its memory is not to be trusted
        stored = await self._store.facts.get(self.account, _PAUSED_KEY)
        if self._is_paused is None:  # else somebody has decided meanwhile, or before a crash
            self._is_paused = stored is not None
        if self._standing.state is AccountState.ERROR and not self._is_paused:
            self._standing.apply(AccountEvent.RESTARTED)
        try:
            while True:
                self._attention.clear()
                self._pause_schedule(bool(self._is_paused))
                if self._is_paused:
                    await self._rest()
                elif await self._is_time():
                    await self._attempt()
        finally:
            await self._local_watch.stop()

    async def _rest(self) -> None:
        self._pulse.rest()
        await self._local_watch.stop()
        self._standing.apply(AccountEvent.PAUSED)
        self._jobs.finish(self._jobs.begin(self.account, JobKind.PAUSE))
        self._fail_waiting(MailError("the account is paused", reason="paused"))
        await self._attention.wait()

    async def _is_time(self) -> bool:
        """True when the next attempt is due; False when something came first: a person's wish, or work that is ours alone."""
        self._pulse.rest()
        patience = await self._guard.throttled_seconds(self._pace.throttle_cap_seconds)
        if patience > 0.0:
            self._not_before = max(self._not_before, self._clock.monotonic() + patience)
            if self._standing.state is not AccountState.THROTTLED:
                self._standing.apply(
                    AccountEvent.THROTTLED,
                    reason="throttled",
                    detail="the server asked for patience before this start",
                    retry_at=self._clock.now() + patience,
                )
        is_one_way = self._bridge.operation_scope == "local"  # then what happens here needs no server
        while (left := self._seconds_left()) > 0.0:
            ringing = self._wakes.ringing(self._attention.set) if is_one_way else nullcontext()
            try:
                with ringing:
                    async with asyncio.timeout(left):
                        await self._attention.wait()
            except TimeoutError:
                continue
            if is_one_way:
                await self._follow()
            return False
        return True

    async def _follow(self) -> None:
        try:
            await self._bridge.follow()
        except MailError as exc:  # the next attempt meets it again, and ends in a state that says so
            self._log.info("tree.not_followed", reason=exc.reason)

    def _seconds_left(self) -> float:
        return max(self._not_before - self._clock.monotonic(), self._waits.bucket.wait_seconds())

    async def _attempt(self) -> None:
        """One session, to its end."""
        self._tried_at = self._clock.monotonic()
        session = None
        try:
            await self._bridge.recover(self._note_progress)
            if self._attention.is_set():  # a wish that came meanwhile found no session to end
                return
            session = self._bridge.new_session()
            await self._run_session(session)
        except LocalProtocolError as exc:
            self._jobs.fail(session.broken_job if session is not None else None, exc)
            raise
        except MailError as exc:
            await self._settle(exc)
            self._jobs.fail(session.broken_job if session is not None else None, exc)
            self._fail_waiting(exc)

    async def _run_session(self, session: Session) -> None:
        """Run it as a task of its own, so that a person's wish can end it and leave us running."""
        self._session = session
        self._task = asyncio.create_task(session.run(), name=f"session:{self.account}")
        try:
            await self._task
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            self._log.debug("session.interrupted")
        except MailError:
            if not _is_cancelled():  # else it ended by an error of its own at that very moment
                raise
        finally:
            self._waits.note_life(session.life_seconds)
            self._session = self._task = None
        if _is_cancelled():
            raise asyncio.CancelledError

    def _note_progress(self, progress: Progress) -> None:
        if self._session is None:
            self._pulse.beat()
        else:
            self._session.note_progress(progress)

    # -- after an error ----------------------------------------------------------------------------------------

    async def _settle(self, error: MailError) -> None:
        verdict = verdict_on(error)
        delay = self._waits.delay_after(verdict)
        now = self._clock.now()
        pauses = (delay, self._waits.bucket.wait_seconds(), self._bridge.login_wait_seconds())
        if verdict.wait is Wait.THROTTLE:
            with suppress(StoreError):  # a full disk must not turn patience into a crash
                await self._guard.keep_throttle(now + delay)
        self._not_before = self._clock.monotonic() + delay
        is_final = isinstance(error, LoginSpent)
        self._standing.apply(
            verdict.event,
            reason=verdict.reason,
            detail=verdict.detail,
            remedy=verdict.remedy,
            retry_at=None if is_final else now + max(pauses),
        )

    def _fail_waiting(self, error: MailError) -> None:
        for kind in _WAITING_KINDS:
            self._jobs.fail_waiting(self.account, kind, error)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
