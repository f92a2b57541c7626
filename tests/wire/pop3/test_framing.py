"""Lines and multi-line answers out of bytes in any portions."""

import time

import pytest

from daemon.model.errors import RemoteProtocolError
from daemon.wire.pop3.framing import Framer
from daemon.wire.pop3.limits import Limits


def lines_of(framer: Framer) -> list[bytes]:
    found = []
    while (line := framer.read_line()) is not None:
        found.append(line)
    return found


@pytest.fixture
def framer() -> Framer:
    return Framer(Limits(status_line_bytes=20, blank_lines=3))


def test_lines_end_in_crlf_or_bare_lf(framer):
    framer.feed(b"+OK one\r\n-ERR two\n+O")
    assert lines_of(framer) == [b"+OK one", b"-ERR two"]
    assert framer.is_mid_unit
    framer.feed(b"K three\r")
    assert lines_of(framer) == []
    framer.feed(b"\n")
    assert lines_of(framer) == [b"+OK three"]
    assert not framer.is_mid_unit
    assert not framer.has_more


def test_body_is_read_where_the_line_ended(framer):
    framer.feed(b"+OK\r\na\r\n..b\r\n.\r\n+OK next\r\n")
    assert framer.read_line() == b"+OK"
    framer.begin_body()
    assert framer.read_body() == (b"a\r\n.b\r\n", True)
    assert lines_of(framer) == [b"+OK next"]


def test_terminator_straddling_reads_is_found(framer):
    sent = b"a\r\n.\r\n"
    for at in range(1, len(sent)):
        framer.feed(b"+OK\r\n" + sent[:at])
        framer.read_line()
        framer.begin_body()
        first, is_complete = framer.read_body()
        assert not is_complete
        assert framer.is_mid_unit
        framer.feed(sent[at:])
        second, is_complete = framer.read_body()
        assert (first + second, is_complete) == (b"a\r\n", True)
        assert not framer.is_mid_unit


def test_silence_behind_ok_is_no_unit_begun(framer):
    """P14: then the 60 s of silence count, not the progress floor."""
    framer.feed(b"+OK\r\n")
    framer.read_line()
    framer.begin_body()
    assert framer.read_body() == (b"", False)
    assert not framer.is_mid_unit
    framer.feed(b"x")
    framer.read_body()
    assert framer.is_mid_unit


def test_line_beyond_the_limit_is_refused_whether_complete_or_not(framer):
    for portions in ([b"x" * 21 + b"\r\n"], [b"x" * 22], [b"x"] * 22):
        fresh = Framer(Limits(status_line_bytes=20))
        with pytest.raises(RemoteProtocolError) as caught:
            for portion in portions:
                fresh.feed(portion)
                fresh.read_line()
        assert caught.value.reason == "line_too_long"
    framer.feed(b"x" * 20 + b"\r")
    assert framer.read_line() is None
    framer.feed(b"\n")
    assert framer.read_line() == b"x" * 20


def test_few_empty_lines_are_skipped_and_many_are_a_fault(framer):
    framer.feed(b"\r\n\n\r\n+OK\r\n\r\n")
    assert lines_of(framer) == [b"+OK"]
    with pytest.raises(RemoteProtocolError):
        framer.feed(b"\r\n" * 4)
        framer.read_line()


def test_long_unfinished_line_costs_linear_time():
    framer = Framer(Limits(status_line_bytes=1 << 20))
    began = time.process_time()
    for _ in range(200_000):
        framer.feed(b"x")
    assert time.process_time() - began < 3


def test_no_body_asked_for_is_complete(framer):
    assert framer.read_body() == (b"", True)
