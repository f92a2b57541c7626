"""The IMAP side of an account: its engine, its ways to be told of changes, and sessions on one line."""

from collections.abc import Callable, Mapping

from daemon.model.ids import MailboxName
from daemon.model.passes import Progress
from daemon.model.settings import ImapSettings
from daemon.model.states import WatchMode
from daemon.net.imap.client import ImapClient
from daemon.service.bridge import Shared
from daemon.service.login import Connect, Login
from daemon.service.pulse import Pulse
from daemon.service.push.account_push import AccountPush
from daemon.service.push.trust import Trust
from daemon.service.quiescence import OpenEngine
from daemon.service.session import ImapSession
from daemon.service.wishes import put_all_on_files
from daemon.store.maildir.tree import MaildirTree
from daemon.sync.guard import HeldDeletions
from daemon.sync.imap_pass import ImapSync


class ImapBridge:
    """Implements `bridge.Bridge`."""

    operation_scope = "server"
    is_polling = False

    def __init__(
        self,
        shared: Shared,
        *,
        settings: ImapSettings,
        tree: MaildirTree,
        connect: Connect[ImapClient],
        open_engine: OpenEngine,
    ) -> None:
        self._shared = shared
        self._settings = settings
        self._tree = tree
        self._connect = connect
        self._open_engine = open_engine
        self._trust = Trust(clock=shared.clock, doubt_seconds=shared.pace.doubt_seconds, log=shared.log)
        self._login = self._new_login(shared.pulse)
        self._push = AccountPush(
            settings=settings,
            store=shared.store,
            wakes=shared.wakes,
            trust=self._trust,
            line_login=self._new_login(Pulse(shared.clock)),  # an extra line that hangs restarts no account
            bucket=shared.bucket,
            pulse=shared.pulse,
            clock=shared.clock,
            pace=shared.pace,
            log=shared.log,
        )
        self._engine: ImapSync | None = None

    async def recover(self, on_progress: Callable[[Progress], None]) -> None:
        if self._engine is not None:
            return
        engine = self._open_engine(self._settings, on_progress)
        await engine.recover()
        store = self._shared.store
        await put_all_on_files(store, self._tree, await store.operations.pending(self._settings.id))
        self._engine = engine

    def drop_engine(self) -> None:
        self._engine = None

    def new_session(self) -> ImapSession:
        shared = self._shared
        return ImapSession(
            settings=self._settings,
            engine=self._ready_engine,
            login=self._login,
            push=self._push,
            local_watch=shared.local_watch,
            standing=shared.standing,
            wakes=shared.wakes,
            jobs=shared.jobs,
            pulse=shared.pulse,
            announce=shared.announce,
            clock=shared.clock,
            pace=shared.pace,
            log=shared.log,
        )

    async def follow(self) -> None:
        """Nothing: both ways lead over the server."""

    @property
    def held(self) -> Mapping[MailboxName, HeldDeletions]:
        return {} if self._engine is None else self._engine.held

    async def approve(self, mailbox: MailboxName) -> None:
        if self._engine is not None:
            await self._engine.approve(mailbox)

    def mode_of(self, mailbox: MailboxName) -> WatchMode:
        return self._push.in_step.mode_of(mailbox)

    def lag_of(self, mailbox: MailboxName) -> float | None:
        return self._push.in_step.lag_of(mailbox)

    def login_wait_seconds(self) -> float:
        return 0.0

    def forget_doubts(self) -> None:
        self._push.forget()

    @property
    def _ready_engine(self) -> ImapSync:
        assert self._engine is not None  # noqa: S101 - `recover` comes first
        return self._engine

    def _new_login(self, pulse: Pulse) -> Login[ImapClient]:
        shared = self._shared
        return Login(
            settings=self._settings,
            connect=self._connect,
            read_password=shared.read_password,
            guard=shared.guard,
            bucket=shared.bucket,
            gate=shared.gate,
            pulse=pulse,
            deadline_seconds=shared.pace.open_deadline_seconds,
            distrusted=lambda: self._trust.distrusted,
            log=shared.log,
        )
