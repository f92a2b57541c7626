"""What is special about a protocol, as an account's runner sees it, and the parts both protocols' sessions share.

IMAP keeps a line and runs both ways; POP3 comes and goes, one way. Everything else of an account's life is the same
(`service.account`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.ids import MailboxName
from daemon.model.jobs import JobId
from daemon.model.passes import Progress
from daemon.model.states import WatchMode
from daemon.service.backoff import TokenBucket
from daemon.service.gate import Gate
from daemon.service.jobs import JobBook
from daemon.service.local_watch import LocalWatch
from daemon.service.login import ReadPassword
from daemon.service.login_guard import LoginGuard
from daemon.service.pace import Pace
from daemon.service.pulse import Pulse
from daemon.service.standing import Announce, Standing
from daemon.service.wakes import Wakes
from daemon.store.store import Store
from daemon.sync.guard import HeldDeletions


class Session(Protocol):
    """One stretch of an account's life, from a login to the error that ends it; used once."""

    broken_job: JobId | None
    is_line_dead: bool

    @property
    def life_seconds(self) -> float:
        """How long it has gone well."""
        ...

    @property
    def is_connected(self) -> bool: ...

    async def run(self) -> None:
        """Go on until an error; never returns."""
        ...

    def note_progress(self, progress: Progress) -> None:
        """The engine's sign of life."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Parts of one account that its sessions use and its runner owns."""

    store: Store
    standing: Standing
    wakes: Wakes
    jobs: JobBook
    pulse: Pulse
    local_watch: LocalWatch
    guard: LoginGuard
    bucket: TokenBucket
    gate: Gate
    read_password: ReadPassword
    announce: Announce
    clock: Clock
    pace: Pace
    log: FilteringBoundLogger


class Bridge(Protocol):
    """One account's protocol. Owns the engine."""

    operation_scope: str
    is_polling: bool

    async def recover(self, on_progress: Callable[[Progress], None]) -> None:
        """Have the engine ready, its local recovery done; at once where it is. No network."""
        ...

    def drop_engine(self) -> None:
        """After a crash the engine's memory is not to be trusted: the next `recover` makes another."""
        ...

    def new_session(self) -> Session:
        """A session of the engine that `recover` has made ready."""
        ...

    async def follow(self) -> None:
        """Do what was woken for and needs no server, while there is none; nothing before `recover`.

        Raises:
            MailError: It could not be done; the next session meets the same and says so.
        """
        ...

    @property
    def held(self) -> Mapping[MailboxName, HeldDeletions]:
        """Deletions that wait for a person, as of the last pass."""
        ...

    async def approve(self, mailbox: MailboxName) -> None:
        """Let the held deletions of a mailbox go on in the next pass."""
        ...

    def mode_of(self, mailbox: MailboxName) -> WatchMode: ...

    def lag_of(self, mailbox: MailboxName) -> float | None: ...

    def login_wait_seconds(self) -> float:
        """How long the server itself wants no login, whatever has become of the last line."""
        ...

    def forget_doubts(self) -> None:
        """A person wants everything tried again."""
        ...
