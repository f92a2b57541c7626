"""A claimed tree of its own for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.model.flags import NO_FLAGS
from daemon.model.ids import AccountId
from daemon.store.maildir.open_maildir import OpenMaildir
from daemon.store.maildir.tree import MaildirTree
from daemon.store.pools import Pools


class Garden:
    """A tree and what the tests do to it from outside, as another program would."""

    def __init__(self, root: Path, pools: Pools) -> None:
        self.root = root
        self.pools = pools
        self.tree = self.another()

    def another(self, **options) -> MaildirTree:
        """The same tree seen by a process of its own."""
        settings = {"layout": "maildir++", "account": AccountId("work"), "store_id": "store-1"} | options
        return MaildirTree(self.root, pools=self.pools, **settings)

    def put(self, path: str, octets: bytes = b"Subject: x\r\n\r\nbody\r\n", mailbox: str = ".") -> Path:
        """A file that someone else put there."""
        file = self.root / mailbox / path
        file.write_bytes(octets)
        return file

    def names(self, part: str, mailbox: str = ".") -> list[str]:
        return sorted(path.name for path in (self.root / mailbox / part).iterdir())

    def maildir(self, mailbox: str = ".") -> OpenMaildir:
        return OpenMaildir(self.root, mailbox)

    async def deliver(
        self, *messages: bytes, flags=NO_FLAGS, mailbox: str = ".", internal_date=1_700_000_000
    ):
        """Messages that we delivered, by the entries that came of it."""
        async with self.tree.open_batch(mailbox) as batch:
            staged = await batch.write_many([(octets, internal_date) for octets in messages])
            names = [
                self.tree.new_name(size=one.content.file_size, wire_size=one.content.wire_size)
                for one in staged
            ]
            return await self.tree.publish(mailbox, staged, names, [flags] * len(staged))


@pytest.fixture
async def garden(tmp_path) -> AsyncIterator[Garden]:
    pools = Pools()
    garden = Garden(tmp_path / "mail" / "work", pools)
    await garden.tree.claim()
    yield garden
    await pools.close()
