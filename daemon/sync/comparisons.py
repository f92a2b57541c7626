r"""Whole comparisons: which mailboxes are compared message by message although no mark says that they have changed.

With mod-sequences a mark tells of every change; once a day it is not believed, and the mailbox is compared all the same
(faults.md S9), each at its own time of day. Without them no number tells of a flag: MESSAGES and UIDNEXT tell what came and
went, UNSEEN tells of `\Seen`, and for the rest all mailboxes are read in turn, those that went longest without it first,
INBOX and those where something happened lately in a turn of their own. How soon it is a mailbox's turn again follows from
how many octets an hour may be spent, so a small account is read in every pass and a large one is not read all the time.
Each is read once at the start, in the first pass that comes to its end, and again when a person asks.
"""

import json
import zlib
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from daemon.model.clock import Clock
from daemon.model.ids import INBOX, AccountId, MailboxName
from daemon.model.mailbox import MailboxRecord, RemoteMailbox
from daemon.store.store import Store
from daemon.sync.marks import differs

OCTETS_PER_MESSAGE: Final = 60
"""What the UID and flags of one message take on the line."""

OCTETS_PER_MAILBOX: Final = 500
"""What it takes to open one."""

OCTETS_PER_HOUR: Final = 12 * 1024 * 1024
"""For each of the turns. 200,000 messages are read once an hour, 3,000 every minute. Both turns at their limit take a quarter
of the 2,500 MB that Gmail allows in a day; servers without mod-sequences do not say what they allow.
"""

BURST_OCTETS: Final = OCTETS_PER_HOUR // 6
"""What may gather while nothing is read: ten minutes' worth."""

BUSY_SECONDS: Final = 3600
"""How long a mailbox where something happened is read more often than others."""

_DAY_SECONDS: Final = 24 * 3600
_COMPARED_AT: Final = "compared_at"


class Allowance:
    """Octets that may be spent; they come back with time. What is begun is finished, so it may be overdrawn.

    By how much is bounded: by one mailbox whose turn it was, and by an hour's worth for all that was read out of turn.
    """

    __slots__ = ("_at", "_octets")

    def __init__(self, now: float) -> None:
        self._octets = float(BURST_OCTETS)
        self._at = now

    def spend(self, octets: int) -> None:
        """Take so many, whether or not there are as many: what is asked for again and again leaves no more than an hour's
        debt, or nothing would have its turn any more.
        """
        self._octets = min(self._octets, max(self._octets - octets, -float(OCTETS_PER_HOUR)))

    def pick(self, costs: Iterable[tuple[MailboxName, int]], now: float) -> list[MailboxName]:
        """As many from the front as are allowed now, and paid for."""
        gained = max(now - self._at, 0.0) * OCTETS_PER_HOUR / 3600
        self._octets, self._at = min(self._octets + gained, BURST_OCTETS), now
        picked: list[MailboxName] = []
        for name, cost in costs:
            if self._octets <= 0:
                break
            self._octets -= cost
            picked.append(name)
        return picked


class Comparisons:
    """Decides pass by pass for one account.

    When a mailbox with mod-sequences was compared survives a restart; the others are all compared at each start. A pass that
    fails before its end has compared nothing: what it had chosen at a start or on request is chosen again by the next.
    """

    def __init__(self, *, account: AccountId, store: Store, clock: Clock) -> None:
        self._account = account
        self._store = store
        self._clock = clock
        now = clock.now()
        self._daily, self._busy, self._others = Allowance(now), Allowance(now), Allowance(now)
        self._compared_at: dict[MailboxName, float] | None = None
        self._is_changed = False
        self._started: set[MailboxName] = set()
        self._starting: set[MailboxName] = set()
        self._is_chosen = False
        self._busy_until: dict[MailboxName, float] = {}
        self._followed: dict[MailboxName, tuple[int, int]] = {}
        self._whole: set[MailboxName] = set()
        self._unseen: dict[MailboxName, tuple[int, int]] = {}

    def forget(self) -> None:
        """A person asks: compare every mailbox without mod-sequences in the next pass over all."""
        self._started.clear()
        self._starting.clear()

    def begin(self) -> None:
        """A pass begins, and nothing is chosen for it yet."""
        self._is_chosen = False
        self._starting = set()
        self._whole = set()
        self._unseen = {}

    def is_whole(self, mailbox: MailboxName) -> bool:
        """Whether every message is to be compared in this pass."""
        return mailbox in self._whole

    def is_unseen_other(self, mailbox: MailboxName) -> bool:
        """Whether the server counts other messages as unseen than there are here."""
        return mailbox in self._unseen

    async def choose(
        self,
        records: Mapping[MailboxName, MailboxRecord],
        listed: Mapping[MailboxName, RemoteMailbox],
        *,
        has_condstore: bool,
    ) -> None:
        """Choose for a pass over all these mailboxes; in one over some of them, nothing is `listed`.

        Once in a pass: one that looks again keeps to what is chosen, and paid for.
        """
        if self._is_chosen:
            return
        self._is_chosen = True
        compared_at = await self._load()
        now = self._clock.now()
        known = {name: record for name, record in records.items() if name in listed}
        self._whole.update(name for name, record in known.items() if not record.is_first_pass_done)
        numbered = {
            name: record for name, record in known.items() if has_condstore and record.highest_mod_seq
        }
        for name in numbered.keys() - compared_at.keys():
            compared_at[name] = now  # nobody knows: at its next time of day
            self._is_changed = True
        due = [name for name in numbered if self._is_day_over(name, compared_at[name], now)]
        self._whole.update(self._daily.pick(self._in_turn(due, compared_at, listed), now))
        rest = {name: record for name, record in known.items() if name not in numbered}
        if rest:
            await self._choose_unnumbered(rest, listed, compared_at, now)

    async def _choose_unnumbered(
        self,
        records: Mapping[MailboxName, MailboxRecord],
        listed: Mapping[MailboxName, RemoteMailbox],
        compared_at: Mapping[MailboxName, float],
        now: float,
    ) -> None:
        counts = await self._store.mailboxes.counts(self._account)
        for name, record in records.items():
            there = listed[name].unseen_count
            here = counts[name].unread if name in counts else 0
            # The same pair is followed once: some servers count otherwise, and a message that cannot be read is not here.
            if there is not None and there != here and self._followed.get(name) != (there, here):
                self._unseen[name] = (there, here)
            if name in self._unseen or differs(record, listed[name]):
                self._busy_until[name] = now + BUSY_SECONDS
        busy = {name for name in records if name == INBOX or self._busy_until.get(name, 0.0) > now}
        for allowance, names in ((self._busy, busy), (self._others, records.keys() - busy)):
            fresh = names - self._started
            for name, cost in self._in_turn(fresh, compared_at, listed):
                allowance.spend(cost)
                self._whole.add(name)
                self._starting.add(name)
            self._whole.update(
                allowance.pick(self._in_turn(names - fresh - self._whole, compared_at, listed), now)
            )

    async def complete(self, mailboxes: Collection[MailboxName]) -> None:
        """The pass has come to its end, and these mailboxes are as equal as it could make them.

        Of the others those that were to be compared at the start are the next in turn: what is never completed would
        otherwise be read in every pass.
        """
        self._started |= self._starting
        compared_at = await self._load()
        now = self._clock.now()
        done = self._whole.intersection(mailboxes)
        compared_at.update(dict.fromkeys(done, now))
        self._followed.update({name: pair for name, pair in self._unseen.items() if name in mailboxes})
        if done or self._is_changed:
            await self._save(compared_at)

    def _is_day_over(self, mailbox: MailboxName, compared_at: float, now: float) -> bool:
        """Whether the mailbox's own time of day has passed since; a time to come is none to believe."""
        own = zlib.crc32(f"{self._account}/{mailbox}".encode()) % _DAY_SECONDS
        return compared_at > now or (compared_at - own) // _DAY_SECONDS < (now - own) // _DAY_SECONDS

    @staticmethod
    def _in_turn(
        names: Iterable[MailboxName],
        compared_at: Mapping[MailboxName, float],
        listed: Mapping[MailboxName, RemoteMailbox],
    ) -> list[tuple[MailboxName, int]]:
        """With what each costs, the one whose turn is longest ago first."""
        return [
            (name, OCTETS_PER_MAILBOX + OCTETS_PER_MESSAGE * (listed[name].message_count or 0))
            for name in sorted(names, key=lambda name: (compared_at.get(name, 0.0), name))
        ]

    async def _load(self) -> dict[MailboxName, float]:
        if self._compared_at is None:
            raw = await self._store.facts.get(self._account, _COMPARED_AT)
            self._compared_at = {MailboxName(name): float(at) for name, at in json.loads(raw or "{}").items()}
        return self._compared_at

    async def _save(self, compared_at: Mapping[MailboxName, float]) -> None:
        """Keep the times of mailboxes with mod-sequences: the others are compared at each start."""
        records = await self._store.mailboxes.list(self._account)
        kept = {
            record.name: int(compared_at[record.name])
            for record in records
            if record.highest_mod_seq and record.name in compared_at
        }
        text = json.dumps(kept, ensure_ascii=False, sort_keys=True) if kept else None
        await self._store.facts.set(self._account, _COMPARED_AT, text)
        self._is_changed = False
