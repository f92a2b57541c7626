import pytest

from daemon.model.flags import SEEN

SCRIPT = b'"&BjUGRgYvBkgGQg-/A &- B"'


async def test_list_shows_names_roles_and_children(talk):
    assert await talk.ok('LIST "" *') == [
        b'* LIST (\\HasNoChildren) "/" "INBOX"',
        b'* LIST (\\HasNoChildren \\Trash) "/" "Trash"',
        b'* LIST (\\HasChildren) "/" "&BjUGRgYvBkgGQg-"',
        b'* LIST (\\HasNoChildren) "/" ' + SCRIPT,
    ]


async def test_percent_stops_at_the_delimiter(talk):
    assert len(await talk.ok('LIST "" %')) == 3
    assert await talk.ok(b'LIST "&BjUGRgYvBkgGQg-/" %') == [b'* LIST (\\HasNoChildren) "/" ' + SCRIPT]


async def test_empty_pattern_asks_for_the_delimiter(talk):
    assert await talk.ok('LIST "" ""') == [b'* LIST (\\Noselect) "/" ""']


async def test_inbox_is_listed_in_any_case(talk):
    assert len(await talk.ok('LIST "" inBox')) == 1
    assert await talk.ok('LIST "" trash') == []


async def test_list_extended_gives_everything_in_one_answer(talk):
    await talk.ok("UNSUBSCRIBE Trash")
    said = await talk.ok('LIST "" (INBOX Trash) RETURN (SUBSCRIBED SPECIAL-USE STATUS (MESSAGES UIDNEXT))')
    assert said == [
        b'* LIST (\\HasNoChildren \\Subscribed) "/" "INBOX"',
        b'* STATUS "INBOX" (MESSAGES 3 UIDNEXT 4)',
        b'* LIST (\\HasNoChildren \\Trash) "/" "Trash"',
        b'* STATUS "Trash" (MESSAGES 0 UIDNEXT 1)',
    ]
    assert len(await talk.ok('LIST (SUBSCRIBED) "" *')) == 3
    assert len(await talk.ok('LIST (SPECIAL-USE) "" *')) == 1


@pytest.mark.parametrize(
    ("extension", "command"),
    [
        ("LIST-EXTENDED", 'LIST "" * RETURN (SUBSCRIBED)'),
        ("LIST-EXTENDED", 'LIST (SUBSCRIBED) "" *'),
        ("LIST-STATUS", 'LIST "" * RETURN (STATUS (MESSAGES))'),
        ("CONDSTORE", "STATUS INBOX (HIGHESTMODSEQ)"),
        ("CONDSTORE", "SELECT INBOX (CONDSTORE)"),
        ("QRESYNC", "SELECT INBOX (QRESYNC (1 1))"),
    ],
)
async def test_what_is_switched_off_is_not_understood(connect, extension, command):
    talk = await connect(without=[extension])
    assert (await talk(command)).tagged.startswith(b"BAD")


async def test_roles_are_not_shown_without_special_use(connect):
    talk = await connect(without=["SPECIAL-USE"])
    assert await talk.ok('LIST "" Trash') == [b'* LIST (\\HasNoChildren) "/" "Trash"']


async def test_lsub_shows_what_is_subscribed(talk):
    await talk.ok("UNSUBSCRIBE Trash")
    assert b'* LSUB () "/" "Trash"' not in await talk.ok('LSUB "" *')
    await talk.ok("SUBSCRIBE Trash")
    assert b'* LSUB () "/" "Trash"' in await talk.ok('LSUB "" *')


async def test_status_counts(talk, user):
    user.inbox.set_flags(2, frozenset({SEEN}))
    inbox = user.inbox
    assert await talk.ok("STATUS inbox (MESSAGES RECENT UNSEEN UIDNEXT UIDVALIDITY HIGHESTMODSEQ)") == [
        b'* STATUS "inbox" (MESSAGES 3 RECENT 0 UNSEEN 2 UIDNEXT 4 UIDVALIDITY %d HIGHESTMODSEQ %d)'
        % (inbox.uid_validity, inbox.highest_mod_seq)
    ]
    assert (await talk("STATUS INBOX (NONSENSE)")).tagged.startswith(b"BAD")
    assert (await talk("STATUS Nowhere (MESSAGES)")).tagged.startswith(b"NO [NONEXISTENT]")


async def test_mailboxes_are_made_renamed_and_deleted(talk, user):
    await talk.ok(b"CREATE " + SCRIPT[:-1] + b'/more"')
    assert "صندوق/A & B/more" in user.mailboxes
    await talk.ok("RENAME Trash Bin")
    await talk.ok("DELETE Bin")
    assert not {"Trash", "Bin"} & set(user.mailboxes)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("CREATE INBOX", b"NO [ALREADYEXISTS]"),
        ("CREATE A//B", b"NO [CANNOT]"),
        ("DELETE INBOX", b"NO [CANNOT]"),
        ("DELETE Nowhere", b"NO [NONEXISTENT]"),
        ("RENAME Nowhere X", b"NO [NONEXISTENT]"),
        ("RENAME Trash INBOX", b"NO [CANNOT]"),
        ("SELECT Nowhere", b"NO [NONEXISTENT]"),
        ("SUBSCRIBE Nowhere", b"NO [NONEXISTENT]"),
    ],
)
async def test_what_cannot_be_done_is_refused_with_a_code(talk, command, code):
    assert (await talk(command)).tagged.startswith(code)


async def test_append_keeps_octets_flags_and_date(talk, user):
    octets = b"Subject: sent\r\n\r\n\x00\xff\n"
    said = await talk('APPEND Trash (\\Seen $Work) "17-Jul-1996 02:44:25 -0700" {20}', octets)
    trash = user.mailboxes["Trash"]
    assert said.tagged.startswith(b"OK [APPENDUID %d 1]" % trash.uid_validity)
    message = trash.messages[1]
    assert (message.octets, message.flags, message.internal_date) == (
        octets,
        {"\\Seen", "$Work"},
        837_596_665,
    )


async def test_append_to_nowhere_says_to_create_it(talk):
    assert (await talk("APPEND Nowhere {1+}\r\nx")).tagged.startswith(b"NO [TRYCREATE]")


async def test_append_uid_is_silent_without_uidplus(connect):
    talk = await connect(without=["UIDPLUS"])
    assert (await talk("APPEND INBOX {1+}\r\nx")).tagged == b"OK Done"


async def test_select_tells_the_state_of_the_mailbox(talk, user):
    user.inbox.set_flags(1, frozenset({SEEN, "$Work"}))
    said = await talk("SELECT INBOX")
    assert said.tagged.startswith(b"OK [READ-WRITE]")
    text = b"\n".join(said.untagged)
    for part in (
        b"* 3 EXISTS",
        b"$Work",
        b"\\*)]",
        b"[UIDVALIDITY %d]" % user.inbox.uid_validity,
        b"[UIDNEXT 4]",
        b"[UNSEEN 2]",
        b"[HIGHESTMODSEQ %d]" % user.inbox.highest_mod_seq,
    ):
        assert part in text


async def test_examine_is_read_only(talk, user):
    assert (await talk("EXAMINE INBOX")).tagged.startswith(b"OK [READ-ONLY]")
    for command in ("STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "MOVE 1 Trash"):
        assert (await talk(command)).tagged.startswith(b"NO")
    await talk.ok("FETCH 1 BODY[]")
    assert not user.inbox.messages[1].flags


async def test_mod_seqs_are_silent_without_condstore(connect):
    talk = await connect(without=["CONDSTORE", "QRESYNC"])
    assert not any(b"MODSEQ" in line for line in await talk.ok("SELECT INBOX"))


async def test_leaving_for_another_mailbox_is_told_with_closed(inbox):
    assert (await inbox.ok("SELECT Trash"))[0].startswith(b"* OK [CLOSED]")


async def test_qresync_brings_what_changed_and_what_is_gone(talk, user):
    await talk.ok("ENABLE QRESYNC")
    mark = user.inbox.highest_mod_seq
    user.inbox.set_flags(3, frozenset({SEEN}))
    user.inbox.expunge([2])
    said = await talk.ok(f"SELECT INBOX (QRESYNC ({user.inbox.uid_validity} {mark} 1:3 (1,2 1,2)))")
    assert said[-2:] == [
        b"* VANISHED (EARLIER) 2",
        b"* 2 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (%d))" % user.inbox.messages[3].mod_seq,
    ]


async def test_qresync_under_an_old_uid_validity_tells_nothing(talk, user):
    await talk.ok("ENABLE QRESYNC")
    user.inbox.expunge([2])
    said = await talk.ok("SELECT INBOX (QRESYNC (999 1))")
    assert not any(b"VANISHED" in line or b"FETCH" in line for line in said)


async def test_qresync_must_be_enabled_first(talk):
    assert (await talk("SELECT INBOX (QRESYNC (1 1))")).tagged.startswith(b"BAD")


async def test_ids_of_mailboxes_outlive_a_rename(talk):
    """RFC 8474 §4."""
    (before,) = (await talk("STATUS Trash (MAILBOXID)")).untagged
    await talk("RENAME Trash Bin")
    (after,) = (await talk("STATUS Bin (MAILBOXID)")).untagged
    assert b"MAILBOXID (M" in before
    assert after == before.replace(b"Trash", b"Bin")


async def test_ids_are_not_told_where_they_are_switched_off(connect):
    talk = await connect(without=["OBJECTID"])
    assert (await talk("STATUS INBOX (MAILBOXID)")).tagged.startswith(b"BAD")


async def test_mailbox_without_mod_sequences_says_so_and_refuses_what_needs_them(talk, user):
    """RFC 7162 §3.1.2.2: NOMODSEQ at SELECT, 0 in STATUS, BAD for what asks for them."""
    user.inbox.has_mod_seqs = False
    assert b"HIGHESTMODSEQ 0" in (await talk.ok("STATUS INBOX (HIGHESTMODSEQ)"))[0]
    await talk.ok("ENABLE QRESYNC")
    told = b"\n".join((await talk(f"SELECT INBOX (QRESYNC ({user.inbox.uid_validity} 1))")).untagged)
    assert b"[NOMODSEQ]" in told
    assert b"HIGHESTMODSEQ" not in told
    assert b"FETCH" not in told
    for command in (
        "UID FETCH 1 (FLAGS MODSEQ)",
        "UID FETCH 1 (FLAGS) (CHANGEDSINCE 1)",
        "UID STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)",
    ):
        assert (await talk(command)).tagged.startswith(b"BAD")
    assert not any(b"MODSEQ" in line for line in await talk.ok("UID STORE 1 +FLAGS (\\Seen)"))
