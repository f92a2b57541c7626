"""One connection's life: log in, bring everything in step, then watch and follow what changes.

A session is used once; when it ends, by an error or by cancellation, its line is gone. Only mailboxes with news are
looked at: `push.main_watch` says which. What the server says during a pass is kept by the line, and ends the next wait
at once.
"""

import asyncio
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import ConnectionLost, MailError
from daemon.model.jobs import JobId, JobKind
from daemon.model.passes import Progress
from daemon.model.settings import ImapSettings
from daemon.model.states import WatchMode
from daemon.net.imap.client import ImapClient
from daemon.service.jobs import JobBook
from daemon.service.local_watch import LocalWatch
from daemon.service.login import Login
from daemon.service.pace import Pace
from daemon.service.pulse import Pulse
from daemon.service.push.account_push import AccountPush
from daemon.service.push.main_watch import MainWatch
from daemon.service.quiescence import run_to_quiescence
from daemon.service.standing import Announce, Standing
from daemon.service.states import AccountEvent
from daemon.service.telling import PassTelling
from daemon.service.wakes import EVERYTHING, Agenda, Wakes
from daemon.sync.imap_pass import ImapSync


class ImapSession:
    """From login to the loss of the line."""

    def __init__(
        self,
        *,
        settings: ImapSettings,
        engine: ImapSync,
        login: Login[ImapClient],
        push: AccountPush,
        local_watch: LocalWatch,
        standing: Standing,
        wakes: Wakes,
        jobs: JobBook,
        pulse: Pulse,
        announce: Announce,
        clock: Clock,
        pace: Pace,
        log: FilteringBoundLogger,
    ) -> None:
        self._account = settings.id
        self._engine = engine
        self._login = login
        self._push = push
        self._local_watch = local_watch
        self._standing = standing
        self._wakes = wakes
        self._jobs = jobs
        self._pulse = pulse
        self._clock = clock
        self._pace = pace
        self._client: ImapClient | None = None
        self._logged_in_at: float | None = None
        self._watch: MainWatch | None = None
        self._telling = PassTelling(
            account=settings.id,
            standing=standing,
            announce=announce,
            clock=clock,
            pause_seconds=pace.progress_event_seconds,
            is_one_way=False,
            log=log,
        )
        self.broken_job: JobId | None = None
        """The job whose pass ended this session by an error; the owner ends it when the state is known."""

        self.is_line_dead = False
        """Set by the owner before cancelling when no farewell can arrive any more."""

    @property
    def life_seconds(self) -> float:
        """How long the line has been logged in."""
        return 0.0 if self._logged_in_at is None else self._clock.monotonic() - self._logged_in_at

    @property
    def is_connected(self) -> bool:
        return self._client is not None

    async def run(self) -> None:
        """Keep in step until the line is lost; never returns.

        Raises:
            MailError: Why it ended.
        Cancellation:
            Safe. LOGOUT is attempted for at most 2 seconds, unless the line is known to be dead.
        """
        client = await self._login.log_in()
        lines = self._push.new_lines()
        try:
            self._client = client
            self._logged_in_at = self._clock.monotonic()
            self._standing.apply(AccountEvent.LOGGED_IN)
            for kind in (JobKind.RESUME, JobKind.RECONNECT):
                self._jobs.finish(self._jobs.begin(self._account, kind))
            self._watch = self._push.new_watch(client, lines, self._engine, self._show_watch)
            await self._follow(client, self._watch)
        except ConnectionLost:
            self._push.note_main_lost()
            raise
        finally:
            self._client = self._watch = None
            self._push.close(client)
            lines.is_line_dead = self.is_line_dead
            if self.is_line_dead:
                client.abort()
                await lines.close()
            else:
                await asyncio.gather(client.logout(), lines.close())

    def note_progress(self, progress: Progress) -> None:
        """The engine's sign of life."""
        self._pulse.beat()
        self._telling.note_progress(progress)

    async def _follow(self, client: ImapClient, watch: MainWatch) -> None:
        agenda = EVERYTHING
        self._wakes.take()  # the first pass looks at everything anyway
        while True:
            await self._pass(client, watch, agenda)
            agenda = self._wakes.take()
            while agenda.is_empty:
                agenda = await watch.next_agenda()

    # -- passes ------------------------------------------------------------------------------------------------

    async def _pass(self, client: ImapClient, watch: MainWatch, agenda: Agenda) -> None:
        job = self._jobs.begin(self._account, JobKind.SYNC) if agenda.is_everything else None
        started = self._clock.monotonic()
        self._pulse.expect(self._pace.pass_silence_seconds, _bytes_of(client))
        self._telling.begin()
        try:
            if agenda.is_distrustful:
                self._engine.note_local_change()
            if agenda.only is None:
                await self._local_watch.ensure()
                result = await run_to_quiescence(self._engine, client, passes_limit=self._pace.passes_limit)
                await self._local_watch.refresh()
                watch.note_full_pass(agenda, result, started)
            else:
                # What changes meanwhile is heard on the line and ends the next IDLE at once: one pass is enough.
                news = agenda.news if self._local_watch.is_watching else None
                result = await self._engine.run_pass(client, only=agenda.only, news=news)
                if result.moved:
                    # A move goes by itself; what else was changed about the message shows against its new place.
                    result = result.plus(await self._engine.run_pass(client, only=agenda.only))
                watch.note_pass(agenda.only, result)
        except MailError as exc:
            self.broken_job = job
            self._telling.note_failed(exc)
            raise
        except BaseException:
            self._jobs.fail(job, ConnectionLost("the pass was interrupted", reason="interrupted"))
            raise
        finally:
            self._telling.end()
        self._jobs.finish(job, result)
        if not result.is_quiet:
            watch.note_found()
        self._push.in_step.note_pass(agenda.only, started)
        self._standing.note_sync()
        self._telling.note_result(result, self._clock.monotonic() - started)

    # -- watching ----------------------------------------------------------------------------------------------

    def _show_watch(self, mode: WatchMode) -> None:
        held = self._engine.held
        local = self._local_watch.report
        if held:
            self._standing.apply(
                AccountEvent.HELD,
                reason="deletion_held",
                detail=f"deletions in {len(held)} mailboxes are held back: {', '.join(sorted(held)[:5])}",
                remedy="look at them (mailsyncd held), then approve them (mailsyncd approve), or put the files back",
            )
            return
        event = AccountEvent.POLLING if mode is WatchMode.POLL else AccountEvent.IDLING
        trouble = None if self._watch is None else self._watch.trouble(mode)
        if trouble is not None:
            reason, detail = trouble
            self._standing.apply(event, reason=reason, detail=detail)
        else:
            self._standing.apply(event, reason=local.reason, detail=local.detail, remedy=local.remedy)


def _bytes_of(client: ImapClient) -> Callable[[], int]:
    return lambda: client.bytes_received + client.bytes_sent
