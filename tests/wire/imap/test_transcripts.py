"""Whole sessions, at any split of the bytes."""

import pytest

from daemon.model.flags import SEEN
from daemon.model.ids import ModSeq, Uid, UidValidity
from daemon.model.secret import Secret
from daemon.model.uidset import UidSet
from daemon.wire.imap import commands, notify
from daemon.wire.imap.commands import FetchItem, FlagChange, ListReturn, Qresync, StatusItem
from daemon.wire.imap.connection import Challenge, CommandDone, IdleStarted
from daemon.wire.imap.limits import Limits
from daemon.wire.imap.notify import Watched
from daemon.wire.imap.responses import (
    AppendUidCode,
    Bye,
    CopyUidCode,
    EsearchData,
    Exists,
    FetchData,
    InProgressCode,
    ListData,
    NumberCode,
    OtherData,
    PermanentFlagsCode,
    QuotaData,
    QuotaResource,
    QuotaRootData,
    Status,
    StatusData,
    StatusLine,
    Vanished,
)
from daemon.wire.imap.states import State

SELECT_QRESYNC = Qresync(
    uid_validity=UidValidity(67890007),
    mod_seq=ModSeq(20050715194045000),
    known_uids=UidSet.parse("41,43:211"),
)
BODIES = [FetchItem.UID, FetchItem.FLAGS, FetchItem.INTERNAL_DATE, FetchItem.SIZE, FetchItem.BODY]

SESSION = [
    lambda c: c.submit(commands.login("ada", Secret("love lace"))),
    lambda c: c.submit(commands.enable("QRESYNC")),
    lambda c: c.submit(commands.select(b"INBOX", qresync=SELECT_QRESYNC)),
    lambda c: c.submit(commands.uid_fetch(UidSet([117, 119]), BODIES)),
    lambda c: c.submit(commands.uid_store(UidSet([117]), FlagChange.REMOVE, [SEEN])),
    lambda c: c.submit(commands.idle()),
    lambda c: c.finish_idle(),
    lambda c: c.submit(commands.logout()),
]
STARTTLS = [
    lambda c: c.submit(commands.starttls()),
    lambda c: c.tls_started() or c.submit(commands.capability()),
    lambda c: c.submit(commands.authenticate("PLAIN", b"AGFkYQBsb3ZlbGFjZQ==")),
    lambda c: c.submit(commands.authenticate("PLAIN")),
    lambda c: c.answer_challenge(b"AGFkYQBsb3ZlbGFjZQ=="),
]
APPEND = [
    lambda c: c.submit(commands.append(b"Sent", b"hello", flags=[SEEN], internal_date=760657945)),
    lambda c: c.submit(commands.append(b"Nowhere", 5)),
    lambda c: c.submit(commands.capability()),
    lambda c: c.submit(commands.append(b"Sent", b"hello")),
    lambda c: c.submit(commands.noop()),
]
ODDITIES = [
    lambda c: c.submit(commands.login("ada", Secret("lovelace"))),
    lambda c: c.submit(commands.select(b"INBOX")),
]
LISTING = [
    lambda c: c.submit(commands.identify({"name": "mailsyncd"})),
    lambda c: c.submit(commands.namespace()),
    lambda c: c.submit(
        commands.list_mailboxes(
            returning=[ListReturn.SUBSCRIBED, ListReturn.SPECIAL_USE],
            status_items=[StatusItem.MESSAGES, StatusItem.UID_NEXT],
        )
    ),
    lambda c: c.submit(commands.lsub()),
    lambda c: c.submit(commands.status(b"NewName", [StatusItem.MESSAGES])),
    lambda c: c.submit(commands.status(b"INBOX", [StatusItem.MESSAGES])),
]
NOTIFY = [
    lambda c: c.submit(commands.enable("QRESYNC")),
    lambda c: c.submit(
        notify.notify_set(
            [
                notify.Group(watched=Watched.SELECTED_DELAYED, notices=notify.MESSAGES),
                notify.Group(watched=Watched.PERSONAL),
            ],
            with_status=True,
        )
    ),
    lambda c: c.submit(commands.idle()),
    lambda c: c.finish_idle(),
]
EXTENSIONS = [
    lambda c: c.submit(
        commands.append_together(
            b"Box",
            [
                commands.Appended(size=5, flags=frozenset({SEEN})),
                commands.Appended(size=0),
                commands.Appended(size=3),
            ],
        )
    ),
    lambda c: c.send_literal(b"xxxxx"),
    lambda c: c.send_literal(b"xxx"),
    lambda c: c.submit(commands.get_quota_root(b"INBOX")),
    lambda c: c.submit(commands.select(b"Box")),
    lambda c: c.submit(
        commands.uid_fetch(UidSet([1, 2, 3, 4]), [FetchItem.UID, FetchItem.FLAGS, FetchItem.EMAIL_ID])
    ),
    lambda c: c.submit(commands.uid_search(returning=("ALL",))),
    lambda c: c.submit(commands.compress()),
]
TRANSCRIPTS = {
    "notify": NOTIFY,
    "extensions": EXTENSIONS,
    "session": SESSION,
    "starttls": STARTTLS,
    "append": APPEND,
    "oddities": ODDITIES,
    "listing": LISTING,
}


@pytest.mark.parametrize("name", TRANSCRIPTS)
@pytest.mark.parametrize("gathered_literal_bytes", [1 << 20, 4])
def test_events_do_not_depend_on_how_bytes_are_split(play_transcript, cuts, name, gathered_literal_bytes):
    limits = Limits(gathered_literal_bytes=gathered_literal_bytes)
    first, *others = (play_transcript(name, TRANSCRIPTS[name], cut, limits=limits)[0] for cut in cuts)
    assert len(first) > 5
    for other in others:
        assert other == first


def test_whole_session_gives_what_the_server_said(play_transcript):
    events, connection = play_transcript("session", SESSION)
    assert connection.state is State.LOGOUT
    assert connection.enabled == {"QRESYNC"}
    codes = {event.code.name: event.code for event in events if isinstance(event, StatusLine) and event.code}
    assert codes["UIDVALIDITY"] == NumberCode(name="UIDVALIDITY", argument="67890007", number=67890007)
    assert isinstance(codes["PERMANENTFLAGS"], PermanentFlagsCode)
    assert codes["PERMANENTFLAGS"].accepts_new_keywords
    assert Vanished(uids=UidSet.parse("41,43:116,118,120:211"), is_earlier=True) in events
    fetched = [event for event in events if isinstance(event, FetchData)]
    assert [(data.uid, data.body) for data in fetched] == [
        (117, None),
        (117, b"Subject: one\r\n\r\nhi\r\n"),
        (119, b"a)\r\n{0"),
    ]
    assert fetched[1].internal_date == 837596665
    assert any(isinstance(event, IdleStarted) for event in events)
    assert sum(isinstance(event, Bye) for event in events) == 1


def test_starttls_forgets_capabilities_and_login_learns_them_again(play_transcript):
    events, connection = play_transcript("starttls", STARTTLS)
    assert connection.state is State.AUTHENTICATED
    assert connection.capabilities.has("IDLE")
    assert not connection.capabilities.has("STARTTLS")
    assert [event.data for event in events if isinstance(event, Challenge)] == [b""]


def test_append_waits_for_continuation_unless_literal_plus(play_transcript):
    events, _ = play_transcript("append", APPEND)
    done = [event.tagged for event in events if isinstance(event, CommandDone)]
    assert isinstance(done[0].code, AppendUidCode)
    assert (done[0].code.uid_validity, done[0].code.uid) == (38505, 3955)
    assert done[1].status is Status.NO
    assert done[1].code.name == "TRYCREATE"


def test_oddities_of_servers_are_tolerated(play_transcript):
    events, connection = play_transcript("oddities", ODDITIES)
    assert connection.capabilities.has("LITERAL+")
    assert Exists(count=3) in events
    assert any(
        isinstance(e, StatusLine) and isinstance(e.code, CopyUidCode) and e.code.target == (7, 8)
        for e in events
    )
    fetched = [event for event in events if isinstance(event, FetchData)]
    assert fetched[0] == FetchData(seq=1, uid=Uid(4), flags=frozenset({SEEN}), size=9373600)
    assert fetched[1].uid is None
    assert fetched[2] == FetchData(seq=3)
    assert fetched[3].body == b"abc"
    assert any(isinstance(e, OtherData) and e.name == "XANYTHING" for e in events)
    assert any(isinstance(e, ListData) and e.wire_name == b'a "b" c' for e in events)


def test_listing_with_status_and_extended_data(play_transcript):
    events, _ = play_transcript("listing", LISTING)
    listed = {event.wire_name: event for event in events if isinstance(event, ListData)}
    assert listed[b"A&AOk-"].children == {"SUBSCRIBED"}
    assert listed[b"NewName"].old_name == b"Old Name"
    assert listed[b"[Gmail]"].delimiter is None
    assert listed[b'with "quotes" inside'].is_lsub
    status = [event for event in events if isinstance(event, StatusData)]
    assert status[0].mailbox_id == "F2212ea87-6097"
    assert status[0].size == 44421
    assert status[1] == StatusData(wire_name=b"NewName")


def test_notify_pushes_are_status_list_and_codes(play_transcript):
    events, _ = play_transcript("notify", NOTIFY)
    pushed = [event for event in events if isinstance(event, StatusData)][2:]
    assert pushed[0].uid_next == 2
    assert pushed[1] == StatusData(wire_name=b"Other", unseen_count=0, highest_mod_seq=ModSeq(3))
    assert pushed[1].joined(pushed[0]).uid_next == 2
    listed = [event for event in events if isinstance(event, ListData)]
    assert [(event.wire_name, event.old_name) for event in listed] == [
        (b"New1", None),
        (b"New2", b"New1"),
        (b"New2", None),
        (b"New2", None),
    ]
    assert listed[3].attributes == {"\\nonexistent"}
    codes = [event.code.name for event in events if isinstance(event, StatusLine) and event.code]
    assert codes == ["HIGHESTMODSEQ", "NOTIFICATIONOVERFLOW"]


def test_extensions_are_read(play_transcript):
    events, connection = play_transcript("extensions", EXTENSIONS)
    done = [event.tagged for event in events if isinstance(event, CommandDone)]
    assert done[0].code.uids == (3955, 3956, 3960)
    assert done[3].code.name == "MESSAGELIMIT"
    assert done[5].code.name == "COMPRESSIONACTIVE"
    assert not connection.is_compressed
    assert QuotaRootData(wire_name=b"INBOX", roots=(b"", b"xxxxxx", b"other")) in events
    assert (
        QuotaData(root=b"", resources=(QuotaResource(name="STORAGE", used=10, limit=17179869184),)) in events
    )
    (progress,) = [
        event.code
        for event in events
        if isinstance(event, StatusLine) and isinstance(event.code, InProgressCode)
    ]
    assert (progress.done, progress.total) == (2, 4)
    fetched = {event.uid: event for event in events if isinstance(event, FetchData)}
    assert (fetched[1].email_id, fetched[1].thread_id) == ("M6d99ac3275bb4e", "T64b478a75b7ea9")
    assert (fetched[2].email_id, fetched[2].thread_id) == ("M288836c4c7a762", None)
    assert fetched[3].gmail_message_id == 1278455344230334865
    assert fetched[3].gmail_labels == (b"\\Inbox", b"\\Sent", b"Important", b"Muy Importante", b"xxx")
    assert fetched[4].flags == frozenset()
    assert fetched[25996].flags == {SEEN}
    assert next(event for event in events if isinstance(event, EsearchData)).uids == UidSet([1, 2, 3, 25996])
