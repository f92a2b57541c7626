"""The POP3 side of an account: its engine, and sessions that come and go."""

from collections.abc import Callable, Mapping

from daemon.model.ids import MailboxName
from daemon.model.passes import Progress
from daemon.model.settings import Pop3Settings
from daemon.model.states import WatchMode
from daemon.net.pop3.client import Pop3Client
from daemon.service.backoff import TokenBucket
from daemon.service.bridge import Shared
from daemon.service.login import Login
from daemon.service.login_delay import LoginDelay
from daemon.service.pop3_means import Pop3Means
from daemon.service.pop3_session import Pop3Session
from daemon.sync.guard import HeldDeletions
from daemon.sync.pop3_pass import Pop3Sync


class Pop3Bridge:
    """Implements `bridge.Bridge`: what happens here stays here."""

    operation_scope = "local"
    is_polling = True

    def __init__(
        self,
        shared: Shared,
        *,
        settings: Pop3Settings,
        means: Pop3Means,
        next_wake_at: Callable[[], float | None],
    ) -> None:
        self._shared = shared
        self._settings = settings
        self._means = means
        self._next_wake_at = next_wake_at
        self._login: Login[Pop3Client] = Login(
            settings=settings,
            connect=means.connect,
            read_password=shared.read_password,
            guard=shared.guard,
            bucket=shared.bucket,
            gate=shared.gate,
            pulse=shared.pulse,
            deadline_seconds=shared.pace.open_deadline_seconds,
            log=shared.log,
        )
        self._delay = LoginDelay(store=shared.store, account=settings.id, clock=shared.clock)
        self._allowance = TokenBucket(
            burst=shared.pace.poll_burst, refill_seconds=shared.pace.login_refill_seconds, clock=shared.clock
        )
        self._engine: Pop3Sync | None = None

    async def recover(self, on_progress: Callable[[Progress], None]) -> None:
        if self._engine is None:
            engine = self._means.open_engine(self._settings, on_progress)
            await engine.recover()
            self._engine = engine

    def drop_engine(self) -> None:
        self._engine = None

    def new_session(self) -> Pop3Session:
        assert self._engine is not None  # noqa: S101 - `recover` comes first
        return Pop3Session(
            self._shared,
            settings=self._settings,
            engine=self._engine,
            login=self._login,
            delay=self._delay,
            allowance=self._allowance,
            next_wake_at=self._next_wake_at,
        )

    async def follow(self) -> None:
        """What happens in the tree, and what was wished over the API: none of it is for the server."""
        if self._engine is None:
            self._shared.wakes.take()
        else:
            await self.new_session().follow_wakes()

    @property
    def held(self) -> Mapping[MailboxName, HeldDeletions]:
        """Nothing: what is deleted here has no effect elsewhere that would have to wait."""
        return {}

    async def approve(self, mailbox: MailboxName) -> None:
        """There is nothing to approve."""

    def mode_of(self, _mailbox: MailboxName) -> WatchMode:
        return WatchMode.POLL

    def lag_of(self, _mailbox: MailboxName) -> float | None:
        last = self._shared.standing.status.last_sync
        return None if last is None else max(0.0, self._shared.clock.now() - last)

    def login_wait_seconds(self) -> float:
        return self._delay.wait_seconds()

    def forget_doubts(self) -> None:
        """A person wants it tried now: one poll more than servers are asked to bear. LOGIN-DELAY holds for persons too."""
        self._allowance.give_one()
