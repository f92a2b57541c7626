"""FETCH: data items read from the command, and one message written as the answer.

Pure. RFC 3501 §6.4.5 and §7.4.2; MODSEQ: RFC 7162 §3.1.4; EMAILID: RFC 8474 §5.1. ENVELOPE and BODYSTRUCTURE are in `structure`.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from daemon.demo.imap.arguments import MONTHS, Arguments, BadCommand
from daemon.demo.imap.structure import body_structure, envelope, part_octets
from daemon.demo.mailbox import StoredMessage
from daemon.model.flags import FlagSet

_NAME: Final = re.compile(rb"[A-Z0-9.]+", re.IGNORECASE)
_MACROS: Final = {
    "ALL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"),
    "FAST": ("FLAGS", "INTERNALDATE", "RFC822.SIZE"),
    "FULL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"),
}
_PLAIN: Final = frozenset(
    {
        "FLAGS", "UID", "INTERNALDATE", "RFC822.SIZE", "MODSEQ", "ENVELOPE", "BODYSTRUCTURE", "BODY",
        "RFC822", "RFC822.HEADER", "RFC822.TEXT", "EMAILID",
    }
)  # fmt: skip
_SECTION: Final = re.compile(
    rb"(\d+(?:\.\d+)*)?(?(1)\.?)(MIME|HEADER\.FIELDS\.NOT|HEADER\.FIELDS|HEADER|TEXT)?", re.IGNORECASE
)
_SHOWN_WHOLE: Final = frozenset({"RFC822", "RFC822.TEXT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One data item. `part` and `text` name the section of BODY[…]; `start` and `count` are its partial range."""

    name: str
    part: tuple[int, ...] = ()
    text: str = ""
    fields: tuple[bytes, ...] = ()
    is_section: bool = False
    is_peek: bool = True
    start: int | None = None
    count: int = 0

    @property
    def sets_seen(self) -> bool:
        return not self.is_peek or self.name in _SHOWN_WHOLE


def read_items(args: Arguments) -> list[Item]:
    """ABNF: fetch-att, a list of them, or a macro."""
    if args.peek() == b"(":
        return args.listed(lambda: _item(args, _name(args)))
    name = _name(args)
    if name in _MACROS:
        return [Item(name=item) for item in _MACROS[name]]
    return [_item(args, name)]


def answer(message: StoredMessage, seq: int, items: list[Item]) -> bytes:
    """The untagged FETCH line with its literals."""
    parts = [_one(message, item) for item in items]
    return b"* %d FETCH (%s)\r\n" % (seq, b" ".join(parts))


def flags_text(flags: FlagSet) -> str:
    return " ".join(sorted(flags))


def internal_date(seconds: int) -> str:
    """ABNF: date-time, in UTC."""
    when = datetime.fromtimestamp(seconds, UTC)
    return f'"{when.day:2d}-{MONTHS[when.month - 1]}-{when.year:04d} {when:%H:%M:%S} +0000"'


def split_message(octets: bytes) -> tuple[bytes, bytes]:
    """Header with its empty line, and text; a message without an empty line is all header."""
    if octets.startswith(b"\r\n"):
        return octets[:2], octets[2:]
    header, line, text = octets.partition(b"\r\n\r\n")
    return header + line, text


def _name(args: Arguments) -> str:
    name = args.match(_NAME, "a data item")[0].decode("ascii").upper()
    if name not in _PLAIN and name not in _MACROS and name != "BODY.PEEK":
        raise BadCommand(f"unknown data item {name}")
    return name


def _item(args: Arguments, name: str) -> Item:
    if name in _MACROS:
        raise BadCommand("a macro stands alone")
    if name not in ("BODY", "BODY.PEEK") or not args.accept(b"["):
        if name == "BODY.PEEK":
            raise BadCommand("a section expected")
        return Item(name=name)
    found = args.match(_SECTION, "a section")
    path = tuple(int(number) for number in (found[1] or b"").split(b".") if number)
    text = (found[2] or b"").decode("ascii").upper()
    if text == "MIME" and not path:
        raise BadCommand("MIME belongs to a part")
    fields: list[bytes] = []
    if text.startswith("HEADER.FIELDS"):
        args.space()
        fields = args.listed(args.astring)
    args.expect(b"]")
    start, count = _partial(args)
    return Item(
        name="BODY", part=path, text=text, fields=tuple(fields), is_section=True,
        is_peek=name == "BODY.PEEK", start=start, count=count,
    )  # fmt: skip


def _partial(args: Arguments) -> tuple[int | None, int]:
    if not args.accept(b"<"):
        return None, 0
    start = args.number()
    args.expect(b".")
    count = args.number()
    args.expect(b">")
    return start, count


def _one(message: StoredMessage, item: Item) -> bytes:
    if item.is_section:
        return _section(message.octets, item)
    match item.name:
        case "FLAGS":
            return f"FLAGS ({flags_text(message.flags)})".encode()
        case "UID":
            return b"UID %d" % message.uid
        case "INTERNALDATE":
            return f"INTERNALDATE {internal_date(message.internal_date)}".encode()
        case "RFC822.SIZE":
            return b"RFC822.SIZE %d" % len(message.octets)
        case "EMAILID":
            return f"EMAILID (E{hashlib.sha256(message.octets).hexdigest()[:24]})".encode()
        case "MODSEQ":
            return b"MODSEQ (%d)" % message.mod_seq
        case "ENVELOPE":
            return b"ENVELOPE " + envelope(split_message(message.octets)[0])
        case "BODY" | "BODYSTRUCTURE":
            return item.name.encode() + b" " + body_structure(message.octets)
        case "RFC822.HEADER":
            return b"RFC822.HEADER " + _literal(split_message(message.octets)[0])
        case "RFC822.TEXT":
            return b"RFC822.TEXT " + _literal(split_message(message.octets)[1])
        case _:
            return b"RFC822 " + _literal(message.octets)


def _section(octets: bytes, item: Item) -> bytes:
    name = ".".join([*map(str, item.part), *([item.text] if item.text else [])])
    if item.fields:
        name += " (" + " ".join(field.decode("ascii", "replace") for field in item.fields) + ")"
    found = _section_octets(octets, item)
    if found is None:
        return f"BODY[{name}] NIL".encode()
    origin = ""
    if item.start is not None:
        origin = f"<{item.start}>"
        found = found[item.start : item.start + item.count]
    return f"BODY[{name}]{origin} ".encode() + _literal(found)


def _section_octets(octets: bytes, item: Item) -> bytes | None:
    if item.part:
        found = part_octets(octets, item.part)
        if found is None or item.text == "":
            return found and found[1]
        if item.text == "MIME":
            return found[0]
        octets = found[1]  # HEADER and TEXT of a part are those of the message it holds
    header, text = split_message(octets)
    match item.text:
        case "HEADER":
            return header
        case "TEXT":
            return text
        case "HEADER.FIELDS":
            return _fields(header, item.fields, wanted=True)
        case "HEADER.FIELDS.NOT":
            return _fields(header, item.fields, wanted=False)
        case _:
            return octets


def _fields(header: bytes, names: tuple[bytes, ...], *, wanted: bool) -> bytes:
    """Header fields with (or without) these names, whole and in their order, and the empty line."""
    asked = {name.lower() for name in names}
    kept = [
        field
        for field in re.findall(rb"[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*", header)
        if (field.partition(b":")[0].strip().lower() in asked) == wanted
    ]
    return b"".join(kept) + b"\r\n"


def _literal(octets: bytes) -> bytes:
    return b"{%d}\r\n%s" % (len(octets), octets)
