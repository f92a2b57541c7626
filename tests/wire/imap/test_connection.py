import pytest

from daemon.model.errors import LocalProtocolError, RemoteProtocolError, TlsFailed
from daemon.model.flags import SEEN
from daemon.model.ids import ModSeq, Uid, UidValidity
from daemon.model.secret import Secret
from daemon.model.uidset import UidSet
from daemon.wire.imap import commands
from daemon.wire.imap.commands import FetchItem, FlagChange, ListReturn, Qresync, StatusItem
from daemon.wire.imap.connection import Challenge, CommandDone, IdleStarted, ImapConnection, LiteralWanted
from daemon.wire.imap.limits import Limits
from daemon.wire.imap.responses import (
    AppendUidCode,
    Bye,
    CopyUidCode,
    Exists,
    FetchData,
    Greeting,
    ListData,
    LiteralBegin,
    LiteralEnd,
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
    uid_validity=UidValidity(67890007), mod_seq=ModSeq(20050715194045000), known_uids=UidSet.parse("41,43:211")
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
    assert any(isinstance(e, StatusLine) and isinstance(e.code, CopyUidCode) and e.code.target == (7, 8) for e in events)
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


def test_large_literal_is_streamed_and_its_fetch_follows(logged_in, settle):
    connection = logged_in(selected=True, limits=Limits(gathered_literal_bytes=10))
    events = []
    for portion in (b"* 1 FETCH (UID 7 BODY[] {11}\r\nhello", b" worl", b"d)\r\n"):
        events += settle(connection.receive(portion))
    assert events[0] == LiteralBegin(seq=1, uid=Uid(7), section="", size=11)
    assert b"".join(event for event in events if isinstance(event, bytes)) == b"hello world"
    assert events[-2] == LiteralEnd()
    assert events[-1] == FetchData(seq=1, uid=Uid(7), streamed_bytes=11)


def test_large_literal_before_uid_begins_without_uid(logged_in):
    connection = logged_in(selected=True, limits=Limits(gathered_literal_bytes=2))
    events = connection.receive(b"* 1 FETCH (BODY[] {3}\r\nabc UID 9)\r\n")
    assert events[0].uid is None
    assert events[-1].uid == 9


def test_streamed_octets_are_views_of_the_buffer_given(logged_in):
    connection = logged_in(selected=True, limits=Limits(gathered_literal_bytes=2))
    connection.receive(b"* 1 FETCH (UID 1 BODY[] {8}\r\n")
    buffer = bytearray(b"abcd")
    (portion,) = connection.receive(memoryview(buffer))
    assert portion.data.obj is buffer


def test_http_instead_of_greeting_is_not_imap():
    connection = ImapConnection()
    with pytest.raises(RemoteProtocolError) as caught:
        connection.receive(b"HTTP/1.1 400 Bad Request\r\n")
    assert caught.value.reason == "not_imap"


@pytest.mark.parametrize(
    ("line", "state"),
    [
        (b"* OK hi\r\n", State.NOT_AUTHENTICATED),
        (b"* PREAUTH hi\r\n", State.AUTHENTICATED),
        (b"* BYE full\r\n", State.LOGOUT),
    ],
)
def test_greeting_sets_the_state(line, state):
    connection = ImapConnection()
    (greeting,) = connection.receive(line)
    assert isinstance(greeting, Greeting)
    assert connection.state is state


@pytest.mark.parametrize("tail", [b"* OK injected\r\n", b"A2 OK", b"x", b"\r\n* "])
def test_bytes_behind_starttls_ok_are_refused(tail):
    connection = ImapConnection()
    connection.receive(b"* OK hi\r\n")
    connection.submit(commands.starttls())
    with pytest.raises(TlsFailed) as caught:
        connection.receive(b"A1 OK go\r\n" + tail)
    assert caught.value.reason == "starttls_injection"
    assert connection.state is State.BROKEN


def test_bytes_in_a_later_read_before_the_handshake_are_refused():
    connection = ImapConnection()
    connection.receive(b"* OK hi\r\n")
    connection.submit(commands.starttls())
    connection.receive(b"A1 OK go\r\n")
    assert connection.state is State.TLS_PENDING
    with pytest.raises(TlsFailed):
        connection.receive(b"* ")


def test_refused_starttls_leaves_the_state():
    connection = ImapConnection()
    connection.receive(b"* OK hi\r\n")
    connection.submit(commands.starttls())
    connection.receive(b"A1 NO not now\r\n* OK more\r\n")
    assert connection.state is State.NOT_AUTHENTICATED
    with pytest.raises(LocalProtocolError):
        connection.tls_started()


def test_login_without_capabilities_makes_them_unknown():
    connection = ImapConnection()
    connection.receive(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n")
    connection.submit(commands.login("a", Secret("b")))
    connection.receive(b"A1 OK in\r\n")
    assert not connection.capabilities


def test_disabled_capability_is_not_believed_when_said_again(logged_in):
    connection = logged_in("IMAP4rev1 QRESYNC")
    connection.disable(["qresync"])
    assert not connection.capabilities.has("QRESYNC")
    connection.receive(b"* CAPABILITY IMAP4rev1 QRESYNC IDLE\r\n")
    assert not connection.capabilities.has("QRESYNC")
    assert connection.capabilities.has("IDLE")


def test_fetch_before_select_is_our_fault(logged_in):
    with pytest.raises(LocalProtocolError):
        logged_in().submit(commands.uid_fetch(UidSet([1]), [FetchItem.UID]))


def test_command_of_the_next_state_is_refused_while_select_is_under_way(logged_in):
    connection = logged_in(selected=True)
    connection.submit(commands.select(b"Sent"))
    with pytest.raises(LocalProtocolError):
        connection.submit(commands.uid_fetch(UidSet([1]), [FetchItem.UID]))


def test_refused_select_leaves_nothing_selected(logged_in):
    connection = logged_in(selected=True)
    sent = connection.submit(commands.select(b"Gone"))
    connection.receive(sent.tag + b" NO [NONEXISTENT] no such mailbox\r\n")
    assert connection.state is State.AUTHENTICATED


def test_store_waits_until_flags_are_read(logged_in):
    connection = logged_in(selected=True)
    fetch = connection.submit(commands.uid_fetch(UidSet([1]), [FetchItem.UID, FetchItem.FLAGS]))
    connection.data_to_send()
    store = connection.submit(commands.uid_store(UidSet([1]), FlagChange.ADD, [SEEN]))
    assert connection.data_to_send() == []
    connection.receive(fetch.tag + b" OK done\r\n")
    assert connection.data_to_send() == [store.tag + b" UID STORE 1 +FLAGS.SILENT (\\Seen)\r\n"]


def test_bodies_are_asked_for_without_waiting(logged_in):
    connection = logged_in(selected=True, max_in_flight=3)
    sent = [connection.submit(commands.uid_fetch(UidSet([uid]), [FetchItem.UID, FetchItem.BODY])) for uid in range(1, 6)]
    assert b"".join(connection.data_to_send()).count(b"\r\n") == 3
    connection.receive(sent[0].tag + b" OK done\r\n")
    assert b"".join(connection.data_to_send()).startswith(sent[3].tag)
    assert connection.in_flight_count == 4


def test_answers_are_routed_by_tag_in_any_order(logged_in):
    connection = logged_in(selected=True)
    one, two = (connection.submit(commands.status(name, [StatusItem.MESSAGES])) for name in (b"a", b"b"))
    events = connection.receive(two.tag + b" OK\r\n" + one.tag + b" NO [NONEXISTENT] gone\r\n")
    assert [(event.sent, event.tagged.status) for event in events] == [(two, Status.OK), (one, Status.NO)]


@pytest.mark.parametrize(
    "line", [b"A99 OK what\r\n", b"A1 OK twice\r\n", b"Server Unavailable. 15\r\n", b"+ go on\r\n", b"A2 MAYBE\r\n"]
)
def test_line_that_fits_nothing_is_terminal(logged_in, line):
    connection = logged_in()
    with pytest.raises(RemoteProtocolError):
        connection.receive(line)
    assert connection.state is State.BROKEN
    with pytest.raises(RemoteProtocolError):
        connection.receive(b"* OK still here\r\n")


def test_events_before_a_fault_are_kept(logged_in):
    connection = logged_in()
    with pytest.raises(RemoteProtocolError):
        connection.receive(b"* 5 EXISTS\r\nA99 OK what\r\n* 6 EXISTS\r\n")
    assert connection.events_before_fault == [Exists(count=5)]


def test_done_before_plus_is_sent_once_plus_has_come(logged_in):
    connection = logged_in(selected=True)
    sent = connection.submit(commands.idle())
    assert connection.data_to_send() == [sent.tag + b" IDLE\r\n"]
    connection.finish_idle()
    assert connection.data_to_send() == []
    connection.receive(b"+ idling\r\n")
    assert connection.data_to_send() == [b"DONE\r\n"]
    connection.finish_idle()
    assert connection.data_to_send() == []
    connection.receive(sent.tag + b" OK\r\n")
    assert not connection.is_idling


def test_command_during_idle_sends_done_and_waits_for_its_end(logged_in):
    connection = logged_in(selected=True)
    idle = connection.submit(commands.idle())
    connection.receive(b"+\r\n")
    connection.data_to_send()
    noop = connection.submit(commands.noop())
    assert connection.data_to_send() == [b"DONE\r\n"]
    connection.receive(b"* 4 EXISTS\r\n" + idle.tag + b" OK\r\n")
    assert connection.data_to_send() == [noop.tag + b" NOOP\r\n"]


def test_idle_within_idle_is_our_fault(logged_in):
    connection = logged_in(selected=True)
    connection.submit(commands.idle())
    with pytest.raises(LocalProtocolError):
        connection.submit(commands.idle())


def test_repeated_plus_during_idle_is_ignored(logged_in):
    connection = logged_in(selected=True)
    connection.submit(commands.idle())
    events = connection.receive(b"+ idling\r\n+ Still here\r\n* OK Still here\r\n")
    assert [type(event) for event in events] == [IdleStarted, StatusLine]


def test_refused_idle_ends_it(logged_in):
    connection = logged_in(selected=True)
    sent = connection.submit(commands.idle())
    (done,) = connection.receive(sent.tag + b" BAD what?\r\n")
    assert done.tagged.status is Status.BAD
    assert not connection.is_idling


def test_literal_from_the_shell_is_wanted_after_plus(logged_in):
    connection = logged_in()
    sent = connection.submit(commands.append(b"Sent", 6))
    noop = connection.submit(commands.noop())
    assert connection.wanted_literal is None
    assert b"".join(connection.data_to_send()) == sent.tag + b" APPEND Sent {6}\r\n"
    assert connection.receive(b"+ go\r\n") == [LiteralWanted(sent, 6)]
    connection.send_literal(b"abc")
    assert connection.wanted_literal == LiteralWanted(sent, 3)
    connection.send_literal(memoryview(b"def"))
    assert connection.wanted_literal is None
    assert b"".join(connection.data_to_send()) == b"abcdef\r\n" + noop.tag + b" NOOP\r\n"


def test_more_octets_than_announced_is_our_fault(logged_in):
    connection = logged_in("LITERAL+")
    connection.submit(commands.append(b"Sent", 2))
    with pytest.raises(LocalProtocolError):
        connection.send_literal(b"abc")


def test_literal_minus_waits_above_4096(logged_in):
    connection = logged_in("IMAP4rev1 LITERAL-")
    connection.submit(commands.append(b"Sent", 4096))
    assert connection.wanted_literal is not None
    connection.send_literal(b"x" * 4096)
    connection.data_to_send()
    connection.submit(commands.append(b"Sent", 4097))
    assert connection.wanted_literal is None
    assert connection.data_to_send()[0].endswith(b"{4097}\r\n")


def test_answer_before_the_literal_is_complete_keeps_the_promise(logged_in):
    connection = logged_in("LITERAL+")
    sent = connection.submit(commands.append(b"Sent", 4))
    connection.send_literal(b"ab")
    connection.receive(sent.tag + b" NO [TOOBIG] no\r\n")
    noop = connection.submit(commands.noop())
    connection.data_to_send()
    connection.send_literal(b"cd")
    assert b"".join(connection.data_to_send()) == b"cd\r\n" + noop.tag + b" NOOP\r\n"


def test_waiting_literal_becomes_wanted_when_its_turn_comes(logged_in):
    connection = logged_in("LITERAL+", max_in_flight=1)
    noop = connection.submit(commands.noop())
    sent = connection.submit(commands.append(b"Sent", 4))
    assert connection.wanted_literal is None
    events = connection.receive(noop.tag + b" OK\r\n")
    assert events[-1] == LiteralWanted(sent, 4)


def test_empty_message_from_the_shell_needs_no_octets(logged_in):
    connection = logged_in("LITERAL+")
    connection.submit(commands.append(b"Sent", 0))
    assert connection.wanted_literal is None
    assert connection.data_to_send()[0].endswith(b"{0+}\r\n\r\n")


def test_cancelled_authentication_sends_a_star():
    connection = ImapConnection()
    connection.receive(b"* OK hi\r\n")
    connection.submit(commands.authenticate("XOAUTH2"))
    connection.receive(b"+ \r\n")
    connection.data_to_send()
    connection.answer_challenge(None)
    assert connection.data_to_send() == [b"*\r\n"]
    with pytest.raises(LocalProtocolError):
        connection.answer_challenge(b"again")


def test_bye_repeated_without_end_is_told_once_and_bounded(logged_in):
    connection = logged_in(limits=Limits(quiet_untagged_count=1000))
    events = connection.receive(b"* BYE bye\r\n" * 500)
    assert [type(event) for event in events] == [Bye]
    assert connection.state is State.LOGOUT
    with pytest.raises(RemoteProtocolError) as caught:
        connection.receive(b"* BYE bye\r\n" * 600)
    assert caught.value.reason == "flood"


def test_bye_before_a_refused_login_keeps_both():
    connection = ImapConnection()
    connection.receive(b"* OK hi\r\n")
    connection.submit(commands.login("a", Secret("b")))
    events = connection.receive(b"* BYE too many\r\nA1 NO [AUTHENTICATIONFAILED] no\r\n")
    assert [type(event) for event in events] == [Bye, CommandDone]
    assert connection.state is State.LOGOUT


def test_flood_without_command_meets_its_budget(logged_in):
    connection = logged_in(limits=Limits(quiet_untagged_count=50))
    with pytest.raises(RemoteProtocolError) as caught:
        connection.receive(b"* 1 EXISTS\r\n" * 51)
    assert caught.value.reason == "flood"


def test_flood_during_a_command_meets_its_budget(logged_in):
    connection = logged_in(limits=Limits(untagged_bytes=1000))
    connection.submit(commands.noop())
    connection.receive(b"* OK x\r\n" * 100)
    with pytest.raises(RemoteProtocolError):
        connection.receive(b"* OK x\r\n" * 100)


def test_tagged_answer_renews_the_budget(logged_in):
    connection = logged_in(limits=Limits(quiet_untagged_count=50))
    for _ in range(5):
        connection.receive(b"* 1 EXISTS\r\n" * 40)
        connection.receive(connection.submit(commands.noop()).tag + b" OK\r\n")


def test_octets_of_bodies_do_not_count_as_flood(logged_in):
    connection = logged_in(selected=True, limits=Limits(quiet_untagged_bytes=1000))
    connection.receive(b"* 1 FETCH (UID 1 BODY[] {5000}\r\n" + b"x" * 5000 + b")\r\n")


def test_half_line_and_half_literal_are_mid_response(logged_in):
    connection = logged_in(selected=True)
    assert not connection.is_mid_response
    for portion in (b"* 1 FETCH", b" (UID 1 BODY[] {3}\r\n", b"ab", b"c", b")\r"):
        connection.receive(portion)
        assert connection.is_mid_response
    connection.receive(b"\n")
    assert not connection.is_mid_response
