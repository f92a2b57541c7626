r"""Response codes: `[NAME argument]` and the words behind it.

ABNF: resp-text = ["[" resp-text-code "]" SP] [text] (RFC 9051 §9; UIDPLUS codes RFC 4315 §3, MODIFIED RFC 7162 §3.1.3).
A known code whose argument cannot be read becomes a plain `Code`: no code is worth a connection.
"""

import re
from typing import Final

from daemon.model.errors import RemoteProtocolError
from daemon.model.ids import Uid, UidValidity
from daemon.wire.imap import values
from daemon.wire.imap.capabilities import parse_capabilities
from daemon.wire.imap.responses import (
    AppendUidCode,
    CapabilityCode,
    Code,
    CopyUidCode,
    InProgressCode,
    ModifiedCode,
    NumberCode,
    PermanentFlagsCode,
)

MAX_COPIED: Final = 100_000
"""Most pairs taken from one COPYUID: a range of four thousand million would be expanded otherwise."""

_CODE: Final = re.compile(rb"\[[ ]*([A-Za-z][A-Za-z0-9.+=-]*)[ ]*([^\]]*+)\][ ]*")
# QUIRK Gmail: flags with `]` in them, unquoted
_FLAGS_CODE: Final = re.compile(rb"\[[ ]*(PERMANENTFLAGS)[ ]+(\(.*?\))[ ]*\][ ]*", re.IGNORECASE)
_NUMBERS: Final = frozenset({"UIDNEXT", "UIDVALIDITY", "UNSEEN", "HIGHESTMODSEQ", "APPENDLIMIT"})
_UINT32: Final = frozenset({"UIDNEXT", "UIDVALIDITY"})


def parse_text(raw: bytes) -> tuple[Code | None, str]:
    """The code, if there is one, and the printable words. The text may be missing (Gmail)."""
    if not raw.startswith(b"["):
        return None, values.printable(raw)
    found = _FLAGS_CODE.match(raw) or _CODE.match(raw)
    if found is None:
        return None, values.printable(raw)
    name = values.word(found[1])
    argument = found[2].strip()
    text = values.printable(raw[found.end() :])
    try:
        return _typed(name, argument), text
    except RemoteProtocolError:
        return Code(name=name, argument=values.printable(argument)), text


def _typed(name: str, argument: bytes) -> Code:
    shown = values.printable(argument)
    if name in _NUMBERS:
        # QUIRK UIDNEXT 0, UIDVALIDITY 0, UNSEEN 0 (MailKit#1010, #150, #34)
        parse = values.parse_uint32 if name in _UINT32 else values.parse_nonzero
        return NumberCode(name=name, argument=shown, number=parse(argument) if argument else None)
    match name:
        case "CAPABILITY":
            return CapabilityCode(name=name, argument=shown, capabilities=parse_capabilities(argument))
        case "PERMANENTFLAGS":
            words = argument.strip(b"()").split()
            return PermanentFlagsCode(
                name=name, argument=shown, flags=values.flags_of(words), accepts_new_keywords=b"\\*" in words
            )
        case "APPENDUID":
            validity, _, uid = argument.partition(b" ")
            known = values.parse_uint32(validity)
            if known is None:
                return Code(name=name, argument=shown)
            uids = _in_order(uid.strip())
            return AppendUidCode(name=name, argument=shown, uid_validity=UidValidity(known), uids=uids)
        case "INPROGRESS":
            return _in_progress(argument, shown)
        case "COPYUID":
            return _copy_uid(argument, shown)
        case "MODIFIED":
            return ModifiedCode(name=name, argument=shown, uids=values.parse_uid_set(argument))
        case _:
            return Code(name=name, argument=shown)


def _copy_uid(argument: bytes, shown: str) -> Code:
    words = argument.split()
    if len(words) < 3:
        # QUIRK Office 365 (MailKit#555): COPYUID with empty sets
        validity = values.parse_uint32(words[0]) if words else None
        known = UidValidity(validity) if validity else None
        return CopyUidCode(name="COPYUID", argument=shown, uid_validity=known, source=(), target=())
    validity = values.parse_uint32(words[0])
    source, target = _in_order(words[1]), _in_order(words[2])
    if validity is None or len(words) > 3 or len(source) != len(target):
        return Code(name="COPYUID", argument=shown)
    return CopyUidCode(
        name="COPYUID", argument=shown, uid_validity=UidValidity(validity), source=source, target=target
    )


def _in_progress(argument: bytes, shown: str) -> Code:
    """ABNF: "INPROGRESS" [SP "(" (quoted / nil) SP (number / nil) SP (nz-number / nil) ")"] (RFC 9585 §4)."""
    words = argument.strip(b"()").split()
    if len(words) != 3:
        return InProgressCode(name="INPROGRESS", argument=shown)
    tag, done, total = (None if word.upper() == b"NIL" else word for word in words)
    return InProgressCode(
        name="INPROGRESS",
        argument=shown,
        tag=None if tag is None else tag.strip(b'"'),
        done=None if done is None else values.parse_number(done),
        total=None if total is None else values.parse_nonzero(total),
    )


def _in_order(raw: bytes) -> tuple[Uid, ...]:
    """UIDs in the order written, ranges ascending (RFC 4315 §3), bounded by MAX_COPIED."""
    uids: list[Uid] = []
    for part in raw.split(b","):
        low, _, high = part.partition(b":")
        first = values.parse_uint32(low)
        last = values.parse_uint32(high) if high else first
        if first is None or last is None:
            raise RemoteProtocolError("UID out of range")
        first, last = min(first, last), max(first, last)
        if len(uids) + last - first >= MAX_COPIED:
            raise RemoteProtocolError("more UIDs than any COPY of ours")
        uids.extend(Uid(uid) for uid in range(first, last + 1))
    return tuple(uids)
