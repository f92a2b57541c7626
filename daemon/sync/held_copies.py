"""Messages whose octets are held here already: copied within the tree, not fetched (sync.md 2).

The server's own name for the octets says so (EMAILID, X-GM-MSGID), with equal size; what was read is compared with the
digest in the index before it counts. A copy then goes the way of any other download, and whatever cannot be copied is
fetched.
"""

import hashlib
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Final

from daemon.model.errors import StoreError
from daemon.model.ids import AccountId, Uid
from daemon.model.message import Message
from daemon.model.views import RemoteEntry
from daemon.store.maildir.tree import MaildirTree
from daemon.store.store import Store
from daemon.sync.filling import Filling

GATHERED_BYTES: Final = 1024 * 1024  # as for what arrives on the line: more goes through a sink


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCopies:
    """Copies within one account."""

    account: AccountId
    store: Store
    tree: MaildirTree

    async def copy(self, entries: Collection[RemoteEntry], filling: Filling[RemoteEntry]) -> frozenset[Uid]:
        """UIDs of the messages that were taken from the tree."""
        names = {entry.email_id for entry in entries if entry.email_id is not None}
        holders = await self.store.email_ids.holders(self.account, names) if names else {}
        messages = await self.store.messages.get_many(set(holders.values())) if holders else {}
        copied = set[Uid]()
        for entry in entries:
            holder = holders.get(entry.email_id) if entry.email_id is not None else None
            message = messages.get(holder) if holder is not None else None
            if message is None or entry.size != message.content.wire_size:
                continue
            if await self._copy(entry, message, filling):
                copied.add(entry.uid)
        return frozenset(copied)

    async def _copy(self, entry: RemoteEntry, message: Message, filling: Filling[RemoteEntry]) -> bool:
        size, digest = message.content.wire_size, message.content.wire_sha256
        if size <= GATHERED_BYTES:
            octets = b"".join([chunk async for chunk in self._chunks(message)])
            if hashlib.sha256(octets).digest() != digest:
                return False
            await filling.take(entry, octets)
            return True
        sink = filling.sink(entry, size)
        sha256, left = hashlib.sha256(), size
        async for chunk in self._chunks(message):
            left -= len(chunk)
            if left < 0:
                break
            sha256.update(chunk)
            sink.write(memoryview(chunk))
            await sink.drain()
        if left or sha256.digest() != digest:
            sink.abort()
            return False
        await sink.end()
        return await filling.take_sunk(entry)

    async def _chunks(self, message: Message) -> AsyncIterator[bytes]:
        """The file in wire form; it simply ends where the file cannot be read, which its digest then shows."""
        try:
            async for chunk in self.tree.wire_chunks(message.directory, message.maildir_name):
                yield chunk
        except StoreError:
            return
