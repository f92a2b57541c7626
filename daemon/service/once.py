"""One pass for each account and no more: what `mailsyncd sync` does when no service runs.

Accounts run side by side and fail each for itself. No IDLE, no schedule, no state events: when it returns, it is over.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import LocalProtocolError, MailError, Throttled
from daemon.model.ids import AccountId
from daemon.model.passes import PassResult, Progress
from daemon.model.settings import ImapSettings, Pop3Settings
from daemon.net.imap.client import ImapClient
from daemon.service.backoff import TokenBucket
from daemon.service.gate import Gate
from daemon.service.login import Connect, LineT, Login, ReadPassword
from daemon.service.login_delay import LoginDelay
from daemon.service.login_guard import LoginGuard
from daemon.service.pace import Pace
from daemon.service.pop3_means import Pop3Means
from daemon.service.pulse import Pulse
from daemon.service.quiescence import OnProgress, OpenEngine, run_to_quiescence
from daemon.store.store import Store

OnHint = Callable[[AccountId, str], None]
"""Keeps, for a person to see, what is to be known of an account although its pass went well."""


def hint_nothing(account: AccountId, hint: str) -> None:
    """For callers with nobody to tell."""


def show_nothing(progress: Progress) -> None:
    """For callers that do not care how far it is."""


class OneShot:
    """Syncs accounts once; what they share is given at the start."""

    def __init__(
        self,
        *,
        store: Store,
        connect: Connect[ImapClient],
        open_engine: OpenEngine,
        pop3: Pop3Means,
        read_password: ReadPassword,
        clock: Clock,
        log: FilteringBoundLogger,
        pace: Pace | None = None,
        on_progress: OnProgress = show_nothing,
        on_hint: OnHint = hint_nothing,
    ) -> None:
        self._store = store
        self._connect = connect
        self._open_engine = open_engine
        self._pop3 = pop3
        self._read_password = read_password
        self._clock = clock
        self._log = log
        self._pace = pace or Pace()
        self._on_progress = on_progress
        self._on_hint = on_hint
        self._gate = Gate(
            at_once=self._pace.handshakes_at_once, turn_seconds=self._pace.handshake_turn_seconds
        )

    async def run(
        self, accounts: Sequence[ImapSettings | Pop3Settings]
    ) -> Mapping[AccountId, PassResult | MailError]:
        """What each account did, or why it could not; an error of one is never raised.

        Cancellation:
            Ends all of them; what was done so far stays done.
        """
        async with asyncio.TaskGroup() as group:
            tasks = {
                settings.id: group.create_task(self._sync(settings), name=f"sync:{settings.id}")
                for settings in accounts
            }
        return {account: task.result() for account, task in tasks.items()}

    async def _sync(self, settings: ImapSettings | Pop3Settings) -> PassResult | MailError:
        log = self._log.bind(account=settings.id)
        try:
            return await self._sync_patiently(settings, log)
        except MailError as exc:
            log.warning("account.failed", reason=exc.reason)
            return exc
        except Exception as exc:  # this is the supervisor of a single pass: the others go on
            log.exception("account.crashed")
            fault = LocalProtocolError(
                f"a fault of this program ({type(exc).__name__}); the log has the details"
            )
            fault.__cause__ = exc
            return fault

    async def _sync_patiently(
        self, settings: ImapSettings | Pop3Settings, log: FilteringBoundLogger
    ) -> PassResult:
        guard = LoginGuard(
            store=self._store, account=settings.id, clock=self._clock, attempts=self._pace.login_attempts
        )
        delay = self._delay_of(settings)
        await delay.load()
        throttled = await guard.throttled_seconds(self._pace.throttle_cap_seconds)
        patience = max(throttled, delay.wait_seconds())
        if patience > 0.0:
            raise Throttled(
                f"the server asked for patience; {patience:.0f} seconds are left",
                status="NO",
                retry_after_seconds=patience,
            )
        try:
            return await self._pass_over(settings, guard, log)
        except Throttled as exc:
            asked = exc.retry_after_seconds or self._pace.throttle_first_seconds
            await guard.keep_throttle(self._clock.now() + min(asked, self._pace.throttle_cap_seconds))
            raise

    async def _pass_over(
        self, settings: ImapSettings | Pop3Settings, guard: LoginGuard, log: FilteringBoundLogger
    ) -> PassResult:
        if isinstance(settings, Pop3Settings):
            return await self._poll(settings, guard, log)
        engine = self._open_engine(settings, self._on_progress)
        await engine.recover()
        client = await self._login(settings, self._connect, guard, log).log_in()
        try:
            return await run_to_quiescence(engine, client, passes_limit=self._pace.passes_limit)
        finally:
            await client.logout()

    async def _poll(self, settings: Pop3Settings, guard: LoginGuard, log: FilteringBoundLogger) -> PassResult:
        engine = self._pop3.open_engine(settings, self._on_progress)
        await engine.recover()
        client = await self._login(settings, self._pop3.connect, guard, log).log_in()
        try:
            asked = client.caps.login_delay
            await self._delay_of(settings).note_login(None if asked is None else asked.seconds)
            result = await engine.run_pass(client)
        finally:
            client.abort()  # after QUIT there is nothing left to drop
        if engine.announced_count:
            # Late: without such an account nothing of POP3 is loaded.
            from daemon.service import pop3_hints  # noqa: PLC0415

            hint = pop3_hints.of_announced(engine.announced_count)
            self._on_hint(settings.id, f"{hint.detail}; {hint.remedy}")
            await engine.note_shown()
        return result

    def _delay_of(self, settings: ImapSettings | Pop3Settings) -> LoginDelay:
        return LoginDelay(store=self._store, account=settings.id, clock=self._clock)

    def _login(
        self,
        settings: ImapSettings | Pop3Settings,
        connect: Connect[LineT],
        guard: LoginGuard,
        log: FilteringBoundLogger,
    ) -> Login[LineT]:
        pace = self._pace
        return Login(
            settings=settings,
            connect=connect,
            read_password=self._read_password,
            guard=guard,
            bucket=TokenBucket(
                burst=pace.login_burst, refill_seconds=pace.login_refill_seconds, clock=self._clock
            ),
            gate=self._gate,
            pulse=Pulse(self._clock),
            deadline_seconds=pace.open_deadline_seconds,
            log=log,
        )


async def sync_once(
    accounts: Sequence[ImapSettings | Pop3Settings],
    *,
    store: Store,
    connect: Connect[ImapClient],
    open_engine: OpenEngine,
    pop3: Pop3Means,
    read_password: ReadPassword,
    clock: Clock,
    log: FilteringBoundLogger,
    pace: Pace | None = None,
    on_progress: OnProgress = show_nothing,
    on_hint: OnHint = hint_nothing,
) -> Mapping[AccountId, PassResult | MailError]:
    """What each account did in passes to quiescence, or why it could not, in the order given."""
    shot = OneShot(
        store=store,
        connect=connect,
        open_engine=open_engine,
        pop3=pop3,
        read_password=read_password,
        clock=clock,
        log=log,
        pace=pace,
        on_progress=on_progress,
        on_hint=on_hint,
    )
    return await shot.run(accounts)
