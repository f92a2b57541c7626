import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.wire.encoded_words import decode_charset, decode_header_text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b" plain text", "plain text"),
        (b" folded\r\n\ttext", "folded text"),
        (b"=?utf-8?q?Andr=C3=A9_X?=", "André X"),
        (b"=?UTF-8?B?0J/RgNC40LLQtdGC?=", "Привет"),
        (b"=?iso-8859-1?Q?a?= =?iso-8859-1?Q?b?= c", "ab c"),
        (b"=?iso-8859-1?Q?a?=\r\n =?utf-8?Q?=C3=A9?=", "aé"),
        (b"x =?utf-8?q?y?= z", "x y z"),
        (b"=?utf-8?q?a?=x=?utf-8?q?b?=", "axb"),
        (b"=?us-ascii*en?q?lang?=", "lang"),
        (b"=?utf-8?q?with space inside?=", "with space inside"),
        (b"=?windows-1252?q?=93q=94?=", "\u201cq\u201d"),
        (b"=?gb2312?b?xOO6ww==?=", "你好"),
        (b"=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"),
        ("سلام".encode(), "سلام"),
        (b"caf\xe9", "café"),
        (b"=?utf-8?b?0J/RgNC40LLQtdGC", "=?utf-8?b?0J/RgNC40LLQtdGC"),
        (b"=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        (b"", ""),
    ],
)
def test_header_text_is_decoded(raw, text):
    """RFC 2047 §2, §6.2; RFC 6532."""
    assert decode_header_text(raw) == text


def test_character_cut_between_two_words_is_joined():
    assert decode_header_text(b"=?utf-8?b?0J8=?= =?utf-8?q?=D1?= =?utf-8?q?=80?=") == "Пр"


@pytest.mark.parametrize("payload", [b"A", b"AB", b"ABC", b"QUJD!", b"====", b"Q U J D", b"\xff\xfe"])
def test_broken_base64_gives_something_and_never_raises(payload):
    decode_header_text(b"=?utf-8?b?" + payload + b"?=")


def test_unknown_charset_becomes_replacement_characters():
    assert decode_header_text(b"=?x-nonsense?q?a=E9?=") == "a\ufffd"


@pytest.mark.parametrize(
    "charset", ["punycode", "idna", "unicode_escape", "zlib", "rot13", "undefined", "..", "os"]
)
def test_codecs_outside_the_table_are_never_reached(charset):
    assert decode_charset(b"abc-\xff", charset) == "abc-\ufffd"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"a\x00b\x1b[31mc\x7f", "ab[31mc"),
        (b"a\r\nX-Injected: b", "a X-Injected: b"),
        (b"=?utf-8?q?a=0D=0AX-Injected:_b?=", "a X-Injected: b"),
        ("a\u202eb\u2066c\u2069".encode(), "abc"),
        ("می\u200cخواهم\u200f".encode(), "می\u200cخواهم\u200f"),
        ("a\u2028b\u0085c".encode(), "a b c"),
        (b"=?utf-7?q?a+2AA-?=", "a"),
    ],
)
def test_controls_and_bidi_overrides_are_removed_marks_stay(raw, text):
    """faults.md M4."""
    assert decode_header_text(raw) == text


@given(st.binary(max_size=300))
def test_any_octets_give_text_that_json_can_hold(raw):
    decode_header_text(raw).encode("utf-8")
    decode_header_text(b"=?utf-7?b?" + raw + b"?= =?utf-16?q?" + raw + b"?=").encode("utf-8")
