"""SELECT: what counts as its answer, what is missing on some servers, and what belongs to the mailbox before."""

import pytest

from daemon.model.errors import ServerRefused
from daemon.model.flags import SEEN
from daemon.model.secret import Secret
from daemon.model.uidset import UidSet
from daemon.net.imap.client import QresyncSince


async def test_numbers_and_flags_of_the_answer(play):
    async def script(part):
        await part.answer(
            b"SELECT Box (CONDSTORE)",
            b"* FLAGS (\\Seen $A)",
            b"* 4 EXISTS",
            b"* OK [PERMANENTFLAGS (\\Seen \\*)] limited",
            b"* OK [UIDVALIDITY 7] x",
            b"* OK [UIDNEXT 10] x",
            b"* OK [HIGHESTMODSEQ 90] x",
            with_=b"OK [READ-WRITE] done",
        )
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 CONDSTORE")
    got = await client.select(b"Box")
    assert (got.uid_validity, got.uid_next, got.highest_mod_seq, got.exists) == (7, 10, 90, 4)
    assert got.permanent_flags == {SEEN}
    assert got.accepts_new_keywords
    assert not got.is_read_only
    assert client.selection == got


@pytest.mark.parametrize(
    ("read_only", "word", "code"), [(True, b"EXAMINE", b""), (False, b"SELECT", b"[READ-ONLY]")]
)
async def test_read_only_is_seen(play, read_only, word, code):
    async def script(part):
        await part.answer(
            word,
            b"* 0 EXISTS",
            b"* OK [UIDVALIDITY 7] x",
            b"* OK [UIDNEXT 1] x",
            with_=b"OK " + code + b" done",
        )
        await part.stay()

    client = await play(script)
    assert (await client.select(b"Box", read_only=read_only)).is_read_only


async def test_mod_sequence_of_a_server_without_condstore_is_none(play):
    """Yahoo has a HIGHESTMODSEQ of its own: no STATUS and no FETCH has one to hold against it."""

    async def script(part):
        await part.answer(
            b"SELECT Box",
            b"* 0 EXISTS",
            b"* OK [UIDVALIDITY 7] x",
            b"* OK [UIDNEXT 1] x",
            b"* OK [HIGHESTMODSEQ 90] x",
        )
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 XYMHIGHESTMODSEQ")
    assert (await client.select(b"Box")).highest_mod_seq is None


async def test_nomodseq_means_no_mod_sequence(play):
    async def script(part):
        await part.answer(
            b"SELECT",
            b"* 0 EXISTS",
            b"* OK [UIDVALIDITY 7] x",
            b"* OK [UIDNEXT 1] x",
            b"* OK [NOMODSEQ] none",
        )
        await part.answer(b"UID FETCH 1:4294967295 (UID FLAGS RFC822.SIZE INTERNALDATE)")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 CONDSTORE")
    assert (await client.select(b"Box")).highest_mod_seq is None
    await client.fetch_entries()


async def test_uidnext_missing_is_asked_by_status(play):
    """163.com."""

    async def script(part):
        await part.answer(b"SELECT", b"* 2 EXISTS", b"* OK [UIDVALIDITY 7] x")
        await part.answer(b"STATUS Box", b"* STATUS Box (MESSAGES 2 UIDNEXT 30 UIDVALIDITY 7)")
        await part.stay()

    client = await play(script)
    got = await client.select(b"Box")
    assert got.uid_next == 30
    assert got.exists == 2
    assert client.selection == got


async def test_mailbox_without_uidvalidity_is_refused(play):
    """S7: without it no UID means anything."""

    async def script(part):
        await part.answer(b"SELECT", b"* 2 EXISTS", b"* OK [UIDVALIDITY 0] x", b"* OK [UIDNEXT 5] x")
        await part.answer(b"STATUS", with_=b"NO cannot")
        await part.stay()

    client = await play(script)
    with pytest.raises(ServerRefused) as caught:
        await client.select(b"Box")
    assert caught.value.reason == "no_uid_validity"
    assert client.selection is None


async def test_what_vanished_is_told_where_uidnext_has_to_be_asked_for(play):
    """The second look at the numbers must lose neither what SELECT said nor what came since."""

    async def script(part):
        await part.answer(b"ENABLE QRESYNC", b"* ENABLED QRESYNC")
        await part.answer(
            b"SELECT Box (QRESYNC (7 40))",
            b"* 2 EXISTS",
            b"* OK [UIDVALIDITY 7] x",
            b"* OK [HIGHESTMODSEQ 50] x",
            b"* VANISHED (EARLIER) 3:5",
            b"* 1 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (45))",
        )
        await part.answer(b"STATUS Box", b"* 3 EXISTS", b"* STATUS Box (UIDNEXT 30 UIDVALIDITY 7)")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 ENABLE QRESYNC")
    await client.authenticate("ada", Secret("x"))
    got = await client.select(b"Box", since=QresyncSince(uid_validity=7, mod_seq=40, known_uids=None))
    assert (got.uid_next, got.exists, set(got.vanished)) == (30, 3, {3, 4, 5})
    assert [entry.uid for entry in got.changed] == [2]


async def test_refused_select_leaves_nothing_selected(play):
    async def script(part):
        await part.answer(b"SELECT", with_=b"NO [NONEXISTENT] no such mailbox")
        await part.stay()

    client = await play(script, selected=True)
    with pytest.raises(ServerRefused) as caught:
        await client.select(b"Other")
    assert caught.value.code == "NONEXISTENT"
    assert client.selection is None


async def test_data_before_closed_belong_to_the_mailbox_left(play):
    async def script(part):
        await part.answer(
            b"SELECT",
            b"* VANISHED 3",
            b"* 9 FETCH (UID 9 FLAGS (\\Seen))",
            b"* 8 EXISTS",
            b"* OK [CLOSED] previous",
            b"* 1 EXISTS",
            b"* OK [UIDVALIDITY 7] x",
            b"* OK [UIDNEXT 2] x",
        )
        await part.stay()

    client = await play(script, selected=True)
    got = await client.select(b"Other")
    assert got.exists == 1
    assert not got.vanished
    assert got.changed == ()


async def test_qresync_answer_is_given_with_the_selection(play):
    async def script(part):
        await part.answer(b"ENABLE QRESYNC", b"* ENABLED QRESYNC")
        await part.answer(
            b"SELECT Box (QRESYNC (7 40 1:9))",
            b"* 4 EXISTS",
            b"* OK [UIDVALIDITY 7] x",
            b"* OK [UIDNEXT 10] x",
            b"* OK [HIGHESTMODSEQ 90] x",
            b"* VANISHED (EARLIER) 2:3,7",
            b"* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (80))",
        )
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 ENABLE QRESYNC")
    await client.authenticate("joe", Secret("x"))
    since = QresyncSince(uid_validity=7, mod_seq=40, known_uids=UidSet(range(1, 10)))
    got = await client.select(b"Box", since=since)
    assert got.vanished == UidSet([2, 3, 7])
    assert got.exists == 4
    assert [(entry.uid, entry.mod_seq) for entry in got.changed] == [(1, 80)]


async def test_known_uids_too_long_for_a_line_are_left_out(play):
    async def script(part):
        await part.answer(b"ENABLE QRESYNC", b"* ENABLED QRESYNC")
        await part.answer(
            b"SELECT Box (QRESYNC (7 40))", b"* 0 EXISTS", b"* OK [UIDVALIDITY 7] x", b"* OK [UIDNEXT 1] x"
        )
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 ENABLE QRESYNC")
    await client.authenticate("joe", Secret("x"))
    since = QresyncSince(uid_validity=7, mod_seq=40, known_uids=UidSet(range(1, 100_000, 2)))
    await client.select(b"Box", since=since)


async def test_expunge_without_exists_lowers_the_count(play):
    """MailKit `ImapFolder`: EXISTS need not follow."""

    async def script(part):
        await part.answer(b"NOOP", b"* 2 EXPUNGE", b"* 1 EXPUNGE")
        await part.answer(b"NOOP", b"* OK [HIGHESTMODSEQ 77] higher")
        await part.answer(b"UNSELECT")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 CONDSTORE UNSELECT", selected=True)
    await client.noop()
    assert client.selection.exists == 1
    assert client.has_comings_or_goings
    await client.noop()
    assert client.selection.highest_mod_seq == 77
    await client.unselect()
    assert client.selection is None
