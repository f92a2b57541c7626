"""Whole sessions, at any split of the bytes."""

import pytest

from daemon.model.flags import SEEN
from daemon.model.ids import ModSeq, Uid, UidValidity
from daemon.model.secret import Secret
from daemon.model.uidset import UidSet
from daemon.wire.imap import commands
from daemon.wire.imap.commands import FetchItem, FlagChange, ListReturn, Qresync, StatusItem
from daemon.wire.imap.connection import Challenge, CommandDone, IdleStarted
from daemon.wire.imap.limits import Limits
from daemon.wire.imap.responses import (
    AppendUidCode,
    Bye,
    CopyUidCode,
    Exists,
    FetchData,
    ListData,
    NumberCode,
    OtherData,
    PermanentFlagsCode,
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
TRANSCRIPTS = {
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
