r"""Small values of responses: numbers, flags, dates, sets and printable text.

Pure. Servers write numbers that no grammar allows; what is harmless becomes None, the rest RemoteProtocolError.
"""

import re
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import Final

from daemon.model.errors import RemoteProtocolError
from daemon.model.flags import NO_FLAGS, FlagSet, normalise_flags
from daemon.model.uidset import UidSet, UidSetBuilder

TEXT_CHARACTERS: Final = 512
MAX_NUMBER: Final = 2**63 - 1  # mod-sequences have 63 bits (RFC 7162 §7)
MAX_UINT32: Final = 2**32 - 1
MAX_RANGE_BYTES: Final = 21  # two numbers of ten digits and a colon
_FLOAT: Final = re.compile(rb"\d{1,19}(?:\.\d{0,19})?[eE]\+?\d{1,2}\Z")
_NEGATIVE: Final = re.compile(rb"-\d{1,19}\Z")
_UNPRINTABLE: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_DATE: Final = re.compile(
    rb"[ ]?(\d{1,2}-[A-Za-z]{3}-\d{4})[ ]+(\d{1,2}):(\d{2}):(\d{2})(?:[ ]+([+-]\d{4}))?[ ]*\Z"
)
_DAY: Final = re.compile(rb"[ ]?(\d{1,2})-([A-Za-z]{3})-(\d{4})\Z")
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
_EPOCH: Final = date(1970, 1, 1)
_SECONDS_A_DAY: Final = 86400


def printable(raw: bytes, most: int = TEXT_CHARACTERS) -> str:
    """Words of a server, safe to show: controls and direction marks escaped, cut to `most` characters."""
    text = raw[: most * 4].decode("utf-8", "backslashreplace")[:most]
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)[:most]


def word(raw: bytes) -> str:
    """An atom as text in capitals."""
    return raw.decode("ascii", "backslashreplace").upper()


def parse_number(raw: bytes, *, reason: str | None = None) -> int | None:
    """A number; None when negative or beyond 63 bits; RemoteProtocolError with `reason` when it is none at all."""
    if raw.isdigit():
        number = int(raw) if len(raw) < 20 else MAX_NUMBER + 1
        return number if number <= MAX_NUMBER else None
    if _FLOAT.match(raw):
        # QUIRK mail.ru (MailKit#1838): sizes as 9.3736e+06
        size = float(raw)
        return int(size) if size <= MAX_NUMBER else None
    if _NEGATIVE.match(raw):
        return None
    raise RemoteProtocolError(f"not a number: {raw[:40]!r}", reason=reason)


def parse_nonzero(raw: bytes) -> int | None:
    """A number that may not be 0, such as UIDVALIDITY: None for 0."""
    return parse_number(raw) or None


def parse_uint32(raw: bytes) -> int | None:
    """A UID, UIDVALIDITY or UIDNEXT: None for 0 and for what exceeds 32 bits."""
    number = parse_number(raw)
    return number if number and number <= MAX_UINT32 else None


def require_number(raw: bytes) -> int:
    """A number, RemoteProtocolError otherwise."""
    number = parse_number(raw)
    if number is None:
        raise RemoteProtocolError(f"number out of range: {raw[:40]!r}")
    return number


def parse_uid_set(raw: bytes, *, reason: str | None = None) -> UidSet:
    """ABNF: sequence-set without `*`. Anything else is RemoteProtocolError with `reason`."""
    builder = UidSetBuilder()
    add_uids(builder, raw, reason=reason)
    return builder.build()


def add_uids(builder: UidSetBuilder, raw: bytes, *, reason: str | None = None) -> None:
    """Add a sequence-set, or a part of one cut at a comma.

    Millions of UIDs may come in one line, so what can be is checked for the portion as a whole.
    """
    parts = raw.split(b",")
    try:
        if raw.translate(None, b"0123456789,:") or max(map(len, parts)) > MAX_RANGE_BYTES:
            raise ValueError("neither numbers nor ranges")
        if b":" in raw:
            ranges = [
                (int(low), int(high) if colon else int(low)) for low, colon, high in map(_at_colon, parts)
            ]
            numbers = [end for ends in ranges for end in ends]
        else:
            ranges = []
            numbers = list(map(int, parts))
        if min(numbers) < 1 or max(numbers) > MAX_UINT32:
            raise ValueError("number out of range")
    except ValueError as exc:
        raise RemoteProtocolError(f"not a set of UIDs: {printable(raw, 40)}", reason=reason) from exc
    add = builder.add
    if ranges:
        for one, other in ranges:
            if one <= other:
                add(one, other)
            else:
                add(other, one)
    else:
        for number in numbers:
            add(number, number)


def add_numbers(builder: UidSetBuilder, raw: bytes) -> None:
    """Add UIDs that stand with spaces between, as SEARCH has them."""
    words = raw.split()
    if not all(map(bytes.isdigit, words)) or any(len(word) > 10 for word in words):
        raise RemoteProtocolError("SEARCH with something else than numbers")
    for number in map(int, words):
        if not 0 < number <= MAX_UINT32:
            raise RemoteProtocolError("SEARCH with a number that is no UID")
        builder.add(number, number)


def _at_colon(part: bytes) -> tuple[bytes, bytes, bytes]:
    return part.partition(b":")


@lru_cache(maxsize=4096)
def parse_flags(raw: bytes) -> FlagSet:
    """Flags written with spaces between, normalised. Cached: a mailbox has few combinations and many messages."""
    return flags_of(raw.split())


def flags_of(raw: Iterable[bytes]) -> FlagSet:
    """Flags from single words, normalised; bytes that are not UTF-8 are kept as escapes."""
    return normalise_flags(flag.decode("utf-8", "backslashreplace") for flag in raw) or NO_FLAGS


@lru_cache(maxsize=8192)
def parse_day(raw: bytes) -> int | None:
    """Seconds since 1970 at the start of `17-Jul-1996` UTC; None when there is no such day."""
    found = _DAY.match(raw)
    month = _MONTHS.get(found[2].lower()) if found else None
    if found is None or month is None:
        return None
    try:
        day = date(int(found[3]), month, int(found[1]))
    except ValueError:
        # QUIRK Domino: 00-Jan-0000
        return None
    return (day - _EPOCH).days * _SECONDS_A_DAY


@lru_cache(maxsize=512)
def parse_zone(raw: bytes) -> int:
    """Seconds east of UTC of `+0200`."""
    seconds = int(raw[1:3]) * 3600 + int(raw[3:5]) * 60
    return -seconds if raw[:1] == b"-" else seconds


def parse_internal_date(raw: bytes) -> int | None:
    """ABNF: date-time, without its quotes: seconds since 1970 UTC, None when it is no date."""
    found = _DATE.match(raw)
    if found is None:
        return None
    day, hours, minutes, seconds, zone = found.groups()
    start = parse_day(day)
    if start is None or int(hours) > 23 or int(minutes) > 59 or int(seconds) > 60:
        return None
    return start + int(hours) * 3600 + int(minutes) * 60 + int(seconds) - (parse_zone(zone) if zone else 0)
