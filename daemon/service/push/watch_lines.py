"""The extra lines of one session: which mailboxes have one, and when another may be opened.

They are opened one after the other, never with the last token of the account's login bucket, which is the main line's
to come back with; through the same gate and guard. A refusal lowers the budget for a while, is said in the account's
status, and never ends the session. A login that is refused counts once: no second one is tried with the secret before
the main line has been accepted with it again.

A line that is lost says little by itself: its network may be gone, or its mailbox. So it has the main line look at
everything, and is judged when such a look has ended. Until then no other is opened.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import AuthenticationFailed, ConnectionLost, MailError, ServerRefused, Throttled
from daemon.model.ids import INBOX, MailboxName
from daemon.model.mailbox import MailboxRecord
from daemon.net.imap.client import ImapClient
from daemon.service.backoff import TokenBucket
from daemon.service.login import Login
from daemon.service.pace import Pace
from daemon.service.push.in_step import InStep
from daemon.service.push.line_budget import LineBudget
from daemon.service.push.trust import Claim, Trust
from daemon.service.push.watch_line import WatchLine
from daemon.service.wakes import WakeReason, Wakes

MAIN_LINE_TOKENS: Final = 1  # of the login bucket; without one a lost main line would have to wait


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loss:
    """A line that ended soon, or did not come up: then it has no `record`. Times are monotonic."""

    error: MailError
    record: MailboxRecord | None
    opened_at: float
    lost_at: float


class WatchLines:
    """Opens, keeps and ends them. One for each session; `close` before the session's own line ends."""

    def __init__(
        self,
        *,
        login: Login[ImapClient],
        bucket: TokenBucket,
        budget: LineBudget,
        wakes: Wakes,
        trust: Trust,
        in_step: InStep,
        clock: Clock,
        pace: Pace,
        log: FilteringBoundLogger,
    ) -> None:
        self.on_trouble: Callable[[], None] = _nobody_asks
        """Called when `trouble` has changed."""

        self.is_line_dead = False
        """Set before `close` when no farewell can arrive any more."""

        self._login = login
        self._bucket = bucket
        self._budget = budget
        self._wakes = wakes
        self._trust = trust
        self._in_step = in_step
        self._clock = clock
        self._pace = pace
        self._log = log
        self._wanted: tuple[MailboxRecord, ...] = ()
        self._lines: dict[MailboxName, asyncio.Task[None]] = {}
        self._keeper: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._losses: list[_Loss] = []
        self._is_login_refused = False

    @property
    def count(self) -> int:
        """How many are up or just going down."""
        return len(self._lines)

    @property
    def trouble(self) -> tuple[str, str] | None:
        """Reason and sentence while fewer mailboxes are watched than were wished for because of a refusal."""
        words, wished = self._budget.words, len(self._wanted)
        allowed = self._budget.allowed(wished)
        if words is None or allowed >= wished:
            return None
        detail = (
            f"{allowed} of {wished} further mailboxes are watched, because a connection was refused ({words})"
        )
        return "connections_limited", f"{detail}; the others are polled"

    def want(self, records: Sequence[MailboxRecord]) -> None:
        """Watch these mailboxes, the most important first, and no others; returns at once.

        Raises what ended the keeper of the lines, which is a fault of ours.
        """
        self.check()
        names = [record.name for record in records]
        if names == [record.name for record in self._wanted]:
            return
        self._wanted = tuple(records)
        self._changed.set()
        if self._keeper is None and records:
            self._keeper = asyncio.create_task(self._keep(), name="lines:keeper")
            self._keeper.add_done_callback(self._tell_fault)

    def note_look(self, began: float) -> None:
        """A look at everything that began then (monotonic) has ended, and `want` was told what it found: the main line
        has answered since, and a mailbox that is gone is wanted no more.
        """
        judged = [loss for loss in self._losses if loss.lost_at <= began]
        if not judged:
            return
        self._losses = [loss for loss in self._losses if loss.lost_at > began]
        for loss in judged:
            self._judge(loss)
        self._changed.set()

    def check(self) -> None:
        """Raise what ended the keeper of the lines, if anything did."""
        keeper = self._keeper
        if keeper is not None and keeper.done():
            self._keeper = None
            keeper.result()

    async def close(self) -> None:
        """End all of them; each says goodbye for at most two seconds."""
        self._wanted = ()
        tasks = [*self._lines.values(), *([self._keeper] if self._keeper is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._lines.clear()
        self._keeper = None

    def _tell_fault(self, keeper: asyncio.Task[None]) -> None:
        """Make the session ask, so that a fault of ours is not kept to itself."""
        if not keeper.cancelled():
            self._wakes.wake(WakeReason.SERVER, INBOX)

    # -- keeping -----------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        while True:
            self._changed.clear()
            self._tidy()
            delay = await self._open_next()
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._changed.wait()

    def _tidy(self) -> None:
        """Take out the lines that ended, and end those that nobody wants any more."""
        wanted = {record.name for record in self._wanted}
        for name, task in list(self._lines.items()):
            if task.done():
                del self._lines[name]
                if not task.cancelled():
                    task.result()
            elif name not in wanted:
                task.cancel()

    async def _open_next(self) -> float | None:
        """Open one line if there is room; when to look again, None for when something changes."""
        missing = [record for record in self._wanted if record.name not in self._lines]
        if (
            not missing
            or self._losses
            or self._is_login_refused
            or self._trust.breach(Claim.IDLE) is not None
        ):
            return None
        if self.count >= self._budget.allowed(len(self._wanted)):
            return self._budget.seconds_left or None
        wait = self._bucket.wait_seconds(keep=MAIN_LINE_TOKENS)
        if wait > 0.0:
            return wait
        [record, *_] = missing
        began = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._pace.open_deadline_seconds):
                client = await self._login.log_in()
        except TimeoutError:
            self._note_loss(ConnectionLost("no answer in time", reason="timeout"), began)
        except MailError as exc:
            self._is_login_refused = isinstance(exc, AuthenticationFailed)
            self._note_loss(exc, began)
        else:
            self._budget.note_opened(self.count + 1)
            line = asyncio.create_task(self._run_line(client, record), name=f"line:{record.name}")
            # A task that is cancelled before its first step runs nothing of its own, not even what ends the connection.
            line.add_done_callback(lambda _: client.abort())
            line.add_done_callback(lambda _: self._changed.set())
            self._lines[record.name] = line
        return 0.0

    async def _run_line(self, client: ImapClient, record: MailboxRecord) -> None:
        """One line's life; its end is no error of the account's."""
        began = self._clock.monotonic()
        loss: MailError | None = None
        line = WatchLine(
            client=client,
            record=record,
            wakes=self._wakes,
            trust=self._trust,
            clock=self._clock,
            pace=self._pace,
        )
        self._log.debug("line.opened", mailbox=record.name)
        self._in_step.add_line(record.name)
        try:
            await line.run()
        except MailError as exc:
            loss = exc
            self._log.info("line.lost", mailbox=record.name, reason=exc.reason)
        finally:
            self._in_step.drop_line(record.name)
            if self.is_line_dead:
                client.abort()
            else:
                await client.logout()
        if self._clock.monotonic() - began >= self._pace.settled_after_seconds:
            self._budget.note_held()
        elif loss is not None:
            self._note_loss(loss, began, record)

    def _note_loss(self, error: MailError, opened_at: float, record: MailboxRecord | None = None) -> None:
        """A refusal that speaks of a limit, or of the login, is one; anything else is judged after a look at everything."""
        if isinstance(error, Throttled | AuthenticationFailed):
            self._refuse(error, self.count if record is None else self.count - 1)
            return
        lost_at = self._clock.monotonic()
        self._losses.append(_Loss(error=error, record=record, opened_at=opened_at, lost_at=lost_at))
        self._wakes.wake(WakeReason.SERVER)

    def _judge(self, loss: _Loss) -> None:
        is_mailbox_gone = loss.record is not None and not self._is_wanted(loss.record)
        if is_mailbox_gone:
            return
        is_mailbox_refused = loss.record is not None and isinstance(loss.error, ServerRefused)
        if is_mailbox_refused or self._budget.note_lost(loss.opened_at, loss.lost_at):
            self._refuse(loss.error, sum(not task.done() for task in self._lines.values()))

    def _is_wanted(self, record: MailboxRecord) -> bool:
        return any((one.name, one.wire_name) == (record.name, record.wire_name) for one in self._wanted)

    def _refuse(self, error: MailError, count: int) -> None:
        """The server bears `count` lines and no more, for now."""
        asked = error.retry_after_seconds if isinstance(error, Throttled) else None
        seconds = max(self._pace.line_pause_seconds, asked or 0.0)
        self._budget.refuse(max(0, count), str(error), seconds)
        self._log.warning("line.refused", reason=error.reason, lines=max(0, count), pause_seconds=seconds)
        self.on_trouble()


def _nobody_asks() -> None:
    """The trouble shows when it is asked for."""
