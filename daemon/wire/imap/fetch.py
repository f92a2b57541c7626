r"""FETCH: the hot path.

ABNF: message-data = nz-number SP "FETCH" SP msg-att (RFC 9051 §9; MODSEQ: RFC 7162 §7; EMAILID: RFC 8474; X-GM-*: Gmail).
One regex reads a line of flags in any item order, one the head of a body; everything else goes through the
tokenizer. ENVELOPE and BODYSTRUCTURE are never asked for; what comes unasked is skipped. Raises only RemoteProtocolError.
"""

import re
from typing import Final

from daemon.model.errors import RemoteProtocolError
from daemon.model.ids import ModSeq, Uid
from daemon.wire.imap import values
from daemon.wire.imap.framing import Frame, Piece, Streamed
from daemon.wire.imap.responses import FetchData, LiteralBegin
from daemon.wire.imap.tokenizer import Atom, Token, tokenize

_ITEM: Final = (
    rb"UID (\d{1,9}|[1-3]\d{9}|4[01]\d{8})"  # larger ones up to 2^32-1, and beyond, are left to the tokenizer
    rb"|FLAGS \(([^()\r\n\"{]*+)\)"
    rb"|MODSEQ \((\d{1,18})\)"
    rb"|RFC822\.SIZE (\d{1,18})"
    rb'|INTERNALDATE "([ \d]\d-[A-Za-z]{3}-\d{4}) ([01]\d|2[0-3]):([0-5]\d):([0-5]\d) ([+-]\d{4})"'
    rb"|EMAILID \(([A-Za-z0-9_-]{1,255})\)"
    rb"|X-GM-MSGID (\d{1,18}|[1-8]\d{18})"
)
_FLAG_LINE: Final = re.compile(rb"\* (\d{1,10}) FETCH \((?:(?:" + _ITEM + rb")(?: (?!\))|(?=\))))++\)\Z")
_BODY_HEAD: Final = re.compile(
    rb"\* (\d{1,10}) FETCH \((?:(?:" + _ITEM + rb") )*+BODY\[(HEADER)?\] \{\d{1,10}\+?\}\Z"
)
_HEAD: Final = re.compile(rb"\*[ ]+(\d{1,10})[ ]+(UID)?FETCH[ ]*", re.IGNORECASE)
_MAKE: Final = tuple.__new__  # what FetchData._make does, without its call
_TWO_DIGITS: Final = {
    b"%02d" % number: number for number in range(60)
}  # a third of the time that int() takes

_match_flag_line = _FLAG_LINE.match
_match_body_head = _BODY_HEAD.match
_parse_flags = values.parse_flags
_parse_day = values.parse_day
_parse_zone = values.parse_zone


def parse_flag_line(line: bytes) -> FetchData | None:
    """A FETCH line without literals; None when it does not have the common shape."""
    found = _match_flag_line(line)
    if found is None:
        return None
    seq, uid, flags, mod_seq, size, day, hours, minutes, seconds, zone, email_id, gmail_id = found.groups()
    return _MAKE(
        FetchData,
        (
            int(seq),
            None if uid is None else int(uid) or None,
            None if flags is None else _parse_flags(flags),
            None if mod_seq is None else int(mod_seq) or None,
            None if size is None else int(size),
            None if day is None else _date(day, hours, minutes, seconds, zone),
            None,
            None,
            None,
            None if email_id is None else email_id.decode("ascii"),
            None,
            None if gmail_id is None else int(gmail_id),
            None,
            None,
        ),
    )


def parse_body(frame: tuple[Piece, ...]) -> FetchData | None:
    """A FETCH response of one body or header literal at its end; None when it does not have that shape."""
    if len(frame) != 3 or frame[2] != b")":
        return None
    head, literal, _ = frame
    found = _match_body_head(head) if isinstance(head, bytes) else None
    if found is None:
        return None
    seq, uid, flags, mod_seq, size, day, hours, minutes, seconds, zone, email_id, gmail_id, is_header = (
        found.groups()
    )
    octets, streamed = (literal, None) if isinstance(literal, bytes) else (None, literal.size)
    return FetchData(
        seq=int(seq),
        uid=None if uid is None else (Uid(int(uid)) or None),
        flags=None if flags is None else _parse_flags(flags),
        mod_seq=None if mod_seq is None else (ModSeq(int(mod_seq)) or None),
        size=None if size is None else int(size),
        internal_date=None if day is None else _date(day, hours, minutes, seconds, zone),
        body=None if is_header else octets,
        header=octets if is_header else None,
        streamed_bytes=None if is_header else streamed,
        email_id=None if email_id is None else email_id.decode("ascii"),
        gmail_message_id=None if gmail_id is None else int(gmail_id),
    )


def _date(day: bytes, hours: bytes, minutes: bytes, seconds: bytes, zone: bytes) -> int | None:
    start = _parse_day(day)
    if start is None:
        return None
    digits = _TWO_DIGITS
    return start + digits[hours] * 3600 + digits[minutes] * 60 + digits[seconds] - _parse_zone(zone)


def parse_fetch(frame: Frame, *, nesting_depth: int = 64) -> FetchData:
    """Any FETCH response, by the tokenizer; UIDFETCH (RFC 9586) has the UID in the place of the number, `seq` is 0."""
    known, tokens = _read_head(frame, nesting_depth=nesting_depth)
    if len(tokens) != 1 or not isinstance(tokens[0], list):
        raise RemoteProtocolError("FETCH without its list of items")
    return _gather(known, tokens[0])


def parse_literal_head(head: tuple[Piece, ...], size: int, *, nesting_depth: int = 64) -> LiteralBegin:
    """What is known of a FETCH response at the start of its large literal."""
    known, tokens = _read_head(head, nesting_depth=nesting_depth, is_partial=True)
    items = tokens[0] if tokens and isinstance(tokens[0], list) else []
    if not items or not isinstance(items[-1], Atom) or len(items) % 2 == 0:
        raise RemoteProtocolError("a large literal in a place where no message body stands")
    data = _gather(known, items[:-1])
    return LiteralBegin(seq=data.seq, uid=data.uid, section=_section(items[-1]), size=size)


def _read_head(
    frame: Frame, *, nesting_depth: int, is_partial: bool = False
) -> tuple[dict[str, object], list[Token]]:
    first = frame if isinstance(frame, bytes) else frame[0]
    found = _HEAD.match(first) if isinstance(first, bytes) else None
    if found is None:
        raise RemoteProtocolError("FETCH without a message number")
    known: dict[str, object] = (
        {"seq": 0, "uid": values.parse_uint32(found[1])} if found[2] else {"seq": int(found[1])}
    )
    return known, tokenize(frame, found.end(), nesting_depth=nesting_depth, is_partial=is_partial)


def _section(name: bytes) -> str:
    upper = values.word(name)
    if upper == "RFC822":
        return ""
    _, bracket, rest = upper.partition("[")
    return rest.partition("]")[0] if bracket else upper


def _gather(known: dict[str, object], items: list[Token]) -> FetchData:
    if len(items) % 2:
        raise RemoteProtocolError("FETCH item without a value")
    for name, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(name, Atom):
            raise RemoteProtocolError(f"FETCH item name expected: {str(name)[:40]}")
        _take(known, values.word(name), value)
    return FetchData._make(known.get(field) for field in FetchData._fields)


def _take(known: dict[str, object], name: str, value: Token) -> None:
    """Add one item under the field's name; unknown items are skipped."""
    match name:
        case "UID":
            known["uid"] = values.parse_uint32(_atom(value))
        case "FLAGS":
            known["flags"] = values.flags_of(_words(value))
        case "MODSEQ":
            # QUIRK Zoho (MailKit#1686): MODSEQ (-1); others write it without parentheses
            inner = value[0] if isinstance(value, list) and value else value
            known["mod_seq"] = values.parse_nonzero(_atom(inner)) if inner != [] else None
        case "RFC822.SIZE":
            known["size"] = None if _is_nil(value) else values.parse_number(_atom(value))
        case "INTERNALDATE":
            known["internal_date"] = values.parse_internal_date(_string(value) or b"")
        case "EMAILID":
            known["email_id"] = _identifier(value)
        case "THREADID":
            known["thread_id"] = _identifier(value)
        case "X-GM-MSGID":
            known["gmail_message_id"] = values.parse_number(_atom(value))
        case "X-GM-THRID":
            known["gmail_thread_id"] = values.parse_number(_atom(value))
        case "X-GM-LABELS":
            known["gmail_labels"] = tuple(_words(value))
        case "RFC822" | "RFC822.HEADER":
            _take_section(known, "HEADER" if name.endswith("HEADER") else "", value)
        case _ if name.startswith("BODY[") and name.endswith("]"):
            _take_section(known, name[5:-1], value)


def _take_section(known: dict[str, object], section: str, value: Token) -> None:
    if section not in ("", "HEADER"):
        return
    if isinstance(value, Streamed):
        if not section:
            known["streamed_bytes"] = value.size
        return
    known["header" if section else "body"] = _string(value)


def _is_nil(value: Token) -> bool:
    return isinstance(value, Atom) and value.is_nil


def _atom(value: Token) -> bytes:
    if isinstance(value, bytes):  # bare, quoted or a literal
        return value
    raise RemoteProtocolError("a number was expected in FETCH")


def _string(value: Token) -> bytes | None:
    if _is_nil(value):
        return None
    if isinstance(value, list | Streamed):
        raise RemoteProtocolError("a string was expected in FETCH")
    return bytes(value)


def _words(value: Token) -> list[bytes]:
    if _is_nil(value):
        return []
    if not isinstance(value, list):
        raise RemoteProtocolError("a list was expected in FETCH")
    return [bytes(inner) for inner in value if isinstance(inner, bytes)]


def _identifier(value: Token) -> str | None:
    """ABNF: objectid in parentheses, or NIL."""
    inner = value[0] if isinstance(value, list) and value else value
    if inner == [] or _is_nil(inner):
        return None
    if not isinstance(inner, bytes):
        raise RemoteProtocolError("an object id was expected in FETCH")
    return values.printable(inner, 255)
