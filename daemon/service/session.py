"""One connection's life: log in, bring everything in step, then watch and follow what changes.

A session is used once; when it ends, by an error or by cancellation, its line is gone. Only mailboxes that changed are
looked at: INBOX, which stays selected, on the server's word, the others on a wake. There is no sleep on the way from
"the server said something" to the pass.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import ConnectionLost, MailError, ServerRefused, Throttled
from daemon.model.events import EventData, EventName, NewEvent
from daemon.model.ids import INBOX, MailboxName
from daemon.model.jobs import JobId, JobKind
from daemon.model.mailbox import MailboxRecord
from daemon.model.passes import PassResult, Progress
from daemon.model.settings import ImapSettings
from daemon.model.states import WatchMode
from daemon.net.imap.client import IdleEnd, ImapClient, Selection
from daemon.service.jobs import JobBook
from daemon.service.local_watch import LocalWatch
from daemon.service.login import Login
from daemon.service.pace import Pace
from daemon.service.pulse import Pulse
from daemon.service.quiescence import run_to_quiescence
from daemon.service.standing import Announce, Standing
from daemon.service.states import AccountEvent
from daemon.service.wakes import EVERYTHING, Agenda, Wakes
from daemon.store.store import Store
from daemon.sync.imap_pass import ImapSync

CHATTER_LIMIT: Final = 20  # "changed" with nothing found; echoes of our own changes are fewer
CHATTER_WINDOW_SECONDS: Final = 10.0
CHATTER_PAUSE_SECONDS: Final = 1.0

_INBOX_ONLY: Final = Agenda(frozenset({INBOX}))


class ImapSession:
    """From login to the loss of the line."""

    def __init__(
        self,
        *,
        settings: ImapSettings,
        store: Store,
        engine: ImapSync,
        login: Login,
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
        self._store = store
        self._engine = engine
        self._login = login
        self._local_watch = local_watch
        self._standing = standing
        self._wakes = wakes
        self._jobs = jobs
        self._pulse = pulse
        self._announce = announce
        self._clock = clock
        self._pace = pace
        self._log = log
        self._client: ImapClient | None = None
        self._logged_in_at: float | None = None
        self._idle_refusal: ServerRefused | None = None
        self._watched: MailboxName | None = None
        self._is_difference_followed = False
        self._is_working = False
        self._is_told = False
        self._told_at = 0.0
        self._chatter: deque[float] = deque(maxlen=CHATTER_LIMIT)
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

    def watch_of(self, mailbox: MailboxName) -> WatchMode:
        """How changes of this mailbox are noticed now."""
        return WatchMode.IDLE if mailbox == self._watched else WatchMode.POLL

    async def run(self) -> None:
        """Keep in step until the line is lost; never returns.

        Raises:
            MailError: Why it ended.
        Cancellation:
            Safe. LOGOUT is attempted for at most 2 seconds, unless the line is known to be dead.
        """
        client = await self._login.log_in()
        try:
            self._client = client
            self._logged_in_at = self._clock.monotonic()
            self._standing.apply(AccountEvent.LOGGED_IN)
            for kind in (JobKind.RESUME, JobKind.RECONNECT):
                self._jobs.finish(self._jobs.begin(self._account, kind))
            await self._follow(client)
        finally:
            self._client = self._watched = None
            if self.is_line_dead:
                client.abort()
            else:
                await client.logout()

    def note_progress(self, progress: Progress) -> None:
        """The engine's sign of life; work to do is what makes a pass worth showing."""
        self._pulse.beat()
        if not self._is_working or progress.messages_total == 0:
            return
        self._standing.apply(AccountEvent.WORK_FOUND)
        now = self._clock.monotonic()
        if self._is_told and now - self._told_at < self._pace.progress_event_seconds:
            return
        if not self._is_told:
            self._tell(EventName.SYNC_STARTED, {})
        self._is_told, self._told_at = True, now
        self._tell(
            EventName.SYNC_PROGRESS,
            {
                "messages_done": progress.messages_done,
                "messages_total": progress.messages_total,
                "bytes_done": progress.bytes_done,
                "bytes_total": progress.bytes_total,
            },
        )

    async def _follow(self, client: ImapClient) -> None:
        agenda = EVERYTHING
        self._wakes.take()  # the first pass looks at everything anyway
        while True:
            await self._pass(client, agenda)
            agenda = self._wakes.take()
            while agenda.is_empty:
                await self._calm_down()
                agenda = await self._watch(client)

    # -- passes ------------------------------------------------------------------------------------------------

    async def _pass(self, client: ImapClient, agenda: Agenda) -> None:
        job = self._jobs.begin(self._account, JobKind.SYNC) if agenda.is_everything else None
        started = self._clock.monotonic()
        self._pulse.expect(self._pace.pass_silence_seconds, _bytes_of(client))
        self._is_working, self._is_told = True, False
        try:
            if agenda.is_distrustful:
                self._engine.note_local_change()
            if agenda.only is None:
                await self._local_watch.ensure()
                result = await run_to_quiescence(self._engine, client, passes_limit=self._pace.passes_limit)
                await self._local_watch.refresh()
            else:
                # What changes meanwhile is heard on the line and ends the next IDLE at once: one pass is enough.
                news = agenda.news if self._local_watch.is_watching else None
                result = await self._engine.run_pass(client, only=agenda.only, news=news)
                if result.moved:
                    # A move goes by itself; what else was changed about the message shows against its new place.
                    result = result.plus(await self._engine.run_pass(client, only=agenda.only))
        except MailError as exc:
            self.broken_job = job
            self._tell(EventName.SYNC_FAILED, {"reason": exc.reason, "detail": str(exc)})
            raise
        except BaseException:
            self._jobs.fail(job, ConnectionLost("the pass was interrupted", reason="interrupted"))
            raise
        finally:
            self._is_working = False
        self._jobs.finish(job, result)
        if not result.is_quiet:
            self._chatter.clear()
        self._standing.note_sync()
        self._tell_result(result, self._clock.monotonic() - started)

    def _tell_result(self, result: PassResult, seconds: float) -> None:
        if result.is_quiet and not self._is_told:
            return
        counts = {
            "downloaded": result.downloaded,
            "uploaded": result.uploaded,
            "flags_changed": result.flags_changed,
            "removed_here": result.removed_here,
            "expunged_there": result.expunged_there,
            "moved": result.moved,
            "failed": result.failed,
            "held": result.held,
        }
        self._tell(EventName.SYNC_FINISHED, counts)
        self._log.info("account.synced", duration_ms=round(seconds * 1000), **counts)

    def _tell(self, name: EventName, data: EventData) -> None:
        self._announce(NewEvent(name=name, account=self._account, data=data))

    async def _calm_down(self) -> None:
        """Wait a little, when the server keeps saying that INBOX changed and nothing is ever found.

        A server that chatters, or a mailbox that cannot be looked at, would otherwise keep a processor busy. A wake
        ends the wait; so would real news, a second later than else.
        """
        chatter = self._chatter
        if len(chatter) < CHATTER_LIMIT or self._clock.monotonic() - chatter[0] > CHATTER_WINDOW_SECONDS:
            return
        self._pulse.expect(self._pace.watch_grace_seconds)
        woken = asyncio.Event()
        with self._wakes.ringing(woken.set), suppress(TimeoutError):
            async with asyncio.timeout(CHATTER_PAUSE_SECONDS):
                await woken.wait()

    # -- watching ----------------------------------------------------------------------------------------------

    async def _watch(self, client: ImapClient) -> Agenda:
        """What to look at next, when there is something."""
        record = await self._store.mailboxes.get(self._account, INBOX)
        if record is None or record.frozen_reason is not None or not client.caps.has("IDLE"):
            return await self._poll()
        if self._idle_refusal is not None:
            return await self._poll()
        if await self._is_inbox_behind(client, record):
            return _INBOX_ONLY
        return await self._idle(client)

    async def _is_inbox_behind(self, client: ImapClient, record: MailboxRecord) -> bool:
        """Select INBOX unless it is; whether what the server then says differs from what is stored.

        A difference is followed once: a message that cannot be fetched would otherwise keep us from watching.
        """
        selection = client.selection
        if selection is not None and selection.wire_name == record.wire_name:
            self._is_difference_followed = False
            return False
        self._pulse.expect(self._pace.watch_grace_seconds)
        try:
            selection = await client.select(record.wire_name)
        except ServerRefused as exc:
            self._fall_back(exc)
            return True
        self._is_difference_followed = not self._is_difference_followed and _differs(selection, record)
        return self._is_difference_followed

    async def _idle(self, client: ImapClient) -> Agenda:
        self._show_watch(WatchMode.IDLE)
        self._watched = INBOX
        self._pulse.expect(self._pace.idle_renew_seconds + self._pace.watch_grace_seconds)
        try:
            with self._wakes.ringing(client.wake):
                end = await client.idle(renew_after=self._pace.idle_renew_seconds)
        except ServerRefused as exc:
            self._fall_back(exc)
            return _INBOX_ONLY
        finally:
            self._watched = None
        if end is IdleEnd.WOKEN:
            return self._wakes.take()
        if end is IdleEnd.CHANGED:
            self._chatter.append(self._clock.monotonic())
        return _INBOX_ONLY

    def _fall_back(self, refusal: ServerRefused) -> None:
        """Poll for the rest of this connection. A plea for patience is none of it: raised again."""
        if isinstance(refusal, Throttled):
            raise refusal
        self._idle_refusal = refusal
        self._log.warning("account.idle_refused", status=refusal.status, code=refusal.code)

    async def _poll(self) -> Agenda:
        """The next wake; a schedule that fell silent is made up for after twice its time."""
        self._show_watch(WatchMode.POLL)
        patience = 2 * self._pace.pass_interval_seconds
        self._pulse.expect(patience + self._pace.watch_grace_seconds)
        woken = asyncio.Event()
        with self._wakes.ringing(woken.set), suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await woken.wait()
        agenda = self._wakes.take()
        return EVERYTHING if agenda.is_empty else agenda

    def _show_watch(self, mode: WatchMode) -> None:
        held = self._engine.held
        refusal = self._idle_refusal
        local = self._local_watch.report
        if held:
            self._standing.apply(
                AccountEvent.HELD,
                reason="deletion_held",
                detail=f"deletions in {len(held)} mailboxes are held back: {', '.join(sorted(held)[:5])}",
                remedy="look at them, then approve or restore",
            )
            return
        event = AccountEvent.IDLING if mode is WatchMode.IDLE else AccountEvent.POLLING
        if refusal is not None and mode is WatchMode.POLL:
            self._standing.apply(event, reason="idle_refused", detail=str(refusal))
        else:
            self._standing.apply(event, reason=local.reason, detail=local.detail, remedy=local.remedy)


def _differs(selection: Selection, record: MailboxRecord) -> bool:
    """Whether the server's INBOX is not the one we stored; a number it does not say tells nothing."""
    return (
        selection.uid_validity != record.uid_validity
        or selection.exists != record.message_count
        or (selection.uid_next is not None and selection.uid_next != record.uid_next)
        or (selection.highest_mod_seq is not None and selection.highest_mod_seq != record.highest_mod_seq)
    )


def _bytes_of(client: ImapClient) -> Callable[[], int]:
    return lambda: client.bytes_received + client.bytes_sent
