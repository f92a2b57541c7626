from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.model.errors import LocalProtocolError
from daemon.model.flags import SEEN, Flag
from daemon.model.secret import Secret
from daemon.wire.imap import arguments
from daemon.wire.imap.arguments import Literal, LiteralSlot
from daemon.wire.imap.tokenizer import tokenize
from daemon.wire.imap.values import parse_internal_date

SAFE = st.binary(max_size=60).filter(lambda raw: not set(raw) & {0, 10, 13})


@given(SAFE)
def test_astring_is_read_back_as_it_was(data):
    part = arguments.astring(data)
    frame = part if isinstance(part, bytes) else (b"{%d}" % part.size, part.octets, b"")
    assert [bytes(token) for token in tokenize(frame, 0)] == [data]


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"INBOX", b"INBOX"),
        (b"Foo/Bar.baz-1", b"Foo/Bar.baz-1"),
        (b"[Gmail]", b"[Gmail]"),
        (b"", b'""'),
        (b"NIL", b'"NIL"'),
        (b"a b", b'"a b"'),
        (b"a*b", b'"a*b"'),
        (b'a"b\\c', b'"a\\"b\\\\c"'),
        (b"(x)", b'"(x)"'),
        (b"{5}", b'"{5}"'),
    ],
)
def test_shortest_form_is_chosen(data, part):
    assert arguments.astring(data) == part


@pytest.mark.parametrize("data", ["é".encode(), b"tab\there", b"x" * 1001, b"\x7f"])
def test_literal_where_quotes_will_not_do(data):
    assert arguments.astring(data) == Literal(data)


@pytest.mark.parametrize("data", [b"a\0", b"a\rb", b"a\nA2 DELETE INBOX"])
def test_nul_and_line_breaks_are_refused(data):
    for make in (arguments.astring, arguments.quoted):
        with pytest.raises(LocalProtocolError):
            make(data)


def test_password_is_quoted_even_if_it_is_an_atom():
    assert arguments.secret_astring(Secret("abc")) == b'"abc"'
    assert arguments.secret_astring(Secret("é")) == Literal("é".encode())
    assert "é" not in repr(arguments.secret_astring(Secret("é")))
    with pytest.raises(LocalProtocolError):
        arguments.secret_astring(Secret("a\nb"))


def test_flags_are_sorted_and_odd_ones_of_servers_allowed():
    assert arguments.flag_list([SEEN, Flag("b]"), Flag("$A")]) == b"($A \\Seen b])"
    assert arguments.flag_list([]) == b"()"


@pytest.mark.parametrize("flag", ["a b", "a)", "\\", "", "a\r\n", 'a"', "\\*", "é", "{1}"])
def test_flag_that_breaks_the_line_is_refused(flag):
    with pytest.raises(LocalProtocolError):
        arguments.flag_list([Flag(flag)])


@pytest.mark.parametrize("names", [[], ["a b"], ["a\r"], [""]])
def test_words_are_words(names):
    with pytest.raises(LocalProtocolError):
        arguments.words(names)


@given(st.integers(0, int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())))
def test_internal_date_is_read_back(seconds):
    assert parse_internal_date(arguments.format_internal_date(seconds).strip(b'"')) == seconds


def test_internal_date_has_a_fixed_day_and_is_clamped():
    assert arguments.format_internal_date(760657945) == b'" 7-Feb-1994 21:52:25 +0000"'
    assert arguments.format_internal_date(-5) == b'" 1-Jan-1970 00:00:00 +0000"'
    assert arguments.format_internal_date(10**15) == b'"31-Dec-9999 23:59:59 +0000"'


def test_parts_are_joined_by_single_spaces():
    assert arguments.join((b"A", b"B", Literal(b"x"), b"C", LiteralSlot(4))) == (
        b"A B ",
        Literal(b"x"),
        b" C ",
        LiteralSlot(4),
    )
    assert arguments.join((b"A", Literal(b"x"), Literal(b"y"))) == (b"A ", Literal(b"x"), b" ", Literal(b"y"))
