"""Servers that break every rule: same fault at any split, little memory, linear time."""

import contextlib
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.model.errors import RemoteProtocolError, TlsFailed
from daemon.model.uidset import UidSet
from daemon.wire.imap import commands
from daemon.wire.imap.commands import FetchItem
from daemon.wire.imap.limits import Limits
from daemon.wire.imap.states import State

FRAGMENTS = [
    b"* ", b"A3 OK", b"A3 NO [", b"]", b"+ ", b"\r\n", b"\n", b"\0", b"(", b")", b'"', b"{3}\r\n", b"{12}\r\n", b"~{2}\r\n",
    b"{99999999999}\r\n", b"FETCH (", b"UID 5 ", b"FLAGS (\\Seen) ", b"BODY[] ", b"NIL", b"1 ", b"4294967295 ", b"EXISTS",
    b'LIST () "/" ', b"STATUS x ", b"VANISHED (EARLIER) 1:3", b"ESEARCH ", b"SEARCH 1 2", b"BYE", b"OK [UIDNEXT 5] x",
    b"abc", b"\\", b"[COPYUID 1 2 3]", b"CAPABILITY IMAP4rev1", b"ENABLED X", b"* 1 FETCH (UID 5 BODY[] {3}\r\nabc)\r\n",
]  # fmt: skip


def outcome(connection, portions, settle):
    connection.submit(commands.uid_fetch(UidSet([5]), [FetchItem.UID, FetchItem.BODY]))
    events = []
    try:
        for portion in portions:
            events += settle(connection.receive(portion))
    except (RemoteProtocolError, TlsFailed) as exc:
        return settle_all(events + settle(connection.events_before_fault)), str(exc)
    return settle_all(events), None


def settle_all(events):
    found = []
    for event in events:
        if isinstance(event, bytes) and found and isinstance(found[-1], bytes):
            found[-1] += event
        else:
            found.append(event)
    return found


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25), st.randoms(use_true_random=False))
def test_hostile_stream_gives_the_same_events_or_the_same_fault_at_any_split(
    logged_in, settle, fragments, chance
):
    stream = b"".join(fragments)
    limits = Limits(gathered_literal_bytes=8)
    expected = outcome(logged_in(selected=True, limits=limits), [stream], settle)
    cuts = sorted(chance.choices(range(len(stream) + 1), k=8))
    portions = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert outcome(logged_in(selected=True, limits=limits), portions, settle) == expected
    single = [stream[at : at + 1] for at in range(len(stream))]
    assert outcome(logged_in(selected=True, limits=limits), single, settle) == expected


@pytest.mark.parametrize(
    ("portion", "reason"),
    [
        (b"(" * 65536, "line_too_long"),
        (b"* 1 FETCH (UID 1 FLAGS (" + b"a " * 30000, "line_too_long"),
        (b"* OK " + b"x" * 65536, "line_too_long"),
        (b"* 1 FETCH (UID 1 BODY[] {4294967295}\r\n", "message_too_large"),
        (b"\0" * 65536, "line_too_long"),
    ],
)
def test_endless_data_end_at_a_limit_with_little_memory(logged_in, portion, reason):
    """S15, S16, S18: the fault comes within a few MiB, whatever the server goes on to send."""
    connection = logged_in(selected=True)
    taken = 0
    while connection.state is not State.BROKEN and taken < 100 << 20:
        with contextlib.suppress(RemoteProtocolError):
            connection.receive(portion)
        taken += len(portion)
    with pytest.raises(RemoteProtocolError) as caught:
        connection.receive(b"* OK\r\n")
    assert caught.value.reason == reason
    assert taken < 2 << 20


def test_million_parentheses_in_one_fetch_are_refused(logged_in):
    connection = logged_in(selected=True)
    with pytest.raises(RemoteProtocolError):
        connection.receive(b"* 1 FETCH (" + b"(" * 1_000_000 + b"\r\n")


def test_body_costs_little_beside_its_octets(logged_in):
    connection = logged_in(selected=True)
    block = b"".join(
        b'* %d FETCH (UID %d FLAGS (\\Seen) INTERNALDATE "17-Jul-2019 02:44:25 +0000" RFC822.SIZE 2000 BODY[] {2000}\r\n%b)\r\n'
        % (number, number, b"x" * 2000)
        for number in range(1, 5001)
    )
    view = memoryview(block)
    started = time.process_time()
    count = sum(len(connection.receive(view[at : at + 262144])) for at in range(0, len(view), 262144))
    assert count == 5000
    assert (time.process_time() - started) / 5000 < 60e-6  # budget 12; the rest is for a busy machine


def test_thousand_names_in_enabled_are_not_kept(logged_in):
    """They would be counted anew with every line."""
    connection = logged_in()
    for number in range(1000):
        connection.receive(b"* ENABLED X%d qresync\r\n" % number)
    assert connection.enabled == {"QRESYNC"}


def test_bodies_under_idle_are_a_flood(logged_in):
    connection = logged_in(selected=True)
    connection.submit(commands.idle())
    body = b"* 1 FETCH (UID 1 BODY[] {1000000}\r\n" + b"x" * 1_000_000 + b")\r\n"
    with pytest.raises(RemoteProtocolError) as caught:
        for _ in range(20):
            connection.receive(body)
    assert caught.value.reason == "flood"


def test_exists_that_counts_up_under_idle_does_not_raise_the_budget(logged_in):
    connection = logged_in(selected=True, limits=Limits(fair_count=1000))
    connection.submit(commands.idle())
    with pytest.raises(RemoteProtocolError) as caught:
        for number in range(2000):
            connection.receive(b"* %d EXISTS\r\n" % number)
    assert caught.value.reason == "flood"
    assert 1000 <= number < 1020  # three messages were selected
