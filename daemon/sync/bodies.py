"""Digests of messages on the server, for proof that two are the same octets; nothing is kept."""

import hashlib
from collections.abc import Mapping
from typing import Final

from daemon.model.ids import Uid
from daemon.model.uidset import UidSet
from daemon.net.imap.client import ImapClient

HEADERS_AT_ONCE: Final = 250  # digested before the next are asked for: a header may have 64 KiB


class DigestSink:
    """A sink that keeps nothing but the SHA-256."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()

    @property
    def backlog_bytes(self) -> int:
        return 0

    @property
    def sha256(self) -> bytes:
        return self._sha256.digest()

    def write(self, data: memoryview) -> None:
        self._sha256.update(data)

    async def drain(self) -> None:
        """Nothing is ever pending."""

    async def end(self) -> None:
        """The digest is complete."""

    def abort(self) -> None:
        """Nothing was written that would have to be removed."""


async def wire_digests(client: ImapClient, sizes: Mapping[Uid, int]) -> dict[Uid, bytes]:
    """SHA-256 of each message's octets in the selected mailbox; what the server refuses is left out."""
    sinks: dict[Uid, DigestSink] = {}

    def sink_for(uid: Uid, _size: int) -> DigestSink:
        return sinks.setdefault(uid, DigestSink())

    digests: dict[Uid, bytes] = {}
    async for body in client.fetch_bodies(UidSet(sizes), sizes, sink_for=sink_for):
        if body.octets is not None:
            digests[body.uid] = hashlib.sha256(body.octets).digest()
        elif body.uid in sinks and body.sink is not None:
            digests[body.uid] = sinks[body.uid].sha256
    return digests


async def header_digests(client: ImapClient, uids: UidSet) -> dict[Uid, bytes]:
    """SHA-256 of each message's header block in the selected mailbox; what the server does not answer is left out."""
    digests: dict[Uid, bytes] = {}
    for part in uids.chunks(HEADERS_AT_ONCE):
        for uid, header in (await client.fetch_headers(part)).items():
            digests[uid] = hashlib.sha256(header).digest()
    return digests
