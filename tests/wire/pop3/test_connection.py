"""The state machine: moves, window, answers in order, what it refuses."""

import pytest

from daemon.model.errors import LocalProtocolError, RemoteProtocolError, TlsFailed
from daemon.model.secret import Secret
from daemon.wire.pop3 import commands
from daemon.wire.pop3.connection import Pop3Connection
from daemon.wire.pop3.events import Challenge, CommandDone, Farewell, Greeting
from daemon.wire.pop3.limits import Limits
from daemon.wire.pop3.responses import SizeLines, Streamed
from daemon.wire.pop3.states import State


def greeted() -> Pop3Connection:
    connection = Pop3Connection()
    connection.receive(b"+OK ready\r\n")
    return connection


def test_greeting_leads_to_authorization_or_to_the_end():
    assert greeted().state is State.AUTHORIZATION
    connection = Pop3Connection()
    [event] = connection.receive(b"-ERR [SYS/TEMP] come back\r\n")
    assert isinstance(event, Greeting)
    assert connection.state is State.UPDATE
    with pytest.raises(LocalProtocolError):
        connection.submit(commands.capa())


@pytest.mark.parametrize("line", [b"* OK IMAP\r\n", b"HTTP/1.1 302 Found\r\n", b"\x15\x03\x01\n"])
def test_greeting_of_another_protocol_is_a_fault(line):
    connection = Pop3Connection()
    with pytest.raises(RemoteProtocolError):
        connection.receive(line)
    assert connection.state is State.BROKEN
    with pytest.raises(RemoteProtocolError):
        connection.receive(b"+OK\r\n")


def test_illegal_move_is_refused(logged_in):
    connection = greeted()
    for command in (commands.retr(1), commands.password(Secret("x")), commands.leave()):
        if command.kind.value != "QUIT":
            with pytest.raises(LocalProtocolError):
                connection.submit(command)
    with pytest.raises(LocalProtocolError):
        logged_in().submit(commands.user("x"))
    with pytest.raises(LocalProtocolError):
        connection.tls_started()


def test_nothing_is_submitted_while_the_state_is_about_to_change(logged_in):
    connection = logged_in()
    connection.submit(commands.dele(1))
    connection.submit(commands.leave())
    with pytest.raises(LocalProtocolError):
        connection.submit(commands.noop())
    assert connection.data_to_send() == b"DELE 1\r\n"
    connection.receive(b"+OK\r\n")
    assert connection.data_to_send() == b"QUIT\r\n"
    connection.receive(b"+OK bye\r\n")
    assert connection.state is State.UPDATE
    assert connection.in_flight_count == 0


def test_pass_refused_leads_back_to_authorization():
    connection = greeted()
    connection.submit(commands.user("a"))
    connection.receive(b"+OK\r\n")
    assert connection.state is State.USER_GIVEN
    connection.submit(commands.password(Secret("b")))
    connection.receive(b"-ERR [AUTH] no\r\n")
    assert connection.state is State.AUTHORIZATION


def test_answers_go_to_commands_in_order(logged_in):
    connection = logged_in()
    sent = [connection.submit(commands.retr(number)) for number in (1, 2, 3)]
    assert connection.data_to_send() == b"RETR 1\r\nRETR 2\r\nRETR 3\r\n"
    events = connection.receive(b"+OK\r\na\r\n.\r\n-ERR locked\r\n+OK\r\nc\r\n.\r\n")
    assert [event.sent for event in events] == sent
    assert [event.result for event in events] == [b"a\r\n", None, b"c\r\n"]


def test_one_at_a_time_until_pipelining_is_offered(logged_in):
    connection = logged_in("TOP")
    assert not connection.is_pipelining
    connection.submit(commands.noop())
    connection.submit(commands.noop())
    assert connection.data_to_send() == b"NOOP\r\n"
    connection.receive(b"+OK\r\n")
    assert connection.data_to_send() == b"NOOP\r\n"


def test_capabilities_refused_are_unknown(logged_in):
    connection = logged_in("PIPELINING")
    connection.submit(commands.capa())
    connection.receive(b"-ERR what?\r\n")
    assert not connection.capabilities
    assert not connection.is_pipelining


@pytest.mark.parametrize("extra", [b"+OK injected\r\n", b"x", b"\r\n"])
def test_octets_behind_the_ok_of_stls_are_an_injection(extra):
    """N21 and P16: in the same read or in the next."""
    for portions in ([b"+OK go\r\n" + extra], [b"+OK go\r\n", extra], [b"+OK go\r", b"\n" + extra]):
        connection = greeted()
        connection.submit(commands.stls())
        with pytest.raises(TlsFailed) as caught:
            for portion in portions:
                connection.receive(portion)
        assert caught.value.reason == "starttls_injection"
        assert connection.state is State.BROKEN


def test_stls_waits_for_no_other_command_and_refused_changes_nothing():
    connection = greeted()
    connection.submit(commands.capa())
    with pytest.raises(LocalProtocolError):
        connection.submit(commands.stls())
    connection.receive(b"-ERR\r\n")
    connection.submit(commands.stls())
    connection.receive(b"-ERR no TLS here\r\n")
    assert connection.state is State.AUTHORIZATION


def test_capabilities_said_before_tls_are_forgotten():
    """N22."""
    connection = greeted()
    connection.submit(commands.capa())
    connection.receive(b"+OK\r\nPIPELINING\r\nSASL EVIL\r\n.\r\n")
    connection.submit(commands.stls())
    connection.receive(b"+OK\r\n")
    assert connection.state is State.TLS_PENDING
    connection.tls_started()
    assert not connection.capabilities
    assert not connection.is_pipelining


def test_challenge_is_answered_or_cancelled():
    connection = greeted()
    with pytest.raises(LocalProtocolError):
        connection.answer_challenge(b"x")
    sent = connection.submit(commands.auth("LOGIN"))
    assert connection.receive(b"+ VXNlcm5hbWU6\r\n") == [Challenge(sent, b"VXNlcm5hbWU6")]
    connection.data_to_send()
    with pytest.raises(LocalProtocolError):
        connection.answer_challenge(b"a\r\nb")
    connection.answer_challenge(b"YWRh")
    assert connection.data_to_send() == b"YWRh\r\n"
    assert connection.receive(b"+\r\n") == [Challenge(sent, b"")]
    connection.answer_challenge(None)
    assert connection.data_to_send() == b"*\r\n"
    connection.receive(b"-ERR cancelled\r\n")
    assert connection.state is State.AUTHORIZATION


def test_ok_is_a_login_once_something_was_said():
    connection = greeted()
    connection.submit(commands.auth("PLAIN", b"AGEAYg=="))
    [event] = connection.receive(b"+OK\r\n")
    assert isinstance(event, CommandDone)
    assert connection.state is State.TRANSACTION


def test_answer_to_nothing_is_a_fault_and_err_a_farewell(logged_in):
    connection = logged_in()
    with pytest.raises(RemoteProtocolError):
        connection.receive(b"+OK surprise\r\n")
    connection = logged_in()
    [event] = connection.receive(b"-ERR Disconnected for inactivity.\r\n")
    assert isinstance(event, Farewell)
    with pytest.raises(LocalProtocolError):
        connection.submit(commands.noop())


def test_plus_outside_auth_is_a_fault(logged_in):
    connection = logged_in()
    connection.submit(commands.noop())
    with pytest.raises(RemoteProtocolError):
        connection.receive(b"+ go on\r\n")


def test_list_of_one_message_answered_about_another_is_a_fault(logged_in):
    connection = logged_in()
    connection.submit(commands.list_sizes(2))
    [event] = connection.receive(b"+OK 2 17\r\n")
    assert event.result == SizeLines([(2, 17)])
    connection.submit(commands.list_sizes(2))
    with pytest.raises(RemoteProtocolError) as caught:
        connection.receive(b"+OK 1 17\r\n")
    assert caught.value.reason == "wrong_message"


def test_message_of_exactly_the_gathering_limit_is_gathered(logged_in):
    for size, is_gathered in ((10, True), (11, False)):
        for step in (1, 100):
            connection = logged_in(limits=Limits(gathered_message_bytes=10))
            connection.submit(commands.retr(1))
            sent = b"+OK\r\n" + b"x" * (size - 2) + b"\r\n.\r\n"
            events = []
            for at in range(0, len(sent), step):
                events += connection.receive(sent[at : at + step])
            assert (events[-1].result == b"x" * (size - 2) + b"\r\n") is is_gathered
            assert (events[-1].result == Streamed(size)) is not is_gathered


@pytest.mark.parametrize("step", [1, 7, 100_000])
@pytest.mark.parametrize(
    ("command", "limits", "reason"),
    [
        (commands.retr(1), Limits(max_message_bytes=50), "message_too_large"),
        (commands.top(1, 0), Limits(max_message_bytes=50), "message_too_large"),
        (commands.retr(1), Limits(max_message_bytes=50, gathered_message_bytes=20), "message_too_large"),
        (commands.capa(), Limits(capability_bytes=50), "flood"),
        (commands.list_uidls(), Limits(listing_count=3), "flood"),
    ],
)
def test_answer_without_end_is_refused(logged_in, step, command, limits, reason):
    """P14."""
    connection = logged_in(limits=limits)
    connection.submit(command)
    sent = b"+OK\r\n" + b"1 abcdefgh\r\n" * 6 + b".\r\n"
    with pytest.raises(RemoteProtocolError) as caught:
        for at in range(0, len(sent), step):
            connection.receive(sent[at : at + step])
    assert caught.value.reason == reason


def test_events_before_a_fault_are_kept(logged_in):
    connection = logged_in()
    connection.submit(commands.noop())
    with pytest.raises(RemoteProtocolError):
        connection.receive(b"+OK\r\n+OK surprise\r\n")
    assert len(connection.events_before_fault) == 1


def test_mid_response_is_told(logged_in):
    connection = logged_in()
    connection.submit(commands.retr(1))
    assert not connection.is_mid_response
    connection.receive(b"+O")
    assert connection.is_mid_response
    connection.receive(b"K\r\nabc")
    assert connection.is_mid_response
    connection.receive(b"\r\n.\r\n")
    assert not connection.is_mid_response
