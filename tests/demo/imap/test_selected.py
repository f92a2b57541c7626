import asyncio

import pytest

from daemon.model.flags import DELETED, SEEN, normalise_flags


async def test_fetch_by_uid_always_names_the_uid(inbox):
    assert await inbox.ok("UID FETCH 2:3 (FLAGS)") == [
        b"* 2 FETCH (UID 2 FLAGS ())",
        b"* 3 FETCH (UID 3 FLAGS ())",
    ]
    assert await inbox.ok("FETCH 1 FLAGS") == [b"* 1 FETCH (FLAGS ())"]


async def test_body_sets_seen_and_says_so_but_peek_does_not(inbox, user):
    await inbox.ok("UID FETCH 1 BODY.PEEK[]")
    assert not user.inbox.messages[1].flags
    (said,) = await inbox.ok("UID FETCH 1 BODY[]")
    assert said.endswith(b"FLAGS (\\Seen))")
    assert user.inbox.messages[1].flags == {SEEN}
    assert await inbox.ok("NOOP") == []


async def test_changed_since_leaves_out_what_did_not(inbox, user):
    mark = user.inbox.highest_mod_seq
    user.inbox.set_flags(2, frozenset({SEEN}))
    assert await inbox.ok(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {mark})") == [
        b"* 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (%d))" % (mark + 1)
    ]


async def test_vanished_is_told_for_the_uids_asked_for(talk, user):
    await talk.ok("ENABLE QRESYNC")
    await talk.ok("SELECT INBOX")
    mark = user.inbox.highest_mod_seq
    user.inbox.expunge([1, 3])
    said = await talk.ok(f"UID FETCH 2:9 (FLAGS) (CHANGEDSINCE {mark} VANISHED)")
    assert said == [b"* VANISHED (EARLIER) 3", b"* VANISHED 1,3"]


@pytest.mark.parametrize(
    ("extension", "command"),
    [
        ("CONDSTORE", "UID FETCH 1 (MODSEQ)"),
        ("CONDSTORE", "UID FETCH 1 (FLAGS) (CHANGEDSINCE 1)"),
        ("CONDSTORE", "UID STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)"),
        ("QRESYNC", "UID FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)"),
        ("ESEARCH", "UID SEARCH RETURN (ALL) ALL"),
        ("UIDPLUS", "UID EXPUNGE 1"),
        ("MOVE", "UID MOVE 1 Trash"),
        ("UNSELECT", "UNSELECT"),
        ("IDLE", "IDLE"),
    ],
)
async def test_what_is_switched_off_is_not_understood(connect, extension, command):
    talk = await connect(without=[extension])
    await talk.ok("SELECT INBOX")
    assert (await talk(command)).tagged.startswith(b"BAD")


@pytest.mark.parametrize(
    ("change", "flags"),
    [("+FLAGS (\\Flagged)", "\\Seen \\Flagged"), ("-FLAGS \\Seen", ""), ("FLAGS ($Work)", "$Work")],
)
async def test_store_adds_removes_and_replaces(inbox, user, change, flags):
    user.inbox.set_flags(1, frozenset({SEEN}))
    await inbox.ok("NOOP")
    (said,) = await inbox.ok(f"UID STORE 1 {change}")
    assert user.inbox.messages[1].flags == normalise_flags(flags.split())
    assert said.startswith(b"* 1 FETCH (UID 1 FLAGS (")
    assert await inbox.ok(f"UID STORE 1 {change.replace('FLAGS', 'FLAGS.SILENT')}") == []


async def test_silent_store_still_tells_the_mod_seq_to_who_knows_it(talk, user):
    await talk.ok("SELECT INBOX (CONDSTORE)")
    assert await talk.ok("UID STORE 2 +FLAGS.SILENT (\\Seen)") == [
        b"* 2 FETCH (UID 2 MODSEQ (%d))" % user.inbox.messages[2].mod_seq
    ]


async def test_conditional_store_leaves_what_changed_meanwhile(talk, user):
    await talk.ok("SELECT INBOX (CONDSTORE)")
    mark = user.inbox.highest_mod_seq
    user.inbox.set_flags(2, frozenset({"$Work"}))
    said = await talk(f"UID STORE 1:3 (UNCHANGEDSINCE {mark}) +FLAGS.SILENT (\\Deleted)")
    assert said.tagged.startswith(b"OK [MODIFIED 2]")
    assert DELETED not in user.inbox.messages[2].flags
    assert DELETED in user.inbox.messages[3].flags


async def test_search_answers_by_number_and_by_uid(inbox, user):
    user.inbox.expunge([1])
    await inbox.ok("NOOP")
    assert await inbox.ok("SEARCH ALL") == [b"* SEARCH 1 2"]
    assert await inbox.ok("UID SEARCH SUBJECT letter") == [b"* SEARCH 2 3"]
    assert await inbox.ok("UID SEARCH CHARSET UTF-8 SEEN") == [b"* SEARCH"]


async def test_esearch_answers_with_what_was_asked_for(inbox):
    said = await inbox.ok("UID SEARCH RETURN (MIN MAX COUNT ALL) ALL")
    assert said == [b'* ESEARCH (TAG "t3") UID MIN 1 MAX 3 COUNT 3 ALL 1:3']
    assert await inbox.ok("SEARCH RETURN (ALL) SEEN") == [b'* ESEARCH (TAG "t4")']
    assert (await inbox("SEARCH RETURN (SAVE) ALL")).tagged.startswith(b"BAD")


async def test_copy_gives_the_pairs_of_uids(inbox, user):
    said = await inbox("UID COPY 2:3 Trash")
    trash = user.mailboxes["Trash"]
    assert said.tagged.startswith(b"OK [COPYUID %d 2:3 1:2]" % trash.uid_validity)
    assert trash.messages[1].octets == user.inbox.messages[2].octets
    assert (await inbox("UID COPY 1 Nowhere")).tagged.startswith(b"NO [TRYCREATE]")
    assert (await inbox("UID COPY 99 Trash")).tagged == b"OK Done"


async def test_move_tells_the_pairs_before_the_expunge(inbox, user):
    trash = user.mailboxes["Trash"]
    assert await inbox.ok("UID MOVE 1,3 Trash") == [
        b"* OK [COPYUID %d 1,3 1:2] Moved" % trash.uid_validity,
        b"* 3 EXPUNGE",
        b"* 1 EXPUNGE",
    ]
    assert list(user.inbox.messages) == [2]


async def test_uid_expunge_takes_only_deleted_ones_among_its_uids(inbox, user):
    for uid in (1, 2):
        user.inbox.set_flags(uid, frozenset({DELETED}))
    await inbox.ok("UID EXPUNGE 2:3")
    assert list(user.inbox.messages) == [1, 3]
    await inbox.ok("EXPUNGE")
    assert list(user.inbox.messages) == [3]


async def test_close_expunges_silently_and_unselect_does_not(talk, user):
    user.inbox.set_flags(1, frozenset({DELETED}))
    await talk.ok("SELECT INBOX")
    await talk.ok("UNSELECT")
    assert 1 in user.inbox.messages
    await talk.ok("SELECT INBOX")
    assert await talk.ok("CLOSE") == []
    assert 1 not in user.inbox.messages
    assert (await talk("FETCH 1 FLAGS")).tagged.startswith(b"BAD")


async def test_expunge_by_another_is_not_told_during_fetch_by_number(inbox, user):
    user.inbox.expunge([1])
    assert await inbox.ok("FETCH 2 (UID)") == [b"* 2 FETCH (UID 2)"]
    assert await inbox.ok("NOOP") == [b"* 1 EXPUNGE"]


async def test_idle_tells_news_as_they_happen(inbox, user):
    inbox.writer.write(b"i IDLE\r\n")
    assert (await inbox.response()).startswith(b"+")
    user.inbox.deliver(b"\r\n", internal_date=0)
    assert await inbox.response() == b"* 4 EXISTS"
    user.inbox.set_flags(2, frozenset({SEEN}))
    assert await inbox.response() == b"* 2 FETCH (FLAGS (\\Seen))"
    user.inbox.expunge([1])
    assert await inbox.response() == b"* 1 EXPUNGE"
    inbox.writer.write(b"DONE\r\n")
    assert (await inbox.response()).startswith(b"i OK")


async def test_news_between_commands_begin_the_idle(inbox, user):
    user.inbox.deliver(b"\r\n", internal_date=0)
    inbox.writer.write(b"i IDLE\r\nDONE\r\n")
    said = [await inbox.response() for _ in range(3)]
    assert said[0].startswith(b"+")
    assert said[1] == b"* 4 EXISTS"
    assert said[2].startswith(b"i OK")


async def test_idle_that_ends_as_its_server_does_holds_up_nobody(connect, server):
    """The end may come at any step of the DONE."""
    for steps in range(12):
        talk = await connect(server=server)
        await talk.ok("SELECT INBOX")
        talk.writer.write(b"i IDLE\r\n")
        assert await talk.response() == b"+ idling"
        talk.writer.write(b"DONE\r\n")
        for _ in range(steps):
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await server.drop_clients()


async def test_idle_ends_badly_with_anything_but_done(inbox):
    inbox.writer.write(b"i IDLE\r\n")
    await inbox.response()
    inbox.writer.write(b"n NOOP\r\n")
    assert (await inbox.response()).startswith(b"i BAD")


async def test_long_answer_survives_what_others_expunge_meanwhile(inbox, connect, server, user):
    for _ in range(300):
        user.inbox.deliver(b"x" * 50_000, internal_date=0)
    other = await connect(server=server)
    await other.ok("SELECT INBOX")
    await inbox.ok("NOOP")
    inbox.writer.write(b"f UID FETCH 1:* (BODY.PEEK[])\r\n")
    await inbox.response()
    await other.ok("UID STORE 250:303 +FLAGS.SILENT (\\Deleted)")
    await other.ok("UID EXPUNGE 250:303")
    async with asyncio.timeout(20):
        while not (said := await inbox.response()).startswith(b"f "):
            assert said.startswith(b"* ")
    assert said.startswith(b"f OK")
