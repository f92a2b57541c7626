import pytest

from daemon.model.errors import LocalProtocolError, RemoteProtocolError, TlsFailed
from daemon.model.flags import SEEN
from daemon.model.ids import Uid
from daemon.model.secret import Secret
from daemon.model.uidset import UidSet
from daemon.wire.imap import commands
from daemon.wire.imap.commands import FetchItem, FlagChange, StatusItem
from daemon.wire.imap.connection import CommandDone, IdleStarted, ImapConnection, LiteralWanted
from daemon.wire.imap.limits import Limits
from daemon.wire.imap.responses import (
    Bye,
    Exists,
    FetchData,
    Greeting,
    LiteralBegin,
    LiteralEnd,
    Status,
    StatusLine,
)
from daemon.wire.imap.states import State


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


def test_starttls_with_commands_unanswered_is_our_fault():
    connection = ImapConnection()
    connection.receive(b"* OK hi\r\n")
    connection.submit(commands.capability())
    with pytest.raises(LocalProtocolError):
        connection.submit(commands.starttls())


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
    sent = [
        connection.submit(commands.uid_fetch(UidSet([uid]), [FetchItem.UID, FetchItem.BODY]))
        for uid in range(1, 6)
    ]
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
    "line",
    [b"A99 OK what\r\n", b"A1 OK twice\r\n", b"Server Unavailable. 15\r\n", b"+ go on\r\n", b"A2 MAYBE\r\n"],
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


def test_answer_that_breaks_the_line_is_our_fault():
    connection = ImapConnection()
    connection.receive(b"* OK hi\r\n")
    connection.submit(commands.authenticate("LOGIN"))
    connection.receive(b"+ \r\n")
    with pytest.raises(LocalProtocolError):
        connection.answer_challenge(b"x\r\nA2 NOOP")


def test_needless_plus_for_a_literal_sent_at_once_is_ignored(logged_in):
    connection = logged_in("LITERAL+")
    connection.submit(commands.append(b"Sent", b"hello"))
    assert connection.receive(b"+ OK\r\n") == []


def test_handles_are_cheap_keys(logged_in):
    sent = logged_in().submit(commands.append(b"Sent", b"x"))
    assert hash(sent) != hash(logged_in().submit(commands.noop()).command)
    assert {sent: 1}[sent] == 1
