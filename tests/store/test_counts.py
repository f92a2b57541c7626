"""Counts are moved, never counted again, and always true."""

import random

from sqlalchemy import func, select

from daemon.model.flags import FLAGGED, NO_FLAGS, SEEN
from daemon.model.ids import INBOX
from daemon.model.mailbox import MailboxCounts
from daemon.model.operations import OperationKind, OperationState
from daemon.store.base import FlagUpdate
from daemon.store.counts import CountBook
from daemon.store.tables_index import MAILBOX, MESSAGE
from tests.store.samples import (
    ARCHIVE,
    HOME,
    VALIDITY,
    WORK,
    arrival,
    fill,
    mailbox,
    maildir_name,
    message_id,
    operation,
    tombstone,
)


def test_book_sums_mailboxes_by_account():
    book = CountBook()
    book.add(1, WORK, INBOX, 5, 2)
    book.add(2, WORK, ARCHIVE, 3, 0)
    book.add(3, HOME, INBOX, 1, 1)
    book.shift([(1, (2, -1)), (99, (5, 5))])
    assert book.of_account(WORK) == MailboxCounts(total=10, unread=1)
    assert book.of_mailboxes(WORK) == {
        INBOX: MailboxCounts(total=7, unread=1),
        ARCHIVE: MailboxCounts(total=3, unread=0),
    }
    book.drop(1)
    book.drop(1)
    assert book.of_account(WORK) == MailboxCounts(total=3, unread=0)
    assert book.of_account("nobody") == MailboxCounts(total=0, unread=0)


async def counted(store):
    """What counting gives, by account and mailbox."""

    unread = func.count().filter(MESSAGE.c.is_unread.is_(True))

    def query(connection):
        rows = connection.execute(
            select(MAILBOX.c.account, MAILBOX.c.name, func.count(), unread)
            .select_from(MESSAGE.join(MAILBOX, MAILBOX.c.id == MESSAGE.c.mailbox_id))
            .where(MESSAGE.c.is_hidden.is_(False))
            .group_by(MAILBOX.c.account, MAILBOX.c.name)
        )
        return {(row[0], row[1]): (row[2], row[3]) for row in rows}

    return await store._readers.index(query)


async def test_counts_stay_true_through_any_changes(open_store):
    """Arrivals, moves, flags, wishes, burials and removals in a random order."""
    store = await open_store()
    seed = random.randrange(10**9)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for account, name in ((WORK, INBOX), (WORK, ARCHIVE), (HOME, INBOX)):
        await store.mailboxes.save(mailbox(account, name))
    flags = (NO_FLAGS, frozenset({SEEN}), frozenset({SEEN, FLAGGED}))
    for step in range(150):
        number = chance.randrange(1, 30)
        match chance.randrange(8):
            case 0 | 1:
                name = chance.choice((INBOX, ARCHIVE))
                some = {number, chance.randrange(1, 30)}
                await store.base.confirm(
                    WORK, name, VALIDITY, [arrival(each, flags=chance.choice(flags)) for each in some]
                )
            case 2:
                await store.base.record_flags(
                    WORK, INBOX, [FlagUpdate(message_id=message_id(number), flags=chance.choice(flags))]
                )
            case 3:
                await store.operations.ask(operation(1000 + step, number))
            case 4:
                await store.operations.ask(
                    operation(1000 + step, number, OperationKind.FLAGS, add=chance.choice(flags))
                )
            case 5:
                for pending in await store.operations.pending(WORK):
                    if pending.message_id == message_id(number):
                        await store.operations.finish(pending.id, OperationState.FAILED)
            case 6:
                await store.tombstones.bury([tombstone(number)])
                await store.tombstones.unlinked(WORK, [(INBOX, maildir_name(number))])
            case _:
                await store.base.remove(WORK, INBOX, [message_id(number)])
        shown = {
            (account, name): (counts.total, counts.unread)
            for account in (WORK, HOME)
            for name, counts in (await store.mailboxes.counts(account)).items()
            if counts.total
        }
        assert shown == await counted(store), step
    await store.close()
    # Opening lays pending wishes over the index again, so the numbers may be others than before; they must be true.
    store = await open_store()
    there = await counted(store)
    total = sum(total for (account, _), (total, _) in there.items() if account == WORK)
    unread = sum(unread for (account, _), (_, unread) in there.items() if account == WORK)
    assert store.counts_of(WORK) == MailboxCounts(total=total, unread=unread)


async def test_counts_are_counted_again_after_an_unclean_end(open_store):
    store = await open_store()
    await fill(store, range(1, 6))
    await store._writer.index(lambda tx: tx.connection.exec_driver_sql("UPDATE mailbox SET shown_total = 77"))
    store._writer._index.damage = None
    store._readers.has_found_damage = True  # so that it is not marked as clean
    await store.close()
    assert (await open_store()).counts_of(WORK) == MailboxCounts(total=5, unread=5)
