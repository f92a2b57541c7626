import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.model.errors import RemoteProtocolError
from daemon.wire.imap.framing import Streamed
from daemon.wire.imap.tokenizer import Atom, Quoted, tokenize, unescape


def write(token) -> bytes:
    if isinstance(token, list):
        return b"(" + b" ".join(write(inner) for inner in token) + b")"
    if isinstance(token, Quoted):
        return b'"' + token.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return bytes(token)


ATOMS = st.from_regex(rb"[A-Za-z0-9\\*%\]\[.$+-]{1,12}", fullmatch=True).filter(
    lambda raw: b"BODY[" not in raw.upper() and b"BINARY[" not in raw.upper()
)
TOKENS = st.recursive(
    st.one_of(ATOMS.map(Atom), st.binary(max_size=12).map(Quoted)),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=30,
)


@given(st.lists(TOKENS, max_size=5))
def test_tokens_written_are_tokens_read(tokens):
    assert tokenize(b" ".join(write(token) for token in tokens), 0) == tokens


def test_kinds_are_told_apart():
    atom, quoted, literal, streamed = tokenize((b'NIL "NIL" {3}', b"NIL", b" {9}", Streamed(9), b""), 0)
    assert isinstance(atom, Atom)
    assert atom.is_nil
    assert isinstance(quoted, Quoted)
    assert type(literal) is bytes
    assert streamed == Streamed(9)


def test_literal8_and_plus_are_literals():
    assert tokenize((b"~{1}", b"a", b" {1+}", b"b", b""), 0) == [b"a", b"b"]


def test_section_with_spaces_is_one_atom():
    assert tokenize(b"body[Header.Fields (From To)]<12> x", 0) == [b"body[Header.Fields (From To)]<12>", b"x"]


def test_spaces_may_be_many_and_trailing():
    assert tokenize(b"  a   ( b  )  ", 0) == [b"a", [b"b"]]


def test_partial_frame_closes_open_lists():
    assert tokenize((b"(a (b BODY[] {5}",), 0, is_partial=True) == [[b"a", [b"b", b"BODY[]"]]]


def test_a_million_parentheses_end_at_the_limit():
    """S18, Dovecot CVE-2026-27857."""
    started = time.process_time()
    with pytest.raises(RemoteProtocolError):
        tokenize(b"(" * 1_000_000, 0)
    assert time.process_time() - started < 0.5


def test_nesting_up_to_the_limit_is_read():
    assert tokenize(b"(" * 64 + b")" * 64, 0)
    with pytest.raises(RemoteProtocolError):
        tokenize(b"(" * 65 + b")" * 65, 0)


@pytest.mark.parametrize("line", [b"(", b")", b'"a', b"{3}", b"{x}", b"a\x00b", b"(a]) )"])
def test_unbalanced_or_unreadable_data_is_a_protocol_error(line):
    with pytest.raises(RemoteProtocolError):
        tokenize(line, 0)


def test_streamed_in_the_place_of_text_is_a_protocol_error():
    with pytest.raises(RemoteProtocolError):
        tokenize((Streamed(1),), 0)


@given(st.binary(max_size=200))
def test_any_bytes_give_tokens_or_a_protocol_error(line):
    try:
        tokenize(line, 0)
    except RemoteProtocolError:
        return


def test_unescape_resolves_backslashes():
    assert unescape(rb"a\"b\\c") == b'a"b\\c'
