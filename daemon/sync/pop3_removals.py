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
from daemon.model.ids import AccountId
from daemon.net.pop3.client import MaildropEntry, Pop3Client
from daemon.store.store import Store
from daemon.sync.maildrop_plan import Comparison, due_for_removal
from daemon.sync.pop3_announcement import Announcement
from daemon.wire import mime

_SLICE: Final = 500
_HEADERS_AT_ONCE: Final = 32  # a header may have a megabyte


@dataclass(frozen=True, slots=True, kw_only=True)
class Removals:
    """Decides what leaves the maildrop of one account, and has it deleted."""

    account: AccountId
    leave_on_server: bool | int
    announcement: Announcement
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
            await self.announcement.withdraw()
            return (), 0
        now = self.clock.now()
        due = None
        if self.leave_on_server is not False:
            due = await self.store.maildrop.due(self.account, now - self.leave_on_server)
        wanted = due_for_removal(listed, comparison, due)
        allowed, announced = await self.announcement.allowed(wanted)
        marked: list[int] = []
        for start in range(0, len(allowed), _SLICE):
            proved = await self._proved(client, allowed[start : start + _SLICE], fetched)
            marked.extend(await self._removed(client, proved, now))
        return tuple(marked), announced

    async def _removed(
        self, client: Pop3Client, proved: Sequence[tuple[MaildropEntry, int]], now: float
    ) -> list[int]:
        """Rows of those that the server has marked."""
        rows = [row for _, row in proved]
        # before DELE: once it is said, nothing seen under these ids proves anything, whatever becomes of QUIT
        await self.store.maildrop.note_removed(self.account, rows, now)
        verdicts = await client.remove([entry for entry, _ in proved])
        kept: list[int] = []
        for (entry, row), refusal in zip(proved, verdicts, strict=True):
            if refusal is not None:
                self.log.warning("deletion.refused", number=entry.number, reason=refusal.reason)
                kept.append(row)
        await self.store.maildrop.note_removed(self.account, kept, None)
        return [row for row in rows if row not in set(kept)]

    async def _proved(
        self, client: Pop3Client, wanted: Sequence[tuple[MaildropEntry, int]], fetched: Collection[int]
    ) -> list[tuple[MaildropEntry, int]]:
        """Those whose header is the one that was stored; fetched in this session is proof enough.

        A message whose header is refused stays for this time. Where there is no TOP at all, id and size are what there is
        (sync.md 25).
        """
        doubtful = {entry.number: row for entry, row in wanted if entry.number not in fetched}
        digests = await header_digests(client, list(doubtful)) if doubtful else None
        if digests is None:
            return list(wanted)
        stored = {
            one.number: one.header_sha256 for one in await self.store.maildrop.get_many(doubtful.values())
        }
        proved: list[tuple[MaildropEntry, int]] = []
        for entry, row in wanted:
            if entry.number in fetched or digests.get(entry.number) == stored[row]:
                proved.append((entry, row))
            else:
                self.log.warning(
                    "deletion.doubtful",
                    number=entry.number,
                    uidl=entry.uidl,
                    reason="header_changed" if entry.number in digests else "header_refused",
                )
        return proved


async def header_digests(client: Pop3Client, numbers: Sequence[int]) -> dict[int, bytes] | None:
    """SHA-256 of each message's header block with its empty line, by TOP, without those the server does not show.

    None where it has no TOP. Raises Throttled when it asks for patience.
    """
    found: dict[int, bytes] = {}
    for start in range(0, len(numbers), _HEADERS_AT_ONCE):
        headers = await client.tops(numbers[start : start + _HEADERS_AT_ONCE])
        if headers is None:
            return None
        found |= {number: _digest(header) for number, header in headers.items() if isinstance(header, bytes)}
    return found


def _digest(octets: bytes) -> bytes:
    header = mime.header_block(octets)
    if not header.endswith((b"\r\n\r\n", b"\n\n")) and header not in {b"\r\n", b"\n"}:
        header += b"\r\n"  # QUIRK some servers leave the empty line out
    return hashlib.sha256(header.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")).digest()
