"""The fuzz target, bounded: mutations of transcripts end in events or in one typed error. S15 to S19."""

import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import fuzz_imap

SEEDS = fuzz_imap.seeds()
TOKENS = [
    b"(", b")", b'"', b"\\", b"{", b"}", b"{3}\r\n", b"{3+}\r\n", b"~{2}\r\n", b"{99999999999}\r\n", b"\r\n", b"\n", b"\0", b"NIL",
    b"[", b"]", b"* ", b"+ ", b"A1 OK", b"A2 NO [", b"A3 BAD ", b" 0 ", b"4294967296", b"-1", b"9.3e+06", b"FETCH (", b"BODY[] ",
    b"VANISHED (EARLIER) ", b"STATUS ", b"LIST ", b"QUOTA ", b"ESEARCH ", b"[APPENDUID 1 1:4294967295]", b"[COPYUID 1 1:9 1:9]",
    b"[INPROGRESS (", b"EMAILID (", b"X-GM-LABELS (", b"UIDFETCH (", b"BINARY[1] ", b"\xff", b"\xe2\x80\xae", b"BYE ", b"OK [CAPABILITY ",
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
                stream[at:at] = draw(st.sampled_from(TOKENS)) * draw(st.sampled_from((1, 1, 1, 30)))
            case "bytes":
                stream[at:end] = draw(st.binary(max_size=6))
            case "double":
                stream[at:at] = stream[at:end]
            case "flip" if at < len(stream):
                stream[at] ^= 1 << draw(st.integers(0, 7))
    return bytes([draw(st.integers(0, 7)), draw(st.sampled_from((0, 1, 2, 3, 7, 64)))]) + bytes(stream)


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_mutated_transcript_is_events_or_one_typed_error(program):
    fuzz_imap.check(program)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_noise_is_events_or_one_typed_error(program):
    fuzz_imap.check(program)


@pytest.mark.parametrize("seed", range(len(SEEDS)))
@pytest.mark.parametrize("options", range(8))
def test_transcripts_themselves_pass(seed, options):
    fuzz_imap.check(bytes([options, 3]) + SEEDS[seed])


@pytest.mark.parametrize(
    "piece",
    [b"(", b"* 1 FETCH (", b"* LIST (", b"* ID (", b'* 1 FETCH (FLAGS ("', b"* STATUS x (", b"* QUOTA (", b"* 1 FETCH (BODY[] {9}\r\n",
     b"* OK [", b"* 1 FETCH (X ((((((((((((((((", b"* VANISHED 1,", b"+ ", b"\0", b"* 5 EXISTS\r\n", b"{1}\r\n"],
    ids=repr,
)  # fmt: skip
def test_endless_repetition_is_bounded_in_time_memory_and_depth(piece):
    """S18: no recursion, whatever is nested; megabytes take no more memory than kilobytes."""
    began = time.process_time()
    depth = sys.getrecursionlimit()
    sys.setrecursionlimit(len_of_stack() + 60)
    try:
        for start in (b"* 1 FETCH (UID 1 ", b"", b"* 1 FETCH (BODY[] {4096}\r\n"):
            stream = start + piece * ((2 << 20) // len(piece))
            assert fuzz_imap.most_memory(0, stream) < fuzz_imap.KEPT_BYTES
    finally:
        sys.setrecursionlimit(depth)
    assert time.process_time() - began < 30


def len_of_stack() -> int:
    frame, count = sys._getframe(), 0
    while frame is not None:
        frame, count = frame.f_back, count + 1
    return count


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_stranger_before_login_is_no_different(program):
    fuzz_imap.feed(fuzz_imap.log_in_first(), fuzz_imap.cut(program[2:], program[1]))
