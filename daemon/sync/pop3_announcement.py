"""The first removal of many messages from a maildrop is said for one poll before it begins (decisions.md 4).

An announcement stands for the messages it counted and for the setting it was made under. It is used up only by a poll
after one that ended well and was shown; another setting, or a poll that leaves everything there, takes it back. Once a
setting has begun to remove, what comes due under it goes without a word. Durable; no network.
"""

from collections.abc import Sequence
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.ids import AccountId
from daemon.net.pop3.values import MaildropEntry
from daemon.store.store import Store

ANNOUNCE_ABOVE: Final = 100  # messages that are removed at the first go without a word (decisions.md 4)
_FACT: Final = (
    "pop3.removal_announced"  # "SETTING ROW": up to which row it was said; "SETTING *": it has begun
)
_BEGUN: Final = "*"


class Announcement:
    """What may be removed now, and what is only said; of one account."""

    def __init__(
        self, *, account: AccountId, leave_on_server: bool | int, store: Store, log: FilteringBoundLogger
    ) -> None:
        self._account = account
        self._store = store
        self._log = log
        self._leave_on_server = leave_on_server
        self._setting = str(int(leave_on_server))
        self._next: str | None = None
        self._is_withdrawn = False

    async def withdraw(self) -> None:
        """Nothing is removed any more: what was said is void. Costs a look at the store once in a life."""
        if self._is_withdrawn:
            return
        if await self._store.facts.get(self._account, _FACT) is not None:
            await self._store.facts.set(self._account, _FACT, None)
        self._is_withdrawn = True

    async def allowed(
        self, wanted: Sequence[tuple[MaildropEntry, int]]
    ) -> tuple[Sequence[tuple[MaildropEntry, int]], int]:
        """Those of these messages with their rows that may be removed by this poll, and how many it only announces."""
        self._next = None
        said = await self._said_up_to()
        if not wanted or said == _BEGUN:
            return wanted, 0
        ready = [one for one in wanted if one[1] <= int(said)]
        count = len(wanted) - len(ready)
        if count <= ANNOUNCE_ABOVE:
            self._next = f"{self._setting} {_BEGUN}"
            return wanted, 0
        self._next = f"{self._setting} {max(row for _, row in wanted)}"
        self._log.warning("removal.announced", messages=count, leave_on_server=self._leave_on_server)
        return ready, count

    async def confirm(self) -> None:
        """The poll ended well, and what it announced was shown."""
        if self._next is not None:
            await self._store.facts.set(self._account, _FACT, self._next)
            self._next = None

    async def _said_up_to(self) -> str:
        words = (await self._store.facts.get(self._account, _FACT) or "").split()
        return words[1] if len(words) == 2 and words[0] == self._setting else "0"
