"""Pages, newest first, whatever changes between them."""

import pytest
from sqlalchemy import text

from daemon.model.errors import NotFound
from daemon.model.flags import NO_FLAGS, SEEN
from daemon.model.ids import INBOX
from daemon.model.message import Message, MessageQuery
from daemon.store.messages import _key_statement
from tests.store.samples import (
    ARCHIVE,
    HOME,
    VALIDITY,
    WORK,
    arrival,
    content,
    fill,
    mailbox,
    maildir_name,
    message_id,
    operation,
)


async def numbers(store, **query):
    page = await store.messages.page(MessageQuery(**query))
    return [int(item.id, 16) for item in page.items]


async def test_message_has_everything_the_api_shows(store):
    await store.mailboxes.save(mailbox(name=ARCHIVE))
    await store.base.confirm(
        WORK, ARCHIVE, VALIDITY, [arrival(1, content=content(1, bare_lf=True), flags=frozenset({SEEN}))]
    )
    expected = Message(
        id=message_id(1),
        account=WORK,
        mailbox=ARCHIVE,
        directory=".Archive",
        maildir_name=maildir_name(1),
        uid=1,
        flags=frozenset({SEEN}),
        internal_date=1_600_000_001,
        content=content(1, bare_lf=True),
    )
    assert await store.messages.get(message_id(1)) == expected
    assert await store.messages.by_name(WORK, ARCHIVE, maildir_name(1)) == expected
    assert (await store.messages.page(MessageQuery())).items == (expected,)
    assert await store.messages.by_name(WORK, INBOX, maildir_name(1)) is None


@pytest.mark.parametrize("unknown", ["", "x", "0" * 31, "0" * 32, "0" * 31 + "G"])
async def test_unknown_message_is_not_found(store, unknown):
    with pytest.raises(NotFound) as refused:
        await store.messages.get(unknown)
    assert refused.value.reason == "message_unknown"


async def test_pages_are_newest_first_over_all_accounts(store):
    await fill(store, range(1, 20, 3))
    await fill(store, range(2, 20, 3), account=HOME)
    await fill(store, range(3, 20, 3), name=ARCHIVE)
    assert await numbers(store) == list(range(19, 0, -1))
    assert await numbers(store, account=HOME) == list(range(17, 0, -3))
    assert await numbers(store, account=WORK, mailbox=ARCHIVE) == list(range(18, 0, -3))
    assert await numbers(store, mailbox=INBOX, limit=4) == [19, 17, 16, 14]
    assert await numbers(store, account="nobody") == []
    assert await numbers(store, account=WORK, mailbox="None") == []


async def test_pages_follow_each_other_without_loss_or_repetition(store):
    """Many messages of one second; messages arrive and leave between the pages."""
    await fill(store, range(1, 30), internal_date=1_600_000_000)
    await fill(store, range(31, 50), account=HOME, internal_date=1_600_000_000)
    seen, after = [], None
    for step in range(100):
        page = await store.messages.page(MessageQuery(limit=7, after=after))
        seen += [int(item.id, 16) for item in page.items]
        if page.next_after is None:
            break
        after = page.next_after
        await fill(store, [1000 + step], internal_date=1_700_000_000)
        await store.base.remove(WORK, INBOX, [page.items[-1].id])
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 48


async def test_last_page_that_is_full_has_no_next(store):
    await fill(store, range(1, 8))
    page = await store.messages.page(MessageQuery(limit=7))
    assert (len(page.items), page.next_after) == (7, None)


async def test_unread_and_read_are_told_apart_and_hidden_left_out(store):
    await fill(store, [1, 3], flags=NO_FLAGS)
    await fill(store, [2, 4], flags=frozenset({SEEN}))
    assert await numbers(store, unread=True) == [3, 1]
    assert await numbers(store, unread=False) == [4, 2]
    await store.operations.ask(operation(101, 3))
    assert await numbers(store) == [4, 2, 1]
    assert (await store.messages.get(message_id(3))).is_hidden


@pytest.mark.parametrize("limit", [-1, 0, 10**9])
async def test_absurd_limits_are_bounded(store, limit):
    await fill(store, [1, 2])
    assert 1 <= len(await numbers(store, limit=limit)) <= 2


@pytest.mark.parametrize(
    ("condition", "unread", "index"),
    [
        ("message.mailbox_id = 1", None, "ix_message_mailbox_id_internal_date_id"),
        ("message.account = 'work'", None, "ix_message_account_internal_date_id"),
        ("message.account = 'work'", True, "ix_message_unread"),
    ],
)
async def test_pages_walk_an_index_in_order(store, condition, unread, index):
    """No sort over a mailbox, whatever its size."""
    for after in (None, (1_600_000_000, message_id(1))):
        statement = _key_statement(MessageQuery(unread=unread, after=after), 51)

        def query(connection, statement=statement):
            compiled = statement.where(text(condition)).compile(connection)
            values = tuple(compiled.params[name] for name in compiled.positiontup)
            return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values)]

        plan = " ".join(await store._readers.index(query))
        assert index in plan
        assert "TEMP B-TREE" not in plan


async def test_many_at_once_leave_out_what_is_unknown(store):
    await fill(store, [1, 2])
    found = await store.messages.get_many([message_id(1), message_id(2), message_id(3)])
    assert {each: message.id for each, message in found.items()} == {
        message_id(1): message_id(1),
        message_id(2): message_id(2),
    }


async def test_alike_are_those_of_the_same_date_and_size_of_file_or_wire(store):
    await fill(store, [1], content=content(1, bare_lf=True))
    await fill(store, [2, 3])
    date = 1_600_000_001
    for size in (1001, 1008):
        assert await store.messages.alike(WORK, [(date, size)]) == {INBOX: {message_id(1)}}
    assert await store.messages.alike(WORK, [(date, 1002), (date + 1, 1001)]) == {}
    assert await store.messages.alike(HOME, [(date, 1001)]) == {}


async def test_arrivals_count_by_mailbox_from_a_date_on(store):
    await store.mailboxes.save(mailbox(), mailbox(name=ARCHIVE))
    await store.base.confirm(WORK, INBOX, VALIDITY, [arrival(1), arrival(2)])
    await store.base.confirm(WORK, ARCHIVE, VALIDITY, [arrival(3)])
    assert await store.messages.arrivals(WORK, 1_600_000_000) == {INBOX: 2, ARCHIVE: 1}
    assert await store.messages.arrivals(WORK, 1_600_000_002) == {INBOX: 1, ARCHIVE: 1}
    assert await store.messages.arrivals(WORK, 1_600_000_004) == {}
    assert await store.messages.arrivals(HOME, 0) == {}


async def test_names_elsewhere_are_those_of_other_mailboxes_of_the_account(store):
    await fill(store, [1, 2])
    await fill(store, [3], name=ARCHIVE)
    await fill(store, [4], account=HOME)
    wanted = [maildir_name(number) for number in (1, 3, 4, 9)]
    assert await store.messages.names_elsewhere(WORK, INBOX, wanted) == {maildir_name(3)}
    assert await store.messages.names_elsewhere(WORK, ARCHIVE, wanted) == {maildir_name(1)}
    assert await store.messages.names_elsewhere(WORK, ARCHIVE, []) == frozenset()


async def test_octets_elsewhere_are_those_of_other_mailboxes_of_the_account(store):
    await fill(store, [1, 2])
    await store.mailboxes.save(mailbox(WORK, ARCHIVE))
    first = content(1).file_sha256
    assert await store.messages.octets_elsewhere(WORK, INBOX, [first]) == frozenset()
    assert await store.messages.octets_elsewhere(WORK, ARCHIVE, [first, b"?"]) == {first}
    assert await store.messages.octets_elsewhere(HOME, ARCHIVE, [first]) == frozenset()
