"""The fuzz target, bounded: mutations of transcripts end in events or in one typed error. P4, P5, P8, P14."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import fuzz_pop3

SEEDS = fuzz_pop3.seeds()
STREAM_BYTES = 1 << 20
TOKENS = [
    b"+OK", b"-ERR", b"+OK\r\n", b"-ERR \r\n", b"+ ", b"+ eA==\r\n", b"*\r\n", b"\r\n", b"\n", b"\r", b"\0", b".", b"..", b".\r\n",
    b"\r\n.\r\n", b"\n.\n", b"\r\n..\r\n", b" 0 ", b"-1", b"4294967296", b"99999999999999999999", b"1 x\r\n", b"2 17\r\n", b"[IN-USE] ",
    b"[SYS/TEMP] ", b"[LOGIN-DELAY] ", b"[AUTH] ", b"[", b"]", b"[x/y/z ", b"try again in 5 minutes", b"SASL ", b"EXPIRE 0 USER\r\n",
    b"LOGIN-DELAY 999999999999\r\n", b"PIPELINING\r\n", b"UIDL\r\n", b"\xff", b"\xe2\x80\xae", b"<1896.697170952@dbc>", b"x" * 70,
]  # fmt: skip


@st.composite
def programs(draw: st.DrawFn) -> bytes:
    """A transcript's octets with pieces cut out, doubled, swapped for others or broken."""
    stream = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 8))):
        at = draw(st.integers(0, len(stream)))
        end = min(len(stream), at + draw(st.integers(0, 40)))
        match draw(st.sampled_from(("drop", "token", "bytes", "double", "flip"))):
            case "drop":
                del stream[at:end]
            case "token":
                stream[at:at] = draw(st.sampled_from(TOKENS)) * draw(st.sampled_from((1, 1, 1, 300)))
            case "bytes":
                stream[at:end] = draw(st.binary(max_size=6))
            case "double":
                stream[at:at] = stream[at:end]
            case "flip" if at < len(stream):
                stream[at] ^= 1 << draw(st.integers(0, 7))
    state = draw(st.integers(0, fuzz_pop3.STATES - 1))
    return bytes([state, draw(st.sampled_from((0, 1, 2, 3, 7, 64)))]) + bytes(stream)


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_mutated_transcript_is_events_or_one_typed_error(program):
    fuzz_pop3.check(program)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_noise_is_events_or_one_typed_error(program):
    fuzz_pop3.check(program)


@pytest.mark.parametrize("seed", range(len(SEEDS)))
@pytest.mark.parametrize("state", range(fuzz_pop3.STATES))
def test_transcripts_themselves_pass(seed, state):
    fuzz_pop3.check(bytes([state, 3]) + SEEDS[seed])


def test_each_kind_of_end_is_reached():
    """Else the checks above would prove nothing: answers complete, a fault, TLS begun, a line turned away."""
    events, fault = fuzz_pop3.feed(
        fuzz_pop3.prepared(0), iter([b"+OK 1 9\r\n+OK\r\n1 a\r\n.\r\n+OK\r\n1 9\r\n.\r\n+OK\r\nx\r\n.\r\n"])
    )
    assert fault is None
    assert len(events) == 8
    large = b"+OK 1 9\r\n-ERR\r\n-ERR\r\n+OK\r\n" + b"x" * 70 * 1024
    assert fuzz_pop3.feed(fuzz_pop3.prepared(0), iter([large]))[1] == "RemoteProtocolError message_too_large"
    assert (
        fuzz_pop3.feed(fuzz_pop3.prepared(2), iter([b"+OK\r\n+OK\r\n"]))[1] == "TlsFailed starttls_injection"
    )
    assert fuzz_pop3.feed(fuzz_pop3.prepared(3), iter([b"+ \r\n+OK\r\n"]))[1] is None


@pytest.mark.parametrize(
    "piece",
    [b"+OK", b"+OK\r\n", b"-ERR\r\n", b"\r\n", b".", b".\r\n", b"..\r\n", b"+ \r\n", b"1 x\r\n", b"7\r\n", b"\0", b"x" * 64 + b"\r\n",
     b"x" * 64, b"[A/", b"SASL A B C\r\n", b"+OK\r\n.\r\n"],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize(
    ("state", "start"),
    [(0, b""), (0, b"+OK 1 1\r\n+OK\r\n"), (0, b"+OK 1 1\r\n-ERR\r\n-ERR\r\n+OK\r\n"), (1, b""), (3, b""), (4, b"+OK\r\n")],
    ids=["status", "listing", "message", "greeting", "challenge", "capabilities"],
)  # fmt: skip
def test_endless_repetition_is_bounded_in_memory(piece, state, start):
    """Megabytes take no more memory than kilobytes, in whatever answer they come."""
    stream = start + piece * (STREAM_BYTES // len(piece))
    assert fuzz_pop3.most_memory(state, stream) < fuzz_pop3.KEPT_BYTES < STREAM_BYTES


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_stranger_before_login_is_no_different(program):
    fuzz_pop3.feed(fuzz_pop3.log_in_first(), fuzz_pop3.cut(program[2:], program[1]))
