"""A mailbox that is renumbered while the account watches it: the account is in step again by itself."""

import asyncio

import pytest

from daemon.demo.imap.server import ImapServer
from daemon.demo.mailbox import User
from daemon.model.events import EventName
from daemon.model.ids import AccountId
from daemon.model.message import MessageQuery
from daemon.model.states import AccountState as S

COUNT = 20
WORK = AccountId("work")


@pytest.fixture
async def server():
    user = User("me", "secret")
    box = user.find("INBOX") or user.create("INBOX")
    for number in range(COUNT):
        box.deliver(
            b"Subject: %d\r\n\r\n%s\r\n" % (number, b"x" * number),
            internal_date=1_700_000_000 + number,
        )
    async with ImapServer([user]) as running:
        yield running, box


async def shown(house) -> set[str]:
    return {one.id for one in (await house.store.messages.page(MessageQuery(limit=100))).items}


async def is_followed(house, validity: int) -> None:
    """Return when the mailbox has been brought in step under these numbers."""
    async with asyncio.timeout(10):
        while True:
            [record] = await house.store.mailboxes.list(WORK)
            if record.is_first_pass_done and record.uid_validity == validity:
                return
            await asyncio.sleep(0.01)


async def test_numbers_that_change_while_the_account_idles_end_in_the_same_messages(
    open_house, imap_account, server
) -> None:
    running, box = server
    house = await open_house(imap_account(running.port))
    await house.reaches(S.IDLE)
    before = await shown(house)
    for validity in (4711, 4712):
        box.reset(validity)
        await is_followed(house, validity)
        await house.reaches(S.IDLE)
        assert await shown(house) == before
    events = await house.store.events.since(None, limit=1000)
    names = [event.name for event in events]
    assert names.count(EventName.MAILBOX_RESET) == 2
    assert EventName.MESSAGE_DELETED not in names
    assert EventName.MESSAGE_NEW not in names
    assert len(box.messages) == COUNT
    finished = [event.data for event in events if event.name is EventName.SYNC_FINISHED]
    assert sum(data["downloaded"] for data in finished) == COUNT
    assert not any(data["uploaded"] or data["removed_here"] or data["expunged_there"] for data in finished)
