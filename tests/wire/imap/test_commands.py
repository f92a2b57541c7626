import pytest

from daemon.model.errors import LocalProtocolError
from daemon.model.flags import SEEN, Flag
from daemon.model.ids import ModSeq, UidValidity
from daemon.model.secret import Secret
from daemon.model.uidset import UidSet
from daemon.wire.imap import commands
from daemon.wire.imap.arguments import Literal, LiteralSlot
from daemon.wire.imap.commands import FetchItem, FlagChange, ListReturn, Qresync, StatusItem
from daemon.wire.imap.states import LEGAL, Kind, Lane

UIDS = UidSet([3, 1, 2, 7])


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (commands.capability(), b"CAPABILITY"),
        (commands.noop(), b"NOOP"),
        (commands.logout(), b"LOGOUT"),
        (commands.starttls(), b"STARTTLS"),
        (commands.idle(), b"IDLE"),
        (commands.compress(), b"COMPRESS DEFLATE"),
        (commands.get_quota_root(b"a b"), b'GETQUOTAROOT "a b"'),
        (commands.login("ada", Secret('p"w')), b'LOGIN ada "p\\"w"'),
        (commands.login("DOMAIN\\ada", Secret("x")), b'LOGIN "DOMAIN\\\\ada" "x"'),
        (commands.authenticate("SCRAM-SHA-256"), b"AUTHENTICATE SCRAM-SHA-256"),
        (commands.authenticate("EXTERNAL", b"="), b"AUTHENTICATE EXTERNAL ="),
        (commands.enable("QRESYNC", "UTF8=ACCEPT"), b"ENABLE QRESYNC UTF8=ACCEPT"),
        (commands.identify(), b"ID NIL"),
        (commands.identify({"name": "x", "version": "1"}), b'ID ("name" "x" "version" "1")'),
        (commands.list_mailboxes(), b'LIST "" "*"'),
        (commands.list_mailboxes(b"%", reference=b"a/"), b'LIST "a/" "%"'),
        (
            commands.list_mailboxes(
                returning=list(ListReturn), status_items=[StatusItem.MESSAGES, StatusItem.UID_NEXT]
            ),
            b'LIST "" "*" RETURN (SUBSCRIBED CHILDREN SPECIAL-USE STATUS (MESSAGES UIDNEXT))',
        ),
        (commands.lsub(), b'LSUB "" "*"'),
        (commands.namespace(), b"NAMESPACE"),
        (commands.status(b"a b", [StatusItem.UNSEEN, StatusItem.SIZE]), b'STATUS "a b" (UNSEEN SIZE)'),
        (commands.select(b"INBOX"), b"SELECT INBOX"),
        (commands.select(b"INBOX", read_only=True, condstore=True), b"EXAMINE INBOX (CONDSTORE)"),
        (
            commands.select(
                b"INBOX", qresync=Qresync(uid_validity=UidValidity(5), mod_seq=ModSeq(9), known_uids=UIDS)
            ),
            b"SELECT INBOX (QRESYNC (5 9 1:3,7))",
        ),
        (
            commands.select(
                b"INBOX", qresync=Qresync(uid_validity=UidValidity(5), mod_seq=ModSeq(9), known_uids=UidSet())
            ),
            b"SELECT INBOX (QRESYNC (5 9))",
        ),
        (commands.unselect(), b"UNSELECT"),
        (commands.create(b"A&AOk-"), b"CREATE A&AOk-"),
        (commands.delete(b"x"), b"DELETE x"),
        (commands.rename(b"x", b"y z"), b'RENAME x "y z"'),
        (commands.subscribe(b"x"), b"SUBSCRIBE x"),
        (commands.unsubscribe(b"x"), b"UNSUBSCRIBE x"),
        (
            commands.uid_fetch(
                UIDS,
                [FetchItem.UID, FetchItem.FLAGS, FetchItem.MODSEQ],
                changed_since=ModSeq(12),
                vanished=True,
            ),
            b"UID FETCH 1:3,7 (UID FLAGS MODSEQ) (CHANGEDSINCE 12 VANISHED)",
        ),
        (commands.uid_fetch(UIDS, [FetchItem.UID, FetchItem.BODY]), b"UID FETCH 1:3,7 (UID BODY.PEEK[])"),
        (commands.uid_store(UIDS, FlagChange.ADD, [SEEN]), b"UID STORE 1:3,7 +FLAGS.SILENT (\\Seen)"),
        (
            commands.uid_store(
                UIDS, FlagChange.REPLACE, [Flag("x")], silent=False, unchanged_since=ModSeq(3)
            ),
            b"UID STORE 1:3,7 (UNCHANGEDSINCE 3) FLAGS (x)",
        ),
        (commands.uid_copy(UIDS, b"Trash"), b"UID COPY 1:3,7 Trash"),
        (commands.uid_move(UIDS, b"Trash"), b"UID MOVE 1:3,7 Trash"),
        (commands.uid_expunge(UIDS), b"UID EXPUNGE 1:3,7"),
        (commands.uid_search(), b"UID SEARCH ALL"),
        (commands.uid_search(returning=["ALL"], uids=UIDS), b"UID SEARCH RETURN (ALL) UID 1:3,7 ALL"),
    ],
)
def test_lines(command, line):
    assert command.parts == (line,)
    assert command.kind in LEGAL


def test_append_with_octets_and_with_a_slot():
    command = commands.append(b"Sent", b"hi", flags=[SEEN], internal_date=0)
    assert command.parts == (b'APPEND Sent (\\Seen) " 1-Jan-1970 00:00:00 +0000" ', Literal(b"hi"))
    assert commands.append(b"Sent", 9).parts == (b"APPEND Sent ", LiteralSlot(9))
    assert command.describe() == 'APPEND Sent (\\Seen) " 1-Jan-1970 00:00:00 +0000" {2}'


def test_mailbox_name_with_8_bit_is_a_literal():
    command = commands.rename(b"\xff", b"x")
    assert command.parts == (b"RENAME ", Literal(b"\xff"), b" x")


def test_pattern_with_8_bit_is_a_literal():
    assert commands.lsub("é*".encode()).parts == (b'LSUB "" ', Literal("é*".encode()))


def test_secrets_are_not_in_logs():
    for command in (
        commands.login("ada", Secret("hunter2")),
        commands.login("ada", Secret("hunter2é")),
        commands.authenticate("PLAIN", b"aHVudGVyMg=="),
    ):
        assert "hunter2" not in command.describe()
        assert "hunter2" not in repr(command)
        assert "aHVudGVyMg" not in command.describe()
        assert "ada" not in command.describe()
        assert command.describe().endswith("***")


@pytest.mark.parametrize(
    "make",
    [
        lambda: commands.uid_fetch(UidSet(), [FetchItem.UID]),
        lambda: commands.uid_fetch(UIDS, []),
        lambda: commands.uid_fetch(UIDS, [FetchItem.UID], vanished=True),
        lambda: commands.status(b"x", []),
        lambda: commands.create(b"x\r\nA2 DELETE y"),
        lambda: commands.list_mailboxes(b"*\n"),
        lambda: commands.uid_search([b"ALL\r\nX"]),
        lambda: commands.login("a\0", Secret("b")),
        lambda: commands.identify({"name": "x\r\n"}),
        lambda: commands.authenticate("PLAIN\r\n"),
        lambda: commands.authenticate("PLAIN", b"=\r\nA2 NOOP"),
        commands.enable,
    ],
)
def test_arguments_no_server_could_read_are_our_fault(make):
    with pytest.raises(LocalProtocolError):
        make()


def test_lanes_tell_flags_from_bodies():
    assert commands.uid_fetch(UIDS, [FetchItem.UID, FetchItem.FLAGS]).lane is Lane.FLAGS_READ
    assert commands.uid_fetch(UIDS, [FetchItem.UID, FetchItem.BODY]).lane is Lane.BODY
    assert commands.uid_store(UIDS, FlagChange.ADD, [SEEN]).lane is Lane.FLAGS_WRITE


def test_there_is_no_bare_expunge_and_no_close():
    assert not {"CLOSE", "EXPUNGE"} & set(Kind)


def test_several_messages_in_one_append():
    """RFC 3502."""
    command = commands.append_together(
        b"Box",
        [
            commands.Appended(size=3, flags=frozenset({SEEN}), internal_date=0),
            commands.Appended(size=5),
        ],
    )
    assert command.parts == (
        b'APPEND Box (\\Seen) " 1-Jan-1970 00:00:00 +0000" ',
        LiteralSlot(3),
        b" ",
        LiteralSlot(5),
    )
    with pytest.raises(LocalProtocolError):
        commands.append_together(b"Box", [])


def test_append_in_utf8_form():
    """RFC 6855 §4."""
    command = commands.append(b"Box", 9, flags=[SEEN], utf8=True)
    assert command.parts == (b"APPEND Box (\\Seen) UTF8 (", LiteralSlot(9, is_binary=True), b")")
    with pytest.raises(LocalProtocolError):
        commands.append(b"Box", b"octets", utf8=True)
