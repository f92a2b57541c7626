from daemon.wire.pop3 import commands
from daemon.wire.pop3.outbox import Outbox


def test_without_pipelining_one_command_is_in_flight():
    outbox = Outbox(max_in_flight=8)
    for number in (1, 2):
        outbox.put(commands.retr(number))
    assert outbox.take() == b"RETR 1\r\n"
    assert outbox.take() == b""
    outbox.answered()
    assert outbox.take() == b"RETR 2\r\n"


def test_window_bounds_what_is_in_flight():
    outbox = Outbox(max_in_flight=3)
    outbox.is_pipelining = True
    for number in range(1, 6):
        outbox.put(commands.dele(number))
    assert outbox.take().count(b"DELE") == 3
    outbox.answered()
    assert outbox.take() == b"DELE 4\r\n"
    assert len(outbox.in_flight) == 3


def test_command_that_changes_the_state_travels_alone():
    outbox = Outbox(max_in_flight=8)
    outbox.is_pipelining = True
    outbox.put(commands.dele(1))
    outbox.put(commands.leave())
    assert outbox.is_changing
    assert outbox.take() == b"DELE 1\r\n"
    outbox.answered()
    assert outbox.take() == b"QUIT\r\n"
    assert outbox.is_changing


def test_handles_are_told_apart():
    outbox = Outbox(max_in_flight=8)
    assert outbox.put(commands.noop()) != outbox.put(commands.noop())


def test_answer_to_a_challenge_goes_between():
    outbox = Outbox(max_in_flight=1)
    outbox.put(commands.auth("PLAIN"))
    outbox.add(b"abc\r\n")
    assert outbox.take() == b"AUTH PLAIN\r\nabc\r\n"
