"""The maildrop as listed: joined, cross-checked, and dropped when it cannot be relied on."""

import pytest

from daemon.model.errors import ConnectionLost, RemoteProtocolError, ServerRefused, Throttled
from daemon.net.pop3.values import MaildropEntry

ONE_BY_ONE = (b"USER", b"UIDL")


def listing(stat, uidl, sizes, *more):
    """A script that answers STAT, UIDL and LIST, each a line or several."""

    async def script(part):
        for word, answer in ((b"STAT", stat), (b"UIDL", uidl), (b"LIST", sizes), *more):
            lines = [answer] if isinstance(answer, bytes) else [b"+OK", *answer, b"."]
            await part.answer(word, *lines)
        await part.stay()

    return script


async def listed(play, *answers, **options):
    client = await play(listing(*answers), **options)
    return [(one.number, one.uidl, one.size) for one in await client.list_messages()]


@pytest.mark.parametrize("caps", [(b"USER", b"UIDL", b"PIPELINING"), ONE_BY_ONE, (b"USER", b"TOP"), None])
async def test_ids_and_sizes_are_joined(play, caps):
    """UIDL is tried where CAPA does not name it, and where there is no CAPA."""
    got = await listed(play, b"+OK 2 300", (b"1 a", b"2 b"), (b"1 100", b"2 200"), caps=caps)
    assert got == [(1, "a", 100), (2, "b", 200)]


async def test_empty_maildrop_is_empty(play):
    assert await listed(play, b"+OK 0 0", (), ()) == []

    async def script(part):
        await part.answer(b"STAT", b"+OK 0 0")
        await part.answer(b"NOOP", b"+OK")
        await part.stay()

    client = await play(script, caps=ONE_BY_ONE)
    assert await client.list_messages() == ()
    await client.noop()


@pytest.mark.parametrize("answer", [b"-ERR unknown command", b"-ERR UIDL command unavailable"])
async def test_server_without_uidl_gives_no_ids(play, answer):
    """P3."""
    got = await listed(play, b"+OK 2 300", answer, (b"1 100", b"2 200"))
    assert got == [(1, None, 100), (2, None, 200)]


@pytest.mark.parametrize("answer", [b"-ERR [SYS/TEMP] index is being rebuilt", b"-ERR [IN-USE] locked"])
@pytest.mark.parametrize("busy", range(3), ids=["STAT", "UIDL", "LIST"])
async def test_busy_server_is_asked_another_time_and_is_none_without_ids_or_sizes(play, busy, answer):
    answers = [b"+OK 1 1", (b"1 a",), (b"1 100",)]
    answers[busy] = answer
    with pytest.raises(Throttled):
        await listed(play, *answers)


async def test_server_without_sizes_or_stat_gives_none(play):
    assert await listed(play, b"-ERR", (b"1 a",), b"-ERR") == [(1, "a", None)]
    with pytest.raises(ServerRefused):
        await listed(play, b"+OK 1 1", b"-ERR no", b"-ERR no")


async def test_doubtful_lines_lose_no_message(play):
    """P4 and P5."""
    got = await listed(
        play,
        b"+OK 5 -17",
        (b"1  same", b"2 same", b"3", b"5 " + b"long" * 50),
        (b"1 0", b"2 -5", b"3 100000000000000000000", b"4 40", b"5 50"),
    )
    assert got == [
        (1, "same", 0),
        (2, "same", None),
        (3, None, None),
        (4, None, 40),
        (5, "long" * 50, 50),
    ]


async def test_mail_that_came_between_waits_for_the_next_session(play):
    got = await listed(play, b"+OK 2 300", (b"1 a", b"2 b"), (b"1 100", b"2 200", b"3 300"))
    assert got == [(1, "a", 100), (2, "b", 200)]


@pytest.mark.parametrize(
    ("uidl", "sizes"),
    [
        ((b"1 a", b"2 b", b"3 c", b"2 other"), (b"1 100", b"2 200", b"3 3")),
        ((b"1 a", b"2 b", b"3 c"), (b"1 100", b"2 200", b"3 3", b"3 4")),
    ],
)
async def test_listing_that_contradicts_itself_drops_the_session(play, uidl, sizes):
    """P12."""
    with pytest.raises(RemoteProtocolError) as caught:
        await listed(play, b"+OK 3 600", uidl, sizes)
    assert caught.value.reason == "maildrop_changed"


AB = (b"1 a", b"2 b")
SIZES = (b"1 100", b"2 200")


@pytest.mark.parametrize(
    ("stat", "uidl", "sizes"),
    [
        (b"+OK 2 300", AB, SIZES),  # it shrank while it was listed
        (b"+OK 0 0", (), ()),
        (b"+OK 4 300", AB, SIZES),
        (b"+OK 3 300", (b"1 b", b"2 c"), SIZES),
        (b"+OK 3 300", AB, (b"1 100", b"2 201")),
        (b"+OK 3 300", (b"1 a",), (b"1 100",)),
    ],
)
async def test_maildrop_counted_larger_than_listed_that_is_another_when_asked_again_is_dropped(
    play, stat, uidl, sizes
):
    """P12."""
    with pytest.raises(RemoteProtocolError) as caught:
        await listed(play, b"+OK 3 600", AB, SIZES, *again(stat, uidl, sizes))
    assert caught.value.reason == "maildrop_changed"


@pytest.mark.parametrize("caps", [(b"USER", b"UIDL", b"PIPELINING"), ONE_BY_ONE])
async def test_maildrop_counted_larger_than_listed_twice_is_what_was_listed(play, caps):
    """P5: STAT is not LIST; but what may have changed has a mark."""
    stat = b"+OK 3 300"
    client = await play(listing(stat, AB, SIZES, *again(stat, AB, SIZES)), caps=caps)
    found = await client.list_messages()
    assert found == (MaildropEntry(1, "a", 100), MaildropEntry(2, "b", 200))
    assert found.is_disputed


@pytest.mark.parametrize(
    ("uidl", "expected"),
    [
        ((), [(1, None, 100), (2, None, 200)]),
        ((b"1 a",), [(1, "a", 100), (2, None, 200)]),
    ],
)
async def test_ids_missing_twice_are_ids_that_the_server_has_not(play, uidl, expected):
    """P3: `+OK` and an empty list."""
    stat = b"+OK 2 300"
    assert await listed(play, stat, uidl, SIZES, *again(stat, uidl, SIZES)) == expected


async def test_ids_missing_once_are_asked_for_again(play):
    stat = b"+OK 2 300"
    client = await play(listing(stat, (), SIZES, *again(stat, AB, SIZES)))
    found = await client.list_messages()
    assert [one.uidl for one in found] == ["a", "b"]
    assert not found.is_disputed


def again(stat, uidl, sizes):
    return ((b"STAT", stat), (b"UIDL", uidl), (b"LIST", sizes))


@pytest.mark.parametrize(
    ("uidl", "sizes"),
    [
        ((b"1 b", b"2 a"), (b"1 100", b"2 200")),
        ((b"1 b",), (b"1 100",)),
        ((b"1 a", b"2 b"), (b"1 100", b"2 201")),
    ],
)
async def test_maildrop_that_renumbers_or_shrinks_in_session_is_dropped(play, uidl, sizes):
    """P12."""
    more = again(b"+OK %d 1" % len(uidl), uidl, sizes)
    script = listing(b"+OK 2 300", (b"1 a", b"2 b"), (b"1 100", b"2 200"), *more)
    client = await play(script)
    await client.list_messages()
    with pytest.raises(RemoteProtocolError) as caught:
        await client.list_messages()
    assert caught.value.reason == "maildrop_changed"


async def test_what_we_deleted_and_what_came_new_is_no_change(play):
    more = again(b"+OK 2 300", (b"2 b", b"3 c"), (b"2 200", b"3 300"))
    script = listing(b"+OK 2 300", (b"1 a", b"2 b"), (b"1 100", b"2 200"), (b"DELE 1", b"+OK"), *more)
    client = await play(script)
    await client.list_messages()
    assert await client.dele([1]) == (None,)
    assert await client.list_messages() == (MaildropEntry(2, "b", 200), MaildropEntry(3, "c", 300))


async def test_listing_cut_short_raises(play):
    """P14."""

    async def script(part):
        await part.answer(b"STAT", b"+OK 2 2", b"+OK", b"1 a")

    with pytest.raises(ConnectionLost):
        await (await play(script)).list_messages()

    async def silent(part):
        await part.answer(b"STAT", b"+OK 2 2", b"+OK")
        await part.stay()

    with pytest.raises(ConnectionLost) as caught:
        await (await play(silent)).list_messages()
    assert caught.value.reason == "timeout"


async def test_listing_of_thousands_comes_whole(play):
    count = 30_000
    got = await listed(
        play,
        b"+OK %d 1" % count,
        tuple(b"%d uid%d" % (n, n) for n in range(1, count + 1)),
        tuple(b"%d %d" % (n, n) for n in range(1, count + 1)),
    )
    assert got == [(n, f"uid{n}", n) for n in range(1, count + 1)]


async def test_listing_of_the_same_octets_is_not_read(play):
    stat = b"+OK 2 300"
    more = again(stat, AB, SIZES)
    client = await play(listing(stat, AB, SIZES, *more, *again(stat, (b"1 a", b"2 c"), SIZES)))
    first = await client.list_messages()
    assert first.seal is not None
    assert await client.list_unless(first.seal) is None
    with pytest.raises(RemoteProtocolError):
        await client.list_unless(first.seal)


@pytest.mark.parametrize(
    ("stat", "uidl", "sizes"),
    [
        (b"+OK 1 300", AB, SIZES),
        (b"+OK 2 300", (b"1 a", b"2 c"), SIZES),
        (b"+OK 2 300", AB, (b"1 100", b"2 201")),
        (b"+OK 2 300", (b"1 a", b"2 b", b"3 c"), (b"1 100", b"2 200", b"3 1")),
        (b"+OK 2 300", b"-ERR no such command", SIZES),
    ],
)
async def test_listing_that_differs_in_anything_has_another_seal(play, stat, uidl, sizes):
    one = await (await play(listing(b"+OK 2 300", AB, SIZES))).list_messages()
    other = await (await play(listing(stat, uidl, sizes))).list_unless(one.seal)
    assert other is not None
    assert other.seal != one.seal


async def test_listing_that_had_to_be_asked_for_twice_has_no_seal(play):
    stat = b"+OK 3 300"
    client = await play(listing(stat, AB, SIZES, *again(stat, AB, SIZES)))
    assert (await client.list_messages()).seal is None
