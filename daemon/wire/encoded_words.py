"""Header text to display text: RFC 2047 encoded words, raw UTF-8 (RFC 6532), and what senders wrote instead.

Pure and bounded; never raises, whatever the octets. The charsets are a closed table: a codec looked up by a name out
of a message would import modules, fill Python's codec cache without end, and reach quadratic codecs such as punycode.
Unknown charsets and broken sequences become U+FFFD.

Controls are removed, and so are the bidi embeddings, overrides and isolates (U+202A..202E, U+2066..2069), which can
make a header show another text than it has. The marks U+200E, U+200F, U+061C and the joiners U+200C, U+200D stay:
Persian and Arabic need them, and they reorder nothing beyond themselves.
"""

import binascii
import re
from typing import Final

_WORD: Final = re.compile(r"=\?([^?*\s]{1,40})(?:\*[^?\s]{0,40})?\?([BbQq])\?([^?]*)\?=")
_UNSHOWN: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]+"
)

_CODEC_OF_CHARSET: Final[dict[str, str]] = {
    "utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "cp1252", "ascii": "cp1252",
    "utf-7": "utf-7", "utf-16": "utf-16", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be",
    "iso-8859-1": "cp1252", "latin1": "cp1252", "iso8859-1": "cp1252", "cp1252": "cp1252",
    "iso-8859-9": "cp1254", "iso-8859-11": "cp874", "tis-620": "cp874", "windows-874": "cp874",
    **{f"iso-8859-{n}": f"iso8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    "iso-8859-8-i": "iso8859-8", "iso-8859-6-i": "iso8859-6",
    **{f"windows-125{n}": f"cp125{n}" for n in range(9)},
    **{f"cp125{n}": f"cp125{n}" for n in range(9)},
    "koi8-r": "koi8-r", "koi8-u": "koi8-u", "cp437": "cp437", "ibm437": "cp437", "cp850": "cp850",
    "ibm850": "cp850", "cp866": "cp866", "ibm866": "cp866", "macintosh": "mac-roman",
    "gb2312": "gb18030", "gbk": "gb18030", "gb18030": "gb18030", "x-gbk": "gb18030", "hz-gb-2312": "hz",
    "big5": "big5hkscs", "big5-hkscs": "big5hkscs",
    "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932", "windows-31j": "cp932", "cp932": "cp932",
    "euc-jp": "euc-jp", "iso-2022-jp": "iso2022-jp-2", "iso-2022-jp-2": "iso2022-jp-2",
    "euc-kr": "cp949", "ks_c_5601-1987": "cp949", "cp949": "cp949", "iso-2022-kr": "iso2022-kr",
}  # fmt: skip
"""Names as mail uses them, the larger superset in their place (WHATWG Encoding Standard §4.2)."""


def decode_header_text(raw: bytes) -> str:
    """The value as text for display: unfolded, words decoded, runs of white space as one blank, controls removed."""
    if raw.isascii():
        text = raw.decode("ascii")
    else:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("cp1252", "replace")
    if "=?" in text:
        text = _decode_words(text)
    text = " ".join(text.split())
    return text if text.isascii() and text.isprintable() else _UNSHOWN.sub("", text)


def decode_charset(octets: bytes, charset: str) -> str:
    """Text of these octets; an unknown charset gives its ASCII part and U+FFFD for the rest."""
    codec = _CODEC_OF_CHARSET.get(charset.lower(), "ascii")
    try:
        return octets.decode(codec, "replace")
    except (UnicodeError, ValueError):  # stateful codecs may refuse even with "replace"
        return octets.decode("ascii", "replace")


def _decode_words(text: str) -> str:
    """Encoded words in their places; white space between two of them goes (RFC 2047 §6.2).

    Octets of neighbours in one charset are joined first: many senders cut a multi-byte character in two.
    """
    out: list[str] = []
    pending: list[bytes] = []
    pending_charset = ""
    at = 0
    for found in _WORD.finditer(text):
        charset, encoding, payload = found.groups()
        charset = charset.lower()
        between = text[at : found.start()]
        at = found.end()
        is_neighbour = bool(pending) and (not between or between.isspace())
        if not is_neighbour or charset != pending_charset:
            out.append(decode_charset(b"".join(pending), pending_charset))
            pending.clear()
        if not is_neighbour:
            out.append(between)
        pending.append(_octets_of(encoding, payload))
        pending_charset = charset
    out.append(decode_charset(b"".join(pending), pending_charset))
    out.append(text[at:])
    return "".join(out)


def _octets_of(encoding: str, payload: str) -> bytes:
    raw = payload.encode("utf-8", "surrogatepass")
    if encoding in "Qq":
        return binascii.a2b_qp(raw, header=True)
    try:
        return binascii.a2b_base64(raw)
    except binascii.Error:
        pass
    digits = re.sub(rb"[^A-Za-z0-9+/]+", b"", raw)
    digits = digits[: len(digits) - 1] if len(digits) % 4 == 1 else digits
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))
