"""Since when each mailbox is known to be in step with the server, and how it is watched.

Pure but for the clock. A mailbox is in step at the moment a pass that looked at it began: what changed later may have
been missed by it. A mailbox that the server tells about is in step as long as the account waits for news with none
outstanding; while a pass runs, what is told meanwhile waits, and the lag grows from when the waiting ended.
"""

from collections.abc import Iterable

from daemon.model.clock import Clock
from daemon.model.ids import MailboxName
from daemon.model.states import WatchMode


class InStep:
    """One account's mailboxes; outlives its lines."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all_at: float | None = None
        self._at: dict[MailboxName, float] = {}
        self._mode = WatchMode.POLL
        self._told_of: frozenset[MailboxName] = frozenset()
        self._lines: set[MailboxName] = set()
        self._is_waiting = False
        self._waited_until = 0.0

    # -- what is seen ------------------------------------------------------------------------------------------

    def mode_of(self, mailbox: MailboxName) -> WatchMode:
        """How changes of this mailbox are noticed now."""
        if mailbox in self._told_of:
            return self._mode
        return WatchMode.IDLE if mailbox in self._lines else WatchMode.POLL

    def lag_of(self, mailbox: MailboxName) -> float | None:
        """Seconds since the mailbox was last known to be in step; None before it was ever looked at."""
        now = self._clock.monotonic()
        is_pushed = mailbox in self._told_of or mailbox in self._lines
        looked = self._looked_at(mailbox)
        if looked is None:
            return None
        if not is_pushed:
            return max(0.0, now - looked)
        return 0.0 if self._is_waiting else max(0.0, now - max(looked, self._waited_until))

    # -- what happens ------------------------------------------------------------------------------------------

    def note_pass(self, only: Iterable[MailboxName] | None, began: float) -> None:
        """A pass over these mailboxes, None for all, that began at `began` (monotonic) is complete."""
        if only is None:
            self._all_at = began
            self._at = {name: at for name, at in self._at.items() if at > began}
            return
        for name in only:
            self._at[name] = max(began, self._at.get(name, began))

    def begin_wait(self, mode: WatchMode, told_of: frozenset[MailboxName]) -> None:
        """The account waits with nothing outstanding; `told_of` are the mailboxes the main line tells about."""
        self._settle(self._told_of - told_of)
        self._mode, self._told_of = mode, told_of
        self._is_waiting = True

    def end_wait(self) -> None:
        """Something is to be done, or the line is lost."""
        if self._is_waiting:
            self._waited_until = self._clock.monotonic()
        self._is_waiting = False

    def add_line(self, mailbox: MailboxName) -> None:
        """A line of its own watches this mailbox."""
        self._lines.add(mailbox)

    def drop_line(self, mailbox: MailboxName) -> None:
        """That line is gone."""
        if mailbox in self._lines:
            self._settle({mailbox})
            self._lines.discard(mailbox)

    def close(self) -> None:
        """The main line is gone: nothing is watched, and what was known is as old as that."""
        self.end_wait()
        self._settle(self._told_of | self._lines)
        self._told_of = frozenset()
        self._mode = WatchMode.POLL

    def _settle(self, mailboxes: Iterable[MailboxName]) -> None:
        """Keep until when these were watched, because they are so no longer."""
        until = self._clock.monotonic() if self._is_waiting else self._waited_until
        for name in mailboxes:
            looked = self._looked_at(name)
            if looked is not None:
                self._at[name] = max(looked, until)

    def _looked_at(self, mailbox: MailboxName) -> float | None:
        one, every = self._at.get(mailbox), self._all_at
        if one is None or every is None:
            return every if one is None else one
        return max(one, every)
