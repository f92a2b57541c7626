"""What stands between a mistake and somebody's mail: the deletion breaker and the gates before a plan.

Pure: time is handed in. A hold is per mailbox and stops only deletions that were inferred from something missing;
what was asked for by name, stated by the server or explained as a move goes on (sync.md 13, decisions.md 3).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, TypeVar

from daemon.model.ids import MailboxName, UidValidity
from daemon.model.mailbox import MailboxRecord, SpecialUse
from daemon.model.uidset import UidSet
from daemon.model.views import BaseEntry, BaseState, BaseView, RemoteView
from daemon.sync.actions import AccountPlan, ExpungeRemote, MailboxActions, Refetch, RemoveLocal, uid_of

BREAKER_WINDOW_SECONDS: Final = 600.0
BREAKER_FREE_COUNT: Final = 50  # fewer are ordinary housekeeping, whatever share of the mailbox they are
DIRECTORY_LOST: Final = "the mailbox's directory is missing or belongs to another store"
EXEMPT_ROLES: Final = frozenset({SpecialUse.TRASH, SpecialUse.JUNK})  # emptied whole, as a matter of course


class Side(StrEnum):
    """Where a held deletion would have taken place."""

    HERE = "here"
    THERE = "there"


_OTHER_SIDE: Final = {Side.HERE: Side.THERE, Side.THERE: Side.HERE}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldDeletions:
    """Deletions of one mailbox that wait for a person. `since` is seconds since 1970, UTC.

    `uids` under `uid_validity` are the messages that would go: an approval covers these and no others.
    """

    mailbox: MailboxName
    side: Side
    count: int
    size: int
    reason: str
    since: float
    uid_validity: UidValidity | None = None
    uids: UidSet = field(default_factory=UidSet, repr=False)

    def covers(self, side: Side, base: BaseEntry, uid_validity: UidValidity | None) -> bool:
        """Whether this deletion is one of them. A directory that is lost may have lost its messages on both sides."""
        return (
            (side is self.side or self.reason == DIRECTORY_LOST)
            and uid_validity is not None
            and uid_validity == self.uid_validity
            and base.uid in self.uids
        )

    def only(self, uids: UidSet) -> "HeldDeletions":
        """The same hold of these messages alone."""
        return replace(self, count=len(uids), uids=uids)


DeletionKey = tuple[MailboxName, object]
"""One deletion, whichever pass plans it: a pass that failed is planned again and must not count twice."""


@dataclass(slots=True)
class _Window:
    """Inferred deletions of one mailbox or account within the sliding window, with the time each was last planned."""

    size_at_start: int
    seen: dict[DeletionKey, float] = field(default_factory=dict)


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
        self,
        mailbox: MailboxName,
        side: Side,
        *,
        deletions: Collection[DeletionKey],
        size: int,
        account_size: int,
        now: float,
        leaves_empty: bool = True,
    ) -> str | None:
        """None where these deletions may go on (they are then counted), else the reason why they are held.

        `leaves_empty`: nothing else is left in the mailbox, and nothing new has come into it.
        """
        self._forget_old(now)
        own = self._window((mailbox, side), size)
        whole = self._window((None, side), account_size)
        if leaves_empty and len(deletions) >= size > 0:
            others = [name for name in self._emptied if name != mailbox]
            self._emptied[mailbox] = now
            if others:
                return f"two mailboxes emptied within {BREAKER_WINDOW_SECONDS / 60:.0f} minutes"
        for window, what in ((own, "mailbox"), (whole, "account")):
            total = len(window.seen.keys() | set(deletions))
            if total > BREAKER_FREE_COUNT and total > self._share_limit * window.size_at_start:
                return f"{total} of {window.size_at_start} messages of the {what} would go"
        for window in (own, whole):
            window.seen.update(dict.fromkeys(deletions, now))
        return None

    def room(self, side: Side, now: float) -> int:
        """How many more deletions of the whole account are ordinary housekeeping, whatever share of it they are."""
        self._forget_old(now)
        window = self._windows.get((None, side))
        return BREAKER_FREE_COUNT - (0 if window is None else len(window.seen))

    def reset(self, mailbox: MailboxName) -> None:
        """Forget what was counted: a person has approved."""
        for side in Side:
            self._windows.pop((mailbox, side), None)
            self._windows.pop((None, side), None)
        self._emptied.pop(mailbox, None)

    def _window(self, key: tuple[MailboxName | None, Side], size: int) -> _Window:
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window(size_at_start=size)
        return window

    def _forget_old(self, now: float) -> None:
        oldest = now - BREAKER_WINDOW_SECONDS
        for key, window in list(self._windows.items()):
            window.seen = {deletion: at for deletion, at in window.seen.items() if at > oldest}
            if not window.seen:
                del self._windows[key]
        self._emptied = {name: at for name, at in self._emptied.items() if at > oldest}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxSituation:
    """What the breaker needs to know of a mailbox besides its actions.

    `infers_nothing`: a database or the tree is a restored backup and this mailbox has not been reviewed since
    (decisions.md 2). `inhabited` are the sides that have messages now, new ones included. `approved` is the hold that a
    person has approved, as far as it has not been carried out.
    """

    record: MailboxRecord
    size: int
    are_statements_doubtful: bool = False
    held: HeldDeletions | None = None
    approved: HeldDeletions | None = None
    infers_nothing: bool = False
    inhabited: frozenset[Side] = frozenset()

    @property
    def is_word_doubted(self) -> bool:
        """Whether what the server states counts as an inference: it is doubtful, or waits for a person already."""
        return self.are_statements_doubtful or (self.held is not None and self.held.side is Side.HERE)


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
    account_size: int,
    now: float,
) -> Guarded:
    """The plan without the deletions that must wait.

    In a mailbox of a restored backup nothing missing proves anything: what is not here is fetched again, what is not
    there stays, and no hold is made of it.
    """
    held: list[HeldDeletions] = []
    guarded: list[MailboxActions] = []
    for actions in plan.mailboxes:
        situation = situations[actions.mailbox]
        if situation.infers_nothing:
            guarded.append(_inferring_nothing(actions))
            continue
        inferred_here = tuple(
            action for action in actions.removals if action.is_inferred or situation.is_word_doubted
        )
        stopped = set[Side]()
        unapproved_here = _unapproved(situation, Side.HERE, inferred_here)
        unapproved_there = _unapproved(situation, Side.THERE, actions.expunges)
        for side, inferred in ((Side.HERE, unapproved_here), (Side.THERE, unapproved_there)):
            hold = _judge(situation, side, breaker, inferred, account_size=account_size, now=now)
            if hold is not None:
                held.append(hold)
                stopped.add(side)
        removals, expunges = actions.removals, actions.expunges
        if Side.HERE in stopped:
            waiting = {action.base.uid for action in unapproved_here}
            removals = tuple(action for action in removals if action.base.uid not in waiting)
        if Side.THERE in stopped:
            waiting = {action.base.uid for action in unapproved_there}
            expunges = tuple(action for action in expunges if action.base.uid not in waiting)
        guarded.append(replace(actions, removals=removals, expunges=expunges))
    return Guarded(plan=replace(plan, mailboxes=tuple(guarded)), held=tuple(held))


def judge_gone(
    situation: MailboxSituation,
    breaker: DeletionBreaker,
    removals: tuple[RemoveLocal, ...],
    *,
    account_size: int,
    now: float,
) -> HeldDeletions | None:
    """The hold of a mailbox that the server no longer has: all its messages are one set (sync.md 15)."""
    unapproved = _unapproved(situation, Side.HERE, removals)
    return _judge(situation, Side.HERE, breaker, unapproved, account_size=account_size, now=now)


def _inferring_nothing(actions: MailboxActions) -> MailboxActions:
    refetches = tuple(Refetch(mailbox=actions.mailbox, base=action.base) for action in actions.expunges)
    return replace(actions, removals=(), expunges=(), refetches=refetches)


_Deletion = TypeVar("_Deletion", RemoveLocal, ExpungeRemote)


def _unapproved(
    situation: MailboxSituation, side: Side, inferred: tuple[_Deletion, ...]
) -> tuple[_Deletion, ...]:
    approved = situation.approved
    if approved is None:
        return inferred
    validity = situation.record.uid_validity
    return tuple(action for action in inferred if not approved.covers(side, action.base, validity))


def _judge(
    situation: MailboxSituation,
    side: Side,
    breaker: DeletionBreaker,
    inferred: tuple[RemoveLocal, ...] | tuple[ExpungeRemote, ...],
    *,
    account_size: int,
    now: float,
) -> HeldDeletions | None:
    """The hold of these deletions, of which none is approved."""
    record = situation.record
    if not inferred or record.special_use in EXEMPT_ROLES:
        return None
    uids = UidSet(uid_of(action.base) for action in inferred)
    earlier = _undecided(situation, side)
    if earlier is not None:
        return replace(earlier.only(uids), uid_validity=record.uid_validity)
    reason = breaker.allow(
        record.name,
        side,
        deletions={(record.name, action.base.message_id or action.base.uid) for action in inferred},
        size=situation.size,
        account_size=account_size,
        now=now,
        leaves_empty=_OTHER_SIDE[side] not in situation.inhabited,  # what is gone from there goes from here
    )
    if reason is None:
        return None
    return HeldDeletions(
        mailbox=record.name,
        side=side,
        count=len(inferred),
        size=situation.size,
        reason=reason,
        since=now,
        uid_validity=record.uid_validity,
        uids=uids,
    )


def _undecided(situation: MailboxSituation, side: Side) -> HeldDeletions | None:
    """The hold of this side about which nobody has decided."""
    earlier, approved = situation.held, situation.approved
    # A directory that is back is a reason that has gone: what is missing from it is judged like anything else.
    if earlier is None or earlier.side is not side or earlier.reason == DIRECTORY_LOST:
        return None
    if approved is not None and approved.side is side and approved.since == earlier.since:
        return None
    return earlier


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
