"""Messages removed from a maildrop by the account's `leave_on_server`, and never one that is not stored here.

A message that was fetched in this very session may go once its sighting is durable. One of an earlier session goes only
when its unique id and size are those it was seen with, the id is beyond doubt, and TOP 0, where it works, shows the same
header (sync.md 25). Nothing counts as deleted before QUIT was answered (RFC 1939 §6). What lies here does not matter:
whether a file was deleted locally has no say (decisions.md 4).
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import MessageUnavailable, ServerRefused, Throttled
from daemon.model.ids import AccountId
from daemon.model.maildrop import Sighting
from daemon.net.pop3.client import MaildropEntry, Pop3Client
from daemon.store.store import Store
from daemon.sync.maildrop_plan import Comparison, due_for_removal
from daemon.wire import mime

ANNOUNCE_ABOVE: Final = 100  # messages that are removed at the first go without a word (decisions.md 4)
_ANNOUNCED: Final = "pop3.removal_announced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removals:
    """Decides what leaves the maildrop of one account, and has it deleted."""

    account: AccountId
    leave_on_server: bool | int
    store: Store
    clock: Clock
    log: FilteringBoundLogger

    async def mark(
        self,
        client: Pop3Client,
        listed: Sequence[MaildropEntry],
        comparison: Comparison,
        fetched: Collection[int],
    ) -> tuple[tuple[int, ...], int]:
        """Rows of the messages that are marked for deletion now, and how many were announced instead.

        `comparison` is of the state after the download; `fetched` are the numbers fetched in this session.
        """
        if self.leave_on_server is True:
            return (), 0
        now = self.clock.now()
        seen_before = now if self.leave_on_server is False else now - self.leave_on_server
        due = {one.number: one for one in await self.store.maildrop.due(self.account, seen_before)}
        wanted = due_for_removal(
            listed,
            [(number, due[row]) for number, row in zip(*comparison.known, strict=True) if row in due],
            comparison.doubtful,
            seen_before=seen_before,
        )
        if await self._is_to_be_announced(len(wanted)):
            return (), len(wanted)
        wanted = await self._proved(client, wanted, fetched)
        if not wanted:
            return (), 0
        rows = [one.number for _, one in wanted if one.number is not None]
        # before DELE: once it is said, nothing seen under these ids proves anything, whatever becomes of QUIT
        await self.store.maildrop.note_removed(self.account, rows, now)
        verdicts = await client.dele([entry.number for entry, _ in wanted])
        marked: list[int] = []
        for (entry, one), refusal in zip(wanted, verdicts, strict=True):
            if refusal is not None:
                self.log.warning("deletion.refused", number=entry.number, reason=refusal.reason)
            elif one.number is not None:
                marked.append(one.number)
        await self.store.maildrop.note_removed(self.account, set(rows).difference(marked), None)
        return tuple(marked), 0

    async def _is_to_be_announced(self, count: int) -> bool:
        """Whether this poll only says what the next one will remove: the first time it is many."""
        if not count or await self.store.facts.get(self.account, _ANNOUNCED) is not None:
            return False
        await self.store.facts.set(self.account, _ANNOUNCED, str(count))
        if count <= ANNOUNCE_ABOVE:
            return False
        self.log.warning("removal.announced", messages=count, leave_on_server=self.leave_on_server)
        return True

    async def _proved(
        self,
        client: Pop3Client,
        wanted: Sequence[tuple[MaildropEntry, Sighting]],
        fetched: Collection[int],
    ) -> list[tuple[MaildropEntry, Sighting]]:
        """Those whose header is the one that was stored; fetched in this session is proof enough."""
        proved: list[tuple[MaildropEntry, Sighting]] = []
        has_top = True
        for entry, one in wanted:
            if entry.number not in fetched and has_top:
                try:
                    digest = await header_digest(client, entry.number)
                except Throttled:
                    raise
                except ServerRefused:
                    has_top = False  # not offered: id and size are what there is (sync.md 25)
                except MessageUnavailable:
                    continue
                else:
                    if digest != one.header_sha256:
                        self.log.warning("deletion.doubtful", number=entry.number, uidl=entry.uidl)
                        continue
            proved.append((entry, one))
        return proved


async def header_digest(client: Pop3Client, number: int) -> bytes:
    """SHA-256 of the message's header block with its empty line, by TOP; raises what `client.top` raises."""
    header = mime.header_block(await client.top(number))
    if not header.endswith((b"\r\n\r\n", b"\n\n")) and header not in {b"\r\n", b"\n"}:
        header += b"\r\n"  # QUIRK some servers leave the empty line out
    return hashlib.sha256(header.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")).digest()
