"""Index facts out of message octets: the few header fields that a list of messages shows.

Pure and bounded; never raises, whatever the octets: limits below cut, set `is_limited`, and cost milliseconds. Only
the header block is looked at. Nothing here is identity or decides anything (sync.md 7): first field of a name wins,
and comments and quoting stay as they were written. Source: RFC 5322 §2.2, §3.3, §3.6, §4.3; RFC 2047; RFC 6532.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from daemon.model.envelope import Envelope
from daemon.wire import encoded_words

MAX_BLOCK_BYTES: Final = 1 << 20
MAX_FIELD_BYTES: Final = 64 << 10
MAX_FIELDS: Final = 1000  # of the names that we look for: more of them is an attack
MAX_ADDRESSES: Final = 1000
MAX_SUBJECT_CHARS: Final = 1000
MAX_SENDER_CHARS: Final = 500
MAX_RECIPIENTS_CHARS: Final = 4000
MAX_MESSAGE_ID_CHARS: Final = 998  # RFC 5322 §2.1.1: the longest line

_FIELD_COUNT: Final = 6
_FIELD: Final = re.compile(rb"\n(to|cc|subject|from|message-id|date)[ \t]{0,80}:", re.IGNORECASE)
_EMPTY_LINE: Final = re.compile(rb"\n\r?\n")
_RECEIVED: Final = re.compile(rb"\nreceived[ \t]{0,80}:", re.IGNORECASE)
_FIELD_END: Final = re.compile(rb"\n(?![ \t])")
_MAX_DATE_BYTES: Final = 200
_EARLIEST_YEAR: Final = 1970
_LATEST_YEAR: Final = 2100  # a later Date says nothing: the sort key falls back to INTERNALDATE
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_ZONE_HOURS: Final = {"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7}
_DATE: Final = re.compile(
    r"(\d{1,2})[ \t-]{1,8}([a-z]{3})[a-z]{0,6}\.?[ \t-]{1,8}(\d{2,4})[ \t]{1,8}"
    r"(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d{1,9})?[ \t]{0,8}(?:([+-])(\d{2}):?(\d{2})|([a-z]{1,5}))?",
)
_MESSAGE_ID: Final = re.compile(r"<[^<>]{1,996}>")


def header_length(octets: bytes, *, most_bytes: int | None = None) -> int:
    """Length of the header block with its empty line; all octets where there is none.

    With `most_bytes` the search ends soon after, and a longer block gives a number above it.
    """
    if octets.startswith((b"\r\n", b"\n")):
        return 2 if octets.startswith(b"\r") else 1
    stop = len(octets) if most_bytes is None else min(len(octets), most_bytes + 4)
    found = _EMPTY_LINE.search(octets, 0, stop)
    return stop if found is None else found.end()


def header_block(octets: bytes) -> bytes:
    """The header block as it stands, its empty line included; the whole where there is no empty line."""
    return octets[: header_length(octets)]


def read_facts(octets: bytes) -> Envelope:
    """Summary of the header of a message; what follows the header is not looked at."""
    raw, is_limited = _read_fields(octets)
    text = encoded_words.decode_header_text
    subject = text(raw.get(b"subject", b""))
    sender = text(raw.get(b"from", b""))
    recipients = text(raw.get(b"to", b""))
    if carbon_copies := text(raw.get(b"cc", b"")):
        recipients = f"{recipients}, {carbon_copies}" if recipients else carbon_copies
    message_id = text(raw.get(b"message-id", b""))
    if (angled := _MESSAGE_ID.search(message_id)) is not None:
        message_id = angled[0]
    if recipients.count(",") >= MAX_ADDRESSES:
        recipients = ",".join(recipients.split(",", MAX_ADDRESSES)[:MAX_ADDRESSES])
        is_limited = True
    if (
        len(recipients) > MAX_RECIPIENTS_CHARS
        or len(subject) > MAX_SUBJECT_CHARS
        or len(sender) > MAX_SENDER_CHARS
        or len(message_id) > MAX_MESSAGE_ID_CHARS
    ):
        is_limited = True
    return Envelope(
        subject=subject[:MAX_SUBJECT_CHARS],
        sender=sender[:MAX_SENDER_CHARS],
        recipients=recipients[:MAX_RECIPIENTS_CHARS],
        message_id_header=message_id[:MAX_MESSAGE_ID_CHARS],
        date_header=parse_date(raw.get(b"date", b"")),
        is_limited=is_limited,
    )


def _read_fields(octets: bytes) -> tuple[dict[bytes, bytes], bool]:
    """Raw values of the first field of each name that we show, folding still in them, and whether a limit was met.

    Blanks before the colon are allowed, as in old mail (RFC 5322 §4.5).
    """
    end = header_length(octets, most_bytes=MAX_BLOCK_BYTES)
    is_limited = end > MAX_BLOCK_BYTES
    block = b"\n" + octets[: min(end, MAX_BLOCK_BYTES)]
    values: dict[bytes, bytes] = {}
    for number, found in enumerate(_FIELD.finditer(block)):
        if number >= MAX_FIELDS:
            is_limited = True
            break
        name = found[1].lower()
        if name in values:
            continue
        begin = found.end()
        most = begin + MAX_FIELD_BYTES
        end = block.find(b"\n", begin)
        while 0 <= end < most and block.startswith((b" ", b"\t"), end + 1):
            end = block.find(b"\n", end + 1)
        if end < 0:
            end = len(block)
        if end > most:
            end = most
            is_limited = True
        values[name] = block[begin:end]
        if len(values) == _FIELD_COUNT:
            break
    return values, is_limited


def received_date(octets: bytes) -> int | None:
    """When the last server took the message: the date of the first Received field (RFC 5321 §4.4), else of Date.

    Seconds since 1970, UTC; None where neither says one. Anybody may have written it: for sorting, never for a decision.
    """
    block = b"\n" + octets[: min(header_length(octets, most_bytes=MAX_BLOCK_BYTES), MAX_BLOCK_BYTES)]
    found = _RECEIVED.search(block)
    if found is not None:
        end = _FIELD_END.search(block, found.end())
        value = block[found.end() : end.start() if end is not None else len(block)][:MAX_FIELD_BYTES]
        date = parse_date(value.rpartition(b";")[2])
        if date is not None:
            return date
    return read_facts(octets).date_header


def parse_date(raw: bytes) -> int | None:
    """date-time = [ day-of-week "," ] date time [CFWS] (RFC 5322 §3.3, obsolete years and zones of §4.3 included).

    Seconds since 1970, UTC; None for what is no date or lies outside 1970..2100. A zone that says nothing is UTC.
    """
    found = _DATE.search(raw[:_MAX_DATE_BYTES].decode("latin-1").lower())
    if found is None:
        return None
    day, month_name, year_text, hour, minute, second, sign, zone_hours, zone_minutes, zone_name = (
        found.groups()
    )
    month = _MONTHS.get(month_name)
    year = int(year_text)
    if len(year_text) < 4:
        year += 2000 if len(year_text) == 2 and year < 50 else 1900
    if month is None or not _EARLIEST_YEAR <= year <= _LATEST_YEAR:
        return None
    try:
        moment = datetime(
            year, month, int(day), int(hour), int(minute), min(int(second or 0), 59), tzinfo=UTC
        )
    except ValueError:
        return None
    if sign is not None:
        offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
        moment = moment - offset if sign == "+" else moment + offset
    elif zone_name is not None:
        moment -= timedelta(hours=_ZONE_HOURS.get(zone_name, 0))
    seconds = int(moment.timestamp())
    return seconds if seconds >= 0 else None
