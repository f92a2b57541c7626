"""What one account knows of being told, over all its lines; and the parts that each session's line needs for it."""

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.settings import ImapSettings
from daemon.net.imap.client import ImapClient
from daemon.service.backoff import TokenBucket
from daemon.service.login import Login
from daemon.service.pace import Pace
from daemon.service.pulse import Pulse
from daemon.service.push.in_step import InStep
from daemon.service.push.line_budget import LineBudget
from daemon.service.push.main_watch import MainWatch, Show
from daemon.service.push.trust import Trust
from daemon.service.push.watch_lines import WatchLines
from daemon.service.wakes import Wakes
from daemon.store.store import Store
from daemon.sync.imap_pass import ImapSync


class AccountPush:
    """Belongs to the account's runner."""

    def __init__(
        self,
        *,
        settings: ImapSettings,
        store: Store,
        wakes: Wakes,
        trust: Trust,
        line_login: Login[ImapClient],
        bucket: TokenBucket,
        pulse: Pulse,
        clock: Clock,
        pace: Pace,
        log: FilteringBoundLogger,
    ) -> None:
        self._settings = settings
        self._store = store
        self._wakes = wakes
        self._trust = trust
        self._line_login = line_login
        self._bucket = bucket
        self._pulse = pulse
        self._clock = clock
        self._pace = pace
        self._log = log
        self._budget = LineBudget(clock)
        self.in_step = InStep(clock)

    def new_lines(self) -> WatchLines:
        """The extra lines of a session, none of them up yet; the session closes them."""
        return WatchLines(
            login=self._line_login,
            bucket=self._bucket,
            budget=self._budget,
            wakes=self._wakes,
            trust=self._trust,
            in_step=self.in_step,
            clock=self._clock,
            pace=self._pace,
            log=self._log,
        )

    def new_watch(self, client: ImapClient, lines: WatchLines, engine: ImapSync, show: Show) -> MainWatch:
        """The waiting of a session on its line; `show` is told the rung at the beginning of each wait."""
        return MainWatch(
            settings=self._settings,
            store=self._store,
            engine=engine,
            client=client,
            lines=lines,
            wakes=self._wakes,
            trust=self._trust,
            in_step=self.in_step,
            pulse=self._pulse,
            clock=self._clock,
            pace=self._pace,
            show=show,
            log=self._log,
        )

    def note_main_lost(self) -> None:
        """The server, or the network, ended the session's line."""
        if self._budget.note_main_lost(self._pace.line_pause_seconds):
            self._log.warning("line.blamed", pause_seconds=self._pace.line_pause_seconds)

    def close(self, client: ImapClient) -> None:
        """A session's line is at its end: keep what was learnt on it."""
        self.in_step.close()
        self._trust.learn(client.broken, doubted=client.doubted)

    def forget(self) -> None:
        """A person wants everything tried again."""
        self._trust.forget()
        self._budget.forget()
