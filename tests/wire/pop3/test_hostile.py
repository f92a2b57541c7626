"""Servers that break every rule: same fault at any split, little memory, linear time."""

import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.model.errors import RemoteProtocolError, TlsFailed
from daemon.wire.pop3 import commands
from daemon.wire.pop3.limits import Limits

FRAGMENTS = [
    b"+OK", b"-ERR", b"+ ", b" [IN-USE] ", b"\r\n", b"\n", b"\r", b".", b".\r\n", b"\r\n.\r\n", b"\n.\n", b"..", b"1 ",
    b"2 17\r\n", b"1 abc\r\n", b"+OK\r\n", b"-ERR no\r\n", b"+OK\r\nhello\r\n.\r\n", b"+OK 3 4\r\n", b"\0", b"\xff", b"x" * 30,
    b"PIPELINING\r\n", b"99999999999999999999 ", b"AUTH ",
]  # fmt: skip
LIMITS = Limits(
    gathered_message_bytes=8,
    max_message_bytes=200,
    status_line_bytes=60,
    listing_line_bytes=40,
    listing_count=6,
    capability_bytes=80,
    blank_lines=3,
)


def outcome(connection, portions, settle):
    for command in (
        commands.stat(),
        commands.list_uidls(),
        commands.list_sizes(),
        commands.retr(1),
        commands.retr(2),
        commands.list_sizes(3),
        commands.capa(),
        commands.top(1, 0),
        commands.dele(1),
    ):
        connection.submit(command)
    events = []
    try:
        for portion in portions:
            events += connection.receive(portion)
    except (RemoteProtocolError, TlsFailed) as exc:
        return settle(events + list(connection.events_before_fault)), str(exc)
    return settle(events), None


def without_parts(found):
    """Portions given before a fault depend on where bytes were split; what was completed does not."""
    events, fault = found
    return [event for event in events if hasattr(event, "sent")] if fault else events, fault


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25), st.randoms(use_true_random=False))
def test_hostile_stream_gives_the_same_events_or_the_same_fault_at_any_split(
    logged_in, settle, fragments, chance
):
    stream = b"".join(fragments)
    expected = without_parts(outcome(logged_in(limits=LIMITS), [stream], settle))
    cuts = sorted(chance.choices(range(len(stream) + 1), k=8))
    portions = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert without_parts(outcome(logged_in(limits=LIMITS), portions, settle)) == expected
    single = [stream[at : at + 1] for at in range(len(stream))]
    assert without_parts(outcome(logged_in(limits=LIMITS), single, settle)) == expected


def test_many_tiny_messages_cost_linear_time(logged_in):
    connection = logged_in(max_in_flight=100_000)
    for _ in range(20_000):
        connection.submit(commands.retr(1))
    stream = b"+OK\r\na\n.\n" * 20_000
    began = time.process_time()
    for at in range(0, len(stream), 262_144):
        connection.receive(memoryview(stream)[at : at + 262_144])
    assert connection.in_flight_count == 0
    assert time.process_time() - began < 2


def test_message_that_comes_in_single_bytes_costs_linear_time(logged_in):
    connection = logged_in()
    connection.submit(commands.retr(1))
    began = time.process_time()
    for portion in [b"+OK\r\nfirst\r\n", *([b"x"] * 200_000), b"\r\n.\r\n"]:
        events = connection.receive(portion)
    assert len(events[0].result) == 200_009
    assert time.process_time() - began < 4


def test_listing_of_a_full_maildrop_is_read_in_little_time(logged_in):
    """P13."""
    connection = logged_in()
    connection.submit(commands.list_uidls())
    stream = b"+OK\r\n" + b"".join(b"%d %032x\r\n" % (n, n) for n in range(1, 200_001)) + b".\r\n"
    began = time.process_time()
    count = 0
    for at in range(0, len(stream), 65_536):
        count += sum(len(getattr(e, "entries", ())) for e in connection.receive(stream[at : at + 65_536]))
    assert count == 200_000
    assert time.process_time() - began < 3
