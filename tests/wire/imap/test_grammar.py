import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.model.errors import RemoteProtocolError
from daemon.model.ids import Uid
from daemon.wire.imap import grammar
from daemon.wire.imap.responses import (
    Bye,
    CapabilityData,
    Code,
    Continuation,
    EnabledData,
    Exists,
    Expunge,
    FetchData,
    FlagsData,
    ListData,
    OtherData,
    Status,
    StatusLine,
    Tagged,
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"* 23 EXISTS", Exists(count=23)),
        (b"*  23 exists ", Exists(count=23)),
        (b"* 44 EXPUNGE", Expunge(seq=44)),
        (b"* 5 RECENT", OtherData(name="RECENT", raw="* 5 RECENT")),
        (b"* 2 FETCH ()", FetchData(seq=2)),
        (b"* ENABLED CONDSTORE qresync", EnabledData(names=frozenset({"CONDSTORE", "QRESYNC"}))),
        (b"* ENABLED", EnabledData(names=frozenset())),
        (b"* FLAGS ()", FlagsData(flags=frozenset())),
        (b"* NO [ALERT] careful", StatusLine(status=Status.NO, code=Code(name="ALERT"), text="careful")),
        (b"* OK", StatusLine(status=Status.OK, code=None, text="")),
        (b"* BYE [UNAVAILABLE] x", Bye(code=Code(name="UNAVAILABLE"), text="x")),
        (b"A7 OK", Tagged(tag=b"A7", status=Status.OK, code=None, text="")),
        (
            b"A7 no [NONEXISTENT] x",
            Tagged(tag=b"A7", status=Status.NO, code=Code(name="NONEXISTENT"), text="x"),
        ),
        (b"+", Continuation(text=b"")),
        (b"+ ", Continuation(text=b"")),
        (b"+ YWJj", Continuation(text=b"YWJj")),
        (b"+YWJj", Continuation(text=b"YWJj")),
        (b"* XYZ 1 (2", OtherData(name="XYZ", raw="* XYZ 1 (2")),
        (b"* 7 XYZ (", OtherData(name="XYZ", raw="* 7 XYZ (")),
        (b"* (what)", OtherData(name="", raw="* (what)")),
        (b"*", OtherData(name="", raw="*")),
    ],
)
def test_responses(line, expected):
    assert grammar.parse_response(line) == expected


def test_trailing_space_in_capability_is_taken():
    data = grammar.parse_response(b"* CAPABILITY IMAP4rev1 IDLE ")
    assert isinstance(data, CapabilityData)
    assert data.capabilities.has("IDLE")


@pytest.mark.parametrize(
    "line",
    [
        b"* LIST (",
        b"* LSUB x",
        b"* STATUS x (MESSAGES y)",
        b"* NAMESPACE (((",
        b"* ID (\x00)",
        b"* LIST () {3}",
    ],
)
def test_unreadable_line_without_harm_is_other_data_with_a_problem(line):
    data = grammar.parse_response(line)
    assert isinstance(data, OtherData)
    assert data.problem


@pytest.mark.parametrize(
    "line",
    [
        b"* 0 EXPUNGE",
        b"* 4294967295 EXISTS",
        b"* 9999999999 EXISTS",
        b"* 1 FETCH (UID",
        b"* SEARCH 1 x",
        b"* ESEARCH UID ALL x",
        b"* VANISHED x",
        b"",
        b"what is this",
        b"A1",
        b"A1 PERHAPS",
        b"* 1 FETCH " + b"(" * 100_000,
    ],
)
def test_unreadable_line_with_harm_is_a_protocol_error(line):
    with pytest.raises(RemoteProtocolError):
        grammar.parse_response(line)


@pytest.mark.parametrize("frame", [b"OK hi", b"HTTP/1.1 200 OK", b"* NO", b"", (b"* OK {1}", b"x", b"")])
def test_what_is_no_greeting_is_not_imap(frame):
    with pytest.raises(RemoteProtocolError) as caught:
        grammar.parse_greeting(frame)
    assert caught.value.reason == "not_imap"


def test_flag_line_takes_the_short_way():
    assert grammar.parse_response(b"* 2 FETCH (UID 4)") == FetchData(seq=2, uid=Uid(4))


def test_literal_in_unknown_data_is_skipped():
    assert grammar.parse_response((b"* X-THING {2}", b")(", b" more")) == OtherData(
        name="X-THING", raw="* X-THING {2}"
    )


LINE = st.one_of(
    st.binary(max_size=80),
    st.builds(
        lambda head, rest: head + rest,
        st.sampled_from(
            [
                b"* ",
                b"* 1 FETCH (",
                b"* LIST (",
                b"* STATUS ",
                b"* OK [",
                b"* ESEARCH ",
                b"A1 OK [",
                b"* NAMESPACE ",
                b"* ID ",
            ]
        ),
        st.text('()"\\{}[] \x00aUID FLAGSBODY[]NIL0123456789:,*%', max_size=60).map(str.encode),
    ),
)


@given(st.one_of(LINE, st.tuples(LINE, st.binary(max_size=8), LINE)))
def test_any_frame_gives_a_value_or_a_protocol_error(frame):
    try:
        response = grammar.parse_response(frame)
    except RemoteProtocolError:
        return
    assert isinstance(response, (grammar.Response, ListData))
