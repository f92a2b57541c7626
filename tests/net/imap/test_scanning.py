"""Scans: what counts as an answer, and servers that answer too much, too little or to nobody."""

import pytest

from daemon.model.errors import LocalProtocolError, ServerRefused
from daemon.model.flags import FLAGGED, SEEN
from daemon.model.secret import Secret
from daemon.model.uidset import UidSet


async def test_entries_are_only_of_uids_asked_for(play):
    """`UID FETCH n:*` returns the last message even below n; other UIDs are news."""

    async def script(part):
        await part.answer(
            b"UID FETCH 5:6 (UID FLAGS RFC822.SIZE INTERNALDATE)",
            b'* 3 FETCH (UID 6 FLAGS (\\Seen) RFC822.SIZE 60 INTERNALDATE "01-Jan-2024 00:00:00 +0000")',
            b'* 2 FETCH (UID 5 FLAGS () RFC822.SIZE 50 INTERNALDATE "00-Jan-0000 00:00:00 +0000")',
            b"* 1 FETCH (UID 1 FLAGS (\\Flagged))",
            b"* 2 FETCH (UID 5 FLAGS (\\Flagged))",
        )
        await part.stay()

    client = await play(script, selected=True)
    scan = await client.fetch_entries(UidSet([5, 6]))
    five, six = scan.entries
    assert (five.uid, five.flags, five.size, five.internal_date) == (5, {FLAGGED}, 50, None)
    assert (six.uid, six.flags, six.size, six.internal_date) == (6, {SEEN}, 60, 1704067200)
    assert [entry.uid for entry in client.drain_heard().changed] == [1]


async def test_everything_is_asked_without_a_star(play):
    async def script(part):
        await part.answer(b"UID FETCH 1:4294967295 (UID FLAGS)")
        await part.answer(
            b"UID FETCH 8:4294967295 (UID FLAGS)",
            b"* 3 FETCH (UID 7 FLAGS ())",
            b"* 4 FETCH (UID 8 FLAGS ())",
        )
        await part.stay()

    client = await play(script, selected=True)
    assert (await client.fetch_entries(with_size=False)).entries == ()
    scan = await client.fetch_entries(first=8, with_size=False)
    assert [entry.uid for entry in scan.entries] == [8]
    assert (await client.fetch_entries(UidSet())).entries == ()


async def test_changedsince_asks_for_vanished_with_qresync(play):
    async def script(part):
        await part.answer(b"ENABLE QRESYNC", b"* ENABLED QRESYNC")
        await part.answer(
            b"SELECT",
            b"* 3 EXISTS",
            b"* OK [UIDVALIDITY 7] x",
            b"* OK [UIDNEXT 9] x",
            b"* OK [HIGHESTMODSEQ 50] x",
        )
        await part.answer(
            b"UID FETCH 1:4294967295 (UID FLAGS MODSEQ) (CHANGEDSINCE 40 VANISHED)",
            b"* VANISHED (EARLIER) 2,4:5",
            b"* 1 FETCH (UID 1 FLAGS () MODSEQ (45))",
        )
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 ENABLE QRESYNC")
    await client.authenticate("joe", Secret("x"))
    await client.select(b"Box")
    scan = await client.fetch_entries(changed_since=40, with_size=False)
    assert scan.vanished == UidSet([2, 4, 5])
    assert scan.entries[0].mod_seq == 45
    assert client.selection.exists == 3
    assert not client.drain_heard().vanished


async def test_changedsince_without_condstore_is_our_mistake(play):
    async def script(part):
        await part.stay()

    client = await play(script, selected=True)
    with pytest.raises(LocalProtocolError):
        await client.fetch_entries(changed_since=4)


async def test_refused_scan_is_raised(play):
    async def script(part):
        await part.answer(b"UID FETCH", with_=b"NO [SERVERBUG] oops")
        await part.stay()

    client = await play(script, selected=True)
    with pytest.raises(ServerRefused):
        await client.fetch_entries()


async def test_uids_are_listed_by_esearch_if_it_agrees_with_exists(play):
    async def script(part):
        await part.answer(b"UID SEARCH RETURN (ALL) ALL", b'* ESEARCH (TAG "A2") UID ALL 1:2,9')
        await part.answer(b"UID SEARCH", b'* ESEARCH (TAG "A3") UID ALL 1:2')
        await part.answer(
            b"UID FETCH 1:4294967295 (UID)", *(b"* %d FETCH (UID %d)" % (n, n) for n in (1, 2, 9))
        )
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 ESEARCH", selected=True)
    assert await client.list_uids() == UidSet([1, 2, 9])
    assert await client.list_uids() == UidSet([1, 2, 9])


async def test_uids_of_a_large_mailbox_are_listed_in_windows(play):
    asked = []

    async def script(part):
        await part.answer(b"SELECT", b"* 2 EXISTS", b"* OK [UIDVALIDITY 7] x", b"* OK [UIDNEXT 120000] x")
        for _ in range(3):
            line = await part.reader.readline()
            asked.append(line.split()[3])
            await part.say(b"* 1 FETCH (UID %s)" % asked[-1].split(b":")[0], line.split()[0] + b" OK")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1")
    await client.select(b"Box")
    assert await client.list_uids() == UidSet([1, 50001, 100001])
    assert asked == [b"1:50000", b"50001:100000", b"100001:4294967295"]


async def test_empty_mailbox_is_listed_without_a_question(play):
    async def script(part):
        await part.answer(b"SELECT", b"* 0 EXISTS", b"* OK [UIDVALIDITY 7] x", b"* OK [UIDNEXT 1] x")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 ESEARCH")
    await client.select(b"Box")
    assert not await client.list_uids()


async def test_headers_are_checked_against_the_request(play):
    async def script(part):
        await part.answer(
            b"UID FETCH 1:2 (UID BODY.PEEK[HEADER])",
            b"* 1 FETCH (UID 1 BODY[HEADER] {8}\r\na: b\r\n\r\n)",
            b"* 5 FETCH (UID 5 BODY[HEADER] {8}\r\nx: y\r\n\r\n)",
        )
        await part.stay()

    client = await play(script, selected=True)
    assert await client.fetch_headers(UidSet([1, 2])) == {1: b"a: b\r\n\r\n"}
