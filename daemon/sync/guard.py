"""What stands between a mistake and somebody's mail: the deletion breaker and the gates before a plan.

Pure: time is handed in. A hold is per mailbox and stops only deletions that were inferred from something missing;
what was asked for by name, stated by the server or explained as a move goes on (sync.md 13, decisions.md 3).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from daemon.model.ids import MailboxName
from daemon.model.mailbox import MailboxRecord, SpecialUse
from daemon.model.views import BaseState, BaseView, RemoteView
from daemon.sync.actions import AccountPlan, MailboxActions

BREAKER_WINDOW_SECONDS: Final = 600.0
BREAKER_FREE_COUNT: Final = 50  # fewer are ordinary housekeeping, whatever share of the mailbox they are
EXEMPT_ROLES: Final = frozenset({SpecialUse.TRASH, SpecialUse.JUNK})  # emptied whole, as a matter of course


class Side(StrEnum):
    """Where a held deletion would have taken place."""

    HERE = "here"
    THERE = "there"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldDeletions:
    """Deletions of one mailbox that wait for a person. `since` is seconds since 1970, UTC."""

    mailbox: MailboxName
    side: Side
    count: int
    size: int
    reason: str
    since: float


@dataclass(slots=True)
class _Window:
    """Inferred deletions of one mailbox or account within the sliding window."""

    size_at_start: int
    started: float
    counts: list[tuple[float, int]] = field(default_factory=list)

    def count(self) -> int:
        return sum(number for _, number in self.counts)


class DeletionBreaker:
    """Counts inferred deletions and holds those above the limit.

    `allow` is asked once for each mailbox and pass, with all inferred deletions of one side together, so that a mass
    deletion is held whole instead of being let through in part.
    """

    def __init__(self, *, share_limit: float) -> None:
        self._share_limit = share_limit
        self._windows: dict[tuple[MailboxName | None, Side], _Window] = {}
        self._emptied: dict[MailboxName, float] = {}

    def allow(
        self, mailbox: MailboxName, side: Side, *, count: int, size: int, account_size: int, now: float
    ) -> str | None:
        """None where `count` deletions may go on (they are then counted), else the reason why they are held."""
        self._forget_old(now)
        own = self._window((mailbox, side), size, now)
        whole = self._window((None, side), account_size, now)
        if count >= size > 0:
            others = [name for name in self._emptied if name != mailbox]
            self._emptied[mailbox] = now
            if others:
                return f"two mailboxes emptied within {BREAKER_WINDOW_SECONDS / 60:.0f} minutes"
        for window, what in ((own, "mailbox"), (whole, "account")):
            total = window.count() + count
            if total > BREAKER_FREE_COUNT and total > self._share_limit * window.size_at_start:
                return f"{total} of {window.size_at_start} messages of the {what} would go"
        own.counts.append((now, count))
        whole.counts.append((now, count))
        return None

    def reset(self, mailbox: MailboxName) -> None:
        """Forget what was counted: a person has approved."""
        for side in Side:
            self._windows.pop((mailbox, side), None)
            self._windows.pop((None, side), None)
        self._emptied.pop(mailbox, None)

    def _window(self, key: tuple[MailboxName | None, Side], size: int, now: float) -> _Window:
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window(size_at_start=size, started=now)
        return window

    def _forget_old(self, now: float) -> None:
        oldest = now - BREAKER_WINDOW_SECONDS
        for key, window in list(self._windows.items()):
            window.counts = [(at, number) for at, number in window.counts if at > oldest]
            if not window.counts:
                del self._windows[key]
        self._emptied = {name: at for name, at in self._emptied.items() if at > oldest}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxSituation:
    """What the breaker needs to know of a mailbox besides its actions."""

    record: MailboxRecord
    size: int
    are_statements_doubtful: bool = False
    held: HeldDeletions | None = None
    is_approved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """A plan with the held deletions taken out, and what is held."""

    plan: AccountPlan
    held: tuple[HeldDeletions, ...]


def guard_plan(
    plan: AccountPlan,
    situations: Mapping[MailboxName, MailboxSituation],
    breaker: DeletionBreaker,
    *,
    now: float,
    infers_nothing: bool = False,
) -> Guarded:
    """The plan without the deletions that must wait.

    `infers_nothing`: a database or tree is a restored backup, so that nothing missing proves anything in this pass;
    such deletions are dropped without a hold (decisions.md 2).
    """
    account_size = sum(situation.size for situation in situations.values())
    held: list[HeldDeletions] = []
    guarded: list[MailboxActions] = []
    for actions in plan.mailboxes:
        situation = situations[actions.mailbox]
        inferred_here = tuple(
            action for action in actions.removals if action.is_inferred or situation.are_statements_doubtful
        )
        inferred_there = actions.expunges
        if infers_nothing:
            guarded.append(
                _without(actions, here=bool(inferred_here), there=bool(inferred_there), situation=situation)
            )
            continue
        stopped_here = stopped_there = False
        for side, inferred in ((Side.HERE, inferred_here), (Side.THERE, inferred_there)):
            if not inferred:
                continue
            hold = _judge(situation, side, breaker, count=len(inferred), account_size=account_size, now=now)
            if hold is not None:
                held.append(hold)
                stopped_here = stopped_here or side is Side.HERE
                stopped_there = stopped_there or side is Side.THERE
        guarded.append(_without(actions, here=stopped_here, there=stopped_there, situation=situation))
    return Guarded(plan=replace(plan, mailboxes=tuple(guarded)), held=tuple(held))


def _judge(
    situation: MailboxSituation,
    side: Side,
    breaker: DeletionBreaker,
    *,
    count: int,
    account_size: int,
    now: float,
) -> HeldDeletions | None:
    record = situation.record
    if situation.is_approved or record.special_use in EXEMPT_ROLES:
        return None
    earlier = situation.held
    if earlier is not None and earlier.side is side:
        return replace(earlier, count=count)
    reason = breaker.allow(
        record.name, side, count=count, size=situation.size, account_size=account_size, now=now
    )
    if reason is None:
        return None
    return HeldDeletions(
        mailbox=record.name, side=side, count=count, size=situation.size, reason=reason, since=now
    )


def _without(
    actions: MailboxActions, *, here: bool, there: bool, situation: MailboxSituation
) -> MailboxActions:
    removals = actions.removals
    if here:
        removals = tuple(
            action for action in removals if not (action.is_inferred or situation.are_statements_doubtful)
        )
    return replace(actions, removals=removals, expunges=() if there else actions.expunges)


def are_statements_doubtful(base: BaseView, remote: RemoteView) -> bool:
    """Whether what the server says is gone needs the breaker's eye: the mailbox turns empty, or a mark went back.

    RFC 9051 §2.3.1.1 and RFC 7162 §3.1.2.2 let neither UIDNEXT nor HIGHESTMODSEQ decrease.
    """
    had = any(entry.state is BaseState.SYNCED for entry in base.entries)
    went_back = (
        base.uid_next is not None and remote.uid_next is not None and remote.uid_next < base.uid_next
    ) or (
        base.highest_mod_seq is not None
        and remote.highest_mod_seq is not None
        and remote.highest_mod_seq < base.highest_mod_seq
    )
    return went_back or (had and remote.message_count == 0)
