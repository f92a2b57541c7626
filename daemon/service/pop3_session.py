"""A POP3 account's rounds: log in, fetch, QUIT, hang up, and wait for the next time.

A session is used once and goes round until an error or cancellation ends it. Between polls there is no line: what
happens in the tree meanwhile is brought into the index at once, and nothing of it ever reaches the server. LOGIN-DELAY
is obeyed whoever asks (RFC 2449 §6.5).
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
from daemon.service.bridge import Shared
from daemon.service.login import Login
from daemon.service.states import AccountEvent
from daemon.service.telling import PassTelling
from daemon.service.wakes import WakeReason
from daemon.sync.pop3_pass import Pop3Sync

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
        next_poll_at: Callable[[], float | None],
    ) -> None:
        """`next_poll_at` is when the schedule will wake the account, in seconds since 1970, UTC."""
        self._settings = settings
        self._account = settings.id
        self._engine = engine
        self._login = login
        self._next_poll_at = next_poll_at
        self._local_watch = shared.local_watch
        self._standing = shared.standing
        self._wakes = shared.wakes
        self._jobs = shared.jobs
        self._pulse = shared.pulse
        self._clock = shared.clock
        self._pace = shared.pace
        self._began_at: float | None = None
        self._login_not_before = float("-inf")
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
        await self._poll()
        while True:
            reasons = await self._wait()
            if reasons & _POLLING_REASONS:
                await self._poll()
            else:
                await self._follow()

    def note_progress(self, progress: Progress) -> None:
        """The engine's sign of life."""
        self._pulse.beat()
        self._telling.note_progress(progress)

    async def _poll(self) -> None:
        job = self._jobs.begin(self._account, JobKind.SYNC)
        started = self._clock.monotonic()
        self._telling.begin()
        try:
            await self._local_watch.ensure()
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
        await self._wait_for_login_delay()
        client = await self._login.log_in()
        try:
            now = self._clock.monotonic()
            self._began_at = now if self._began_at is None else self._began_at
            delay = client.caps.login_delay
            self._login_not_before = now + (delay.seconds if delay is not None else 0)
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

    async def _wait_for_login_delay(self) -> None:
        left = self._login_not_before - self._clock.monotonic()
        if left > 0.0:
            self._pulse.expect(left + self._pace.watch_grace_seconds)
            await asyncio.sleep(left)

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

    async def _wait(self) -> frozenset[WakeReason]:
        """Why to look next; a schedule that fell silent is made up for after twice its time."""
        patience = 2 * self._settings.poll_interval_seconds
        self._pulse.expect(patience + self._pace.watch_grace_seconds)
        woken = asyncio.Event()
        with self._wakes.ringing(woken.set), suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await woken.wait()
        agenda = self._wakes.take()
        if agenda.is_distrustful:
            self._engine.note_local_change()
        return frozenset({WakeReason.SCHEDULE}) if agenda.is_empty else agenda.reasons

    def _show(self) -> None:
        """`polling`, with the time of the next poll, and what that will remove on the server if it has to be said."""
        local = self._local_watch.report
        reason, detail, remedy = local.reason, local.detail, local.remedy
        announced = self._engine.announced_count
        if announced:
            reason = "removal_announced"
            detail = f"the next poll removes {announced} messages on the server, which are stored here"
            remedy = "pause the account or set leave_on_server = true if that is not what you want"
        self._standing.apply(
            AccountEvent.POLLING, reason=reason, detail=detail, remedy=remedy, retry_at=self._next_poll_at()
        )
