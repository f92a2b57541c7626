"""Scans: what counts as an answer, and servers that answer too much, too little or to nobody."""

import asyncio

import pytest

from daemon.model.errors import Blast, LocalProtocolError, RemoteProtocolError, ServerRefused
from daemon.model.flags import FLAGGED, SEEN
from daemon.model.secret import Secret
from daemon.model.uidset import UidSet
from daemon.net.imap import scanning


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
    assert client.has_own_news, "message 1 was not asked for"


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


@pytest.mark.parametrize(
    ("caps", "item", "said", "expected"),
    [
        (b"OBJECTID", b" EMAILID)", b"EMAILID (M6d99ac3275bb4e)", "M6d99ac3275bb4e"),
        (b"OBJECTID X-GM-EXT-1", b" EMAILID)", b"EMAILID NIL", None),
        (b"X-GM-EXT-1", b" X-GM-MSGID)", b"X-GM-MSGID 1278455344230334865", "1278455344230334865"),
        (b"", b"INTERNALDATE)", b"MODSEQ (5)", None),
    ],
)
async def test_what_names_a_message_in_every_mailbox_is_asked_for_where_offered(
    play, caps, item, said, expected
):
    """RFC 8474 §5.1, and Gmail's extension; IONOS answers BAD to items it does not offer."""

    async def script(part):
        await part.answer(item, b"* 1 FETCH (UID 5 FLAGS () " + said + b")")
        await part.answer(b"(UID FLAGS)", b"* 1 FETCH (UID 5 FLAGS ())")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 " + caps, selected=True)
    (entry,) = (await client.fetch_entries()).entries
    assert entry.email_id == expected
    (entry,) = (await client.fetch_entries(with_size=False)).entries
    assert entry.email_id is None


async def test_answer_cut_by_a_message_limit_is_no_complete_scan(play):
    """RFC 9738 §3: OK, and yet messages are missing; taken for complete it would look like a deletion."""

    async def script(part):
        await part.answer(
            b"UID FETCH", b"* 9 FETCH (UID 9 FLAGS ())", with_=b"OK [MESSAGELIMIT 1 9] one partial result"
        )
        await part.stay()

    client = await play(script, selected=True)
    with pytest.raises(ServerRefused) as caught:
        await client.fetch_entries()
    assert caught.value.code == "MESSAGELIMIT"


async def test_server_in_uid_only_mode_is_understood(play):
    """RFC 9586: UIDFETCH in place of FETCH."""

    async def script(part):
        await part.answer(b"UID FETCH", b"* 25996 UIDFETCH (FLAGS (\\Seen))")
        await part.stay()

    client = await play(script, selected=True)
    (entry,) = (await client.fetch_entries()).entries
    assert entry.uid == 25996


async def test_command_that_says_it_is_in_progress_is_waited_for(play):
    """RFC 9585: each line is a sign of life and starts the silence anew."""

    async def script(part):
        tag = await part.hear(b"UID FETCH")
        for done in range(5):
            await asyncio.sleep(0.25)
            await part.say(b'* OK [INPROGRESS ("%b" %d 5)] searching' % (tag, done))
        await part.say(b"* 1 FETCH (UID 5 FLAGS ())", tag + b" OK done")
        await part.stay()

    client = await play(script, selected=True)
    assert client._session.timers.silence_seconds < 1
    assert len((await client.fetch_entries()).entries) == 1


async def test_flood_of_messages_that_cannot_be_there_ends_the_scan(play, monkeypatch):
    """S17: an entry for each would take all memory long before the budget of responses ends."""
    monkeypatch.setattr(scanning, "_MORE_MESSAGES", 10)

    async def script(part):
        await part.hear(b"UID FETCH")
        await part.say(*(b"* 1 FETCH (UID %d FLAGS ())" % uid for uid in range(1, 100)))
        await part.stay()

    client = await play(script, selected=True)
    with pytest.raises(RemoteProtocolError) as caught:
        await client.fetch_entries()
    assert caught.value.reason == "flood"


async def test_flood_of_answers_to_one_search_is_not_added_up(play):
    async def script(part):
        await part.answer(
            b"UID SEARCH", *(b'* ESEARCH (TAG "A2") UID ALL %d' % uid for uid in range(1, 1000))
        )
        await part.answer(b"UID FETCH", *(b"* %d FETCH (UID %d)" % (uid, uid) for uid in (4, 5, 6)))
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 ESEARCH", selected=True)
    assert list(await client.list_uids()) == [4, 5, 6]


async def test_all_flags_of_a_large_mailbox_are_asked_for_in_windows(play):
    """sync.md 23: what comes between two answers stays bounded, and the last window has no end."""
    asked = []

    async def script(part):
        await part.answer(b"SELECT", b"* 3 EXISTS", b"* OK [UIDVALIDITY 7] x", b"* OK [UIDNEXT 120000] x")
        while True:
            line = await part.reader.readline()
            asked.append(line.split()[3])
            first = int(asked[-1].split(b":")[0])
            await part.say(b"* 1 FETCH (UID %d FLAGS ())" % first, line.split()[0] + b" OK")

    client = await play(script)
    await client.select(b"Box")
    scan = await client.fetch_entries(with_size=False)
    assert asked == [b"1:50000", b"50001:100000", b"100001:4294967295"]
    assert [entry.uid for entry in scan.entries] == [1, 50001, 100001]
    asked.clear()
    await client.fetch_entries(first=60_000)
    assert asked == [b"60000:109999", b"110000:4294967295"]
    asked.clear()
    await client.fetch_entries(first=119_999)
    assert asked == [b"119999:4294967295"]


@pytest.mark.parametrize("count", [1_000_001, 4_294_967_294])
async def test_mailbox_with_absurdly_many_messages_is_refused_by_itself(play, count):
    """A false EXISTS buys no memory, and a mailbox that is too large does not stop the others."""

    async def script(part):
        await part.answer(
            b"SELECT", b"* %d EXISTS" % count, b"* OK [UIDVALIDITY 7] x", b"* OK [UIDNEXT 4294967295] x"
        )
        await part.answer(b"NOOP")
        await part.stay()

    client = await play(script)
    await client.select(b"Box")
    for scan in (client.fetch_entries(), client.list_uids()):
        with pytest.raises(ServerRefused) as caught:
            await scan
        assert caught.value.reason == "mailbox_too_large"
        assert caught.value.blast is Blast.MAILBOX
    await client.noop()


async def test_false_exists_counts_no_message_twice_over(play, monkeypatch):
    monkeypatch.setattr(scanning, "_MORE_MESSAGES", 10)

    async def script(part):
        await part.hear(b"UID FETCH")
        await part.say(*(b"* 1 FETCH (UID %d FLAGS ())" % number for number in range(1, 20)))
        await part.stay()

    client = await play(script, selected=True)
    with pytest.raises(RemoteProtocolError) as caught:
        await client.fetch_entries(with_size=False)
    assert caught.value.reason == "flood"


@pytest.mark.parametrize(
    ("caps", "asked", "answer"),
    [
        (b"IMAP4rev1", b"UID SEARCH UNSEEN", b"* SEARCH 3 9"),
        (b"IMAP4rev1 ESEARCH", b"UID SEARCH RETURN (ALL) UNSEEN", b'* ESEARCH (TAG "A2") UID ALL 3,9'),
    ],
)
async def test_unseen_messages_are_searched(play, caps, asked, answer):
    async def script(part):
        await part.answer(asked, answer)
        await part.answer(asked, with_=b"NO not here")
        await part.stay()

    client = await play(script, caps=caps, selected=True)
    assert await client.unseen_uids() == UidSet([3, 9])
    assert not await client.unseen_uids()
