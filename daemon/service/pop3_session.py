"""A POP3 account's rounds: log in, fetch, QUIT, hang up, and wait for the next time.

A session is used once and goes round until an error or cancellation ends it. Between polls there is no line: what
happens in the tree meanwhile is brought into the index at once, and nothing of it ever reaches the server. A poll that
has to wait, for LOGIN-DELAY or because a person asked too often, holds up nothing but itself.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from daemon.model.errors import ConnectionLost, MailError
from daemon.model.jobs import JobId, JobKind
from daemon.model.passes import PassResult, Progress
from daemon.model.settings import Pop3Settings
from daemon.model.states import AccountState
from daemon.net.pop3.client import Pop3Client
from daemon.service import pop3_hints
from daemon.service.backoff import TokenBucket
from daemon.service.bridge import Shared
from daemon.service.login import Login
from daemon.service.login_delay import LoginDelay
from daemon.service.states import AccountEvent
from daemon.service.telling import PassTelling
from daemon.service.wakes import Agenda, WakeReason
from daemon.sync.pop3_pass import Pop3Sync
from daemon.wire.pop3.capabilities import Expire

_POLLING_REASONS: Final = frozenset({WakeReason.SCHEDULE, WakeReason.REQUEST})


class Pop3Session:
    """Poll after poll."""

    def __init__(
        self,
        shared: Shared,
        *,
        settings: Pop3Settings,
        engine: Pop3Sync,
        login: Login[Pop3Client],
        delay: LoginDelay,
        allowance: TokenBucket,
        next_wake_at: Callable[[], float | None],
    ) -> None:
        """`delay` and `allowance` say when a login is allowed; both outlive the session.

        `next_wake_at` is when the schedule will wake the account, in seconds since 1970, UTC.
        """
        self._settings = settings
        self._account = settings.id
        self._engine = engine
        self._login = login
        self._delay = delay
        self._allowance = allowance
        self._next_wake_at = next_wake_at
        self._local_watch = shared.local_watch
        self._standing = shared.standing
        self._wakes = shared.wakes
        self._jobs = shared.jobs
        self._pulse = shared.pulse
        self._clock = shared.clock
        self._pace = shared.pace
        self._log = shared.log
        self._began_at: float | None = None
        self._expire: Expire | None = None
        self._is_tree_known = False
        self._telling = PassTelling(
            account=settings.id,
            standing=shared.standing,
            announce=shared.announce,
            clock=shared.clock,
            pause_seconds=shared.pace.progress_event_seconds,
            is_one_way=True,
            log=shared.log,
        )
        self.broken_job: JobId | None = None
        """The job whose poll ended this session by an error; the owner ends it when the state is known."""

        self.is_line_dead = False
        """Set by the owner before cancelling when no farewell can arrive any more."""

    @property
    def life_seconds(self) -> float:
        """How long it has gone well, counted from the first login."""
        return 0.0 if self._began_at is None else self._clock.monotonic() - self._began_at

    @property
    def is_connected(self) -> bool:
        """Whether the account can be reached, as of its last poll: there is no line in between."""
        return self._began_at is not None

    async def run(self) -> None:
        """Go round until an error; never returns.

        Raises:
            MailError: Why it ended.
        Cancellation:
            Safe. A poll under way is dropped: nothing that was marked on the server is deleted.
        """
        self._wakes.take()
        await self._delay.load()
        await self._poll_when_allowed()
        while True:
            # A schedule that fell silent is made up for after twice its time.
            agenda = await self._wait(2 * self._settings.poll_interval_seconds)
            if agenda.is_empty or agenda.reasons & _POLLING_REASONS:
                await self._poll_when_allowed()
            else:
                await self._follow()

    def note_progress(self, progress: Progress) -> None:
        """The engine's sign of life."""
        self._pulse.beat()
        self._telling.note_progress(progress)

    async def _poll_when_allowed(self) -> None:
        """A poll, once the server and the allowance let us log in; what happens in the tree is not kept waiting."""
        while (left := self._seconds_left()) > 0.0:
            self._show_wait(left)
            await self._watch_tree()
            await self._follow()
            await self._wait(left)
        await self._poll()

    def _seconds_left(self) -> float:
        return max(self._delay.wait_seconds(), self._allowance.wait_seconds())

    async def _poll(self) -> None:
        job = self._jobs.begin(self._account, JobKind.SYNC)
        started = self._clock.monotonic()
        self._telling.begin()
        try:
            await self._watch_tree()
            result = await self._one_poll()
            await self._local_watch.refresh()
        except MailError as exc:
            self.broken_job = job
            self._telling.note_failed(exc)
            raise
        except BaseException:
            self._jobs.fail(job, ConnectionLost("the poll was interrupted", reason="interrupted"))
            raise
        finally:
            self._telling.end()
        self._jobs.finish(job, result)
        self._standing.note_sync()
        self._telling.note_result(result, self._clock.monotonic() - started)
        self._show()
        await self._engine.note_shown()

    async def _one_poll(self) -> PassResult:
        client = await self._login.log_in()
        try:
            self._allowance.take()
            delay = client.caps.login_delay
            await self._delay.note_login(None if delay is None else delay.seconds)
            self._note_expire(client.caps.expire)
            if self._began_at is None:
                self._began_at = self._clock.monotonic()
            if self._standing.state is not AccountState.POLLING:
                self._standing.apply(AccountEvent.LOGGED_IN)
            for kind in (JobKind.RESUME, JobKind.RECONNECT):
                self._jobs.finish(self._jobs.begin(self._account, kind))
            self._pulse.expect(
                self._pace.pass_silence_seconds, lambda: client.bytes_received + client.bytes_sent
            )
            return await self._engine.run_pass(client)
        finally:
            client.abort()  # after QUIT there is nothing left to drop

    async def _watch_tree(self) -> None:
        """Have what happens in the tree told, also where the first login fails."""
        await self._local_watch.ensure()
        if not self._is_tree_known:
            await self._local_watch.refresh()
            self._is_tree_known = True

    def _note_expire(self, expire: Expire | None) -> None:
        if expire != self._expire and pop3_hints.of_expiry(expire, self._settings.leave_on_server).reason:
            self._log.warning("maildrop.expires", days=None if expire is None else expire.days)
        self._expire = expire

    async def follow_wakes(self) -> None:
        """Bring into the index what woke the account, without a line.

        Raises:
            MailError: Something is wrong here.
        """
        self._heed(self._wakes.take())
        await self._follow()

    async def _follow(self) -> None:
        """Bring into the index what happened in the tree."""
        self._pulse.expect(self._pace.pass_silence_seconds)
        self._telling.begin()
        try:
            result = await self._engine.follow_tree()
        finally:
            self._telling.end()
        if not result.is_quiet:
            await self._local_watch.refresh()
        self._telling.note_result(result, 0.0)

    async def _wait(self, seconds: float) -> Agenda:
        """What has gathered when somebody wakes us; nothing after so many seconds."""
        self._pulse.expect(seconds + self._pace.watch_grace_seconds)
        woken = asyncio.Event()
        with self._wakes.ringing(woken.set), suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await woken.wait()
        agenda = self._wakes.take()
        self._heed(agenda)
        return agenda

    def _heed(self, agenda: Agenda) -> None:
        if agenda.is_distrustful and not self._local_watch.is_watching:  # else whatever changed was heard
            self._engine.note_local_change()

    def _show(self) -> None:
        """`polling`, with the time of the next poll, and what there is to know."""
        wake_at = self._next_wake_at()
        left = self._seconds_left()
        allowed_at = self._clock.now() + left if left > 0.0 else None
        times = [at for at in (wake_at, allowed_at) if at is not None]
        self._show_polling(max(times, default=None))

    def _show_wait(self, left: float) -> None:
        """The next poll is due and comes as soon as it is allowed; whatever else is shown stays true."""
        retry_at = self._clock.now() + left
        if self._standing.state is AccountState.POLLING:
            self._show_polling(retry_at)
        elif self._standing.state is AccountState.STARTING and self._delay.wait_seconds() > 0.0:
            hint = pop3_hints.of_wait(self._delay.asked_seconds)
            self._standing.apply(
                AccountEvent.THROTTLED,
                reason=hint.reason,
                detail=hint.detail,
                remedy=hint.remedy,
                retry_at=retry_at,
            )
        else:
            self._standing.note_retry(retry_at)

    def _show_polling(self, retry_at: float | None) -> None:
        local = self._local_watch.report
        hint = pop3_hints.joined(
            pop3_hints.of_announced(self._engine.announced_count),
            pop3_hints.Hint(reason=local.reason, detail=local.detail, remedy=local.remedy),
            pop3_hints.of_expiry(self._expire, self._settings.leave_on_server),
            pop3_hints.of_delay(self._delay.asked_seconds, self._settings.poll_interval_seconds),
        )
        self._standing.apply(
            AccountEvent.POLLING,
            reason=hint.reason,
            detail=hint.detail,
            remedy=hint.remedy,
            retry_at=retry_at,
        )
