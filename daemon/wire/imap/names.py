r"""Mailbox names: wire bytes to text and back, and one form for all servers.

Pure and total: any bytes become a name, and two different wire names never become the same one. Modified UTF-7:
RFC 3501 §5.1.3; UTF-8 names: RFC 6855. In a decoded name a byte that has no meaning is a surrogate U+DC00+byte;
in a normalised name (sync.md 26) it is `\xx`, as are `\` itself and a `/` within a part; controls are `\uxxxx`.
Commands for a mailbox that exists use its wire name as listed; `denormalise` is for mailboxes still to be made.
"""

import binascii
import re
from collections.abc import Iterable
from typing import Final

from daemon.model.errors import LocalProtocolError
from daemon.model.ids import INBOX, MailboxName

_SHIFTED: Final = re.compile(rb"&([A-Za-z0-9+,]*)-")
_PLAIN: Final = re.compile(rb"[\x20-\x7e]*\Z")
_NOT_PLAIN: Final = re.compile(r"[^\x20-\x7e]+")
_BYTE: Final = re.compile("[\udc00-\udcff]+")
_TO_ESCAPE: Final = re.compile("[\\x00-\\x1f\\x7f-\\x9f/\\\\\ud800-\udfff]")
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-f]{4})|([0-9a-f]{2}))")
_FIRST_BYTE_MARK: Final = 0xDC00


def decode_wire_name(raw: bytes, utf8: bool = False) -> str:
    """The name as text; bytes that mean nothing in modified UTF-7 (or UTF-8) become surrogates, never an error."""
    if utf8:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return "".join(_mark(byte) if byte > 0x7F else chr(byte) for byte in raw)
    try:
        decoded = _decode_utf7(raw)
    except ValueError:
        decoded = None
    # a second spelling of a name would let two mailboxes fall together
    if decoded is not None and encode_wire_name(decoded) == raw:
        return decoded
    return "".join(_mark(byte) if byte > 0x7E or byte < 0x20 or byte == 0x26 else chr(byte) for byte in raw)


def encode_wire_name(name: str, utf8: bool = False) -> bytes:
    """Wire bytes of a decoded name; the inverse of `decode_wire_name`."""
    parts: list[bytes] = []
    at = 0
    for found in _BYTE.finditer(name):
        parts.append(_encode_text(name[at : found.start()], utf8))
        parts.append(bytes(ord(char) - _FIRST_BYTE_MARK for char in found[0]))
        at = found.end()
    parts.append(_encode_text(name[at:], utf8))
    return b"".join(parts)


def normalise(decoded: str, delimiter: str | None, personal_prefix: str = "") -> MailboxName:
    """One mailbox's name with `/` between parts, the personal prefix removed, INBOX in capitals.

    The prefix stays where its removal would leave nothing, INBOX, or a name that seems to have it still.
    """
    if decoded.upper() == INBOX:
        return INBOX
    if personal_prefix and decoded.startswith(personal_prefix):
        short = decoded[len(personal_prefix) :]
        if short and short.upper() != INBOX and not short.startswith(personal_prefix):
            return _join(short, delimiter)
    return _join(decoded, delimiter)


def normalise_all(listed: Iterable[tuple[str, str | None]], personal_prefix: str = "") -> list[MailboxName]:
    """Names of a whole listing of (decoded name, delimiter); the prefix is kept wherever its removal collides."""
    entries = list(listed)
    whole = {_join(decoded, delimiter) for decoded, delimiter in entries}
    names = []
    for decoded, delimiter in entries:
        short = normalise(decoded, delimiter, personal_prefix)
        full = _join(decoded, delimiter)
        names.append(full if short not in (full, INBOX) and short in whole else short)
    return names


def denormalise(
    name: MailboxName, delimiter: str | None, personal_prefix: str = "", utf8: bool = False
) -> bytes:
    """Wire bytes for a normalised name.

    Raises:
        LocalProtocolError: A part holds the server's delimiter, or there are parts and no delimiter.
    """
    if name.upper() == INBOX:
        return INBOX.encode()
    parts = [_unescape(part) for part in name.split("/")]
    if delimiter is None:
        if len(parts) > 1:
            raise LocalProtocolError("this server has no mailboxes within mailboxes")
    elif any(delimiter in part for part in parts):
        raise LocalProtocolError(f"a mailbox name cannot hold the server's delimiter {delimiter!r}")
    joined = (delimiter or "").join(parts)
    prefix = "" if personal_prefix and joined.startswith(personal_prefix) else personal_prefix
    return encode_wire_name(prefix + joined, utf8)


def _join(decoded: str, delimiter: str | None) -> MailboxName:
    parts = decoded.split(delimiter) if delimiter else [decoded]
    return MailboxName("/".join(_escape(part) for part in parts))


def _escape(part: str) -> str:
    return _TO_ESCAPE.sub(_escape_one, part)


def _escape_one(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code >= _FIRST_BYTE_MARK:
        return f"\\{code & 0xFF:02x}"
    return f"\\{code:02x}" if found[0] in "/\\" else f"\\u{code:04x}"


def _unescape(part: str) -> str:
    return _ESCAPE.sub(_unescape_one, part)


def _unescape_one(found: re.Match[str]) -> str:
    if found[1]:
        return chr(int(found[1], 16))
    byte = int(found[2], 16)
    return chr(byte) if byte in (0x2F, 0x5C) else _mark(byte)


def _mark(byte: int) -> str:
    return chr(_FIRST_BYTE_MARK + byte)


def _decode_utf7(raw: bytes) -> str:
    """ABNF (RFC 3501 §5.1.3): "&" *modified-base64 "-" for runs of UTF-16, "&-" for "&"; ValueError for anything else."""
    parts: list[str] = []
    at = 0
    for found in _SHIFTED.finditer(raw):
        parts.append(_plain(raw[at : found.start()]))
        parts.append(_decode_run(found[1]) if found[1] else "&")
        at = found.end()
    parts.append(_plain(raw[at:]))
    return "".join(parts)


def _plain(raw: bytes) -> str:
    if b"&" in raw or not _PLAIN.match(raw):
        raise ValueError("not modified UTF-7")
    return raw.decode("ascii")


def _decode_run(run: bytes) -> str:
    octets = binascii.a2b_base64(run.replace(b",", b"/") + b"=" * (-len(run) % 4))
    return octets.decode("utf-16-be")


def _encode_text(text: str, utf8: bool) -> bytes:
    if utf8:
        return text.encode("utf-8", "backslashreplace")
    return _NOT_PLAIN.sub(_encode_run, text.replace("&", "&-")).encode("ascii")


def _encode_run(found: re.Match[str]) -> str:
    octets = found[0].encode("utf-16-be", "replace")
    packed = binascii.b2a_base64(octets, newline=False).rstrip(b"=").replace(b"/", b",")
    return f"&{packed.decode('ascii')}-"
