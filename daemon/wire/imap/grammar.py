r"""The grammar of server responses: one frame in, one value of `wire.imap.responses` out.

ABNF: response-data, response-tagged, continue-req, greeting (RFC 9051 §9). Raises only RemoteProtocolError. Unknown
untagged data becomes OtherData: a client must accept any response at any time (RFC 9051 §2.2.2). So does a
mailbox listing that cannot be read, which is a line lost; a FETCH, SEARCH or VANISHED that cannot be read
is an error, because what it left out would look like a deletion.
"""

import re
from collections.abc import Callable
from typing import Final

from daemon.model.errors import RemoteProtocolError
from daemon.wire.imap import data, fetch, values
from daemon.wire.imap.capabilities import parse_capabilities
from daemon.wire.imap.codes import parse_text
from daemon.wire.imap.framing import Frame
from daemon.wire.imap.responses import (
    Bye,
    CapabilityData,
    Continuation,
    EnabledData,
    Exists,
    Expunge,
    FlagsData,
    Greeting,
    OtherData,
    Response,
    Status,
    StatusLine,
    Tagged,
    Untagged,
)
from daemon.wire.imap.tokenizer import tokenize

_NUMBERED: Final = re.compile(rb"\*[ ]+(\d{1,10})[ ]+([A-Za-z]+)")
_NAMED: Final = re.compile(rb"\*[ ]+([A-Za-z][A-Za-z0-9.-]*)[ ]*")
_CODE_ONLY: Final = re.compile(rb"\*[ ]+(?=\[)")
_TAGGED: Final = re.compile(rb"([A-Za-z][0-9]{1,18})[ ]+(OK|NO|BAD)(?:[ ]+|\Z)", re.IGNORECASE)
_GREETING: Final = re.compile(rb"\*[ ]+(OK|PREAUTH|BYE)(?:[ ]+|\Z)", re.IGNORECASE)


def parse_greeting(frame: Frame) -> Greeting:
    """ABNF: greeting = "*" SP (resp-cond-auth / resp-cond-bye) CRLF."""
    found = _GREETING.match(frame) if isinstance(frame, bytes) else None
    if found is None or not isinstance(frame, bytes):
        raise RemoteProtocolError(
            f"not an IMAP greeting: {values.printable(_first(frame), 80)}", reason="not_imap"
        )
    code, text = parse_text(frame[found.end() :])
    return Greeting(status=Status(values.word(found[1])), code=code, text=text)


def parse_response(frame: Frame, *, nesting_depth: int = 64) -> Response:
    """Any response behind the greeting."""
    if isinstance(frame, bytes):
        quick = fetch.parse_flag_line(frame)
        if quick is not None:
            return quick
        if not frame.startswith(b"*"):
            return _parse_unstarred(frame)
    else:
        body = fetch.parse_body(frame)
        if body is not None:
            return body
    return _parse_untagged(frame, nesting_depth)


def _first(frame: Frame) -> bytes:
    piece = frame if isinstance(frame, bytes) else frame[0]
    return piece if isinstance(piece, bytes) else b""


def _parse_unstarred(line: bytes) -> Response:
    if line.startswith(b"+"):
        # QUIRK Exchange and others: a bare `+` without space
        return Continuation(text=line[1:].removeprefix(b" "))
    found = _TAGGED.match(line)
    if found is None:
        raise RemoteProtocolError(f"not a response: {values.printable(line, 120)}")
    code, text = parse_text(line[found.end() :])
    return Tagged(tag=found[1], status=Status(values.word(found[2])), code=code, text=text)


def _parse_untagged(frame: Frame, nesting_depth: int) -> Untagged:
    first = _first(frame)
    numbered = _NUMBERED.match(first)
    if numbered is not None:
        return _parse_numbered(frame, int(numbered[1]), values.word(numbered[2]), nesting_depth)
    named = _NAMED.match(first)
    if named is None:
        # QUIRK home.pl, Office 365 (MailKit#115): `* [COPYUID ...]` without OK
        bare = _CODE_ONLY.match(first)
        if bare is not None:
            code, text = parse_text(first[bare.end() :])
            return StatusLine(status=Status.OK, code=code, text=text)
        return OtherData(name="", raw=values.printable(first))
    return _parse_named(frame, values.word(named[1]), named.end(), nesting_depth)


def _parse_numbered(frame: Frame, number: int, name: str, nesting_depth: int) -> Untagged:
    match name:
        case "FETCH" | "UIDFETCH":
            return fetch.parse_fetch(frame, nesting_depth=nesting_depth)
        case "EXISTS":
            if number > values.MAX_UINT32 - 1:
                raise RemoteProtocolError(f"EXISTS of {number}")
            return Exists(count=number)
        case "EXPUNGE":
            if number == 0:
                raise RemoteProtocolError("EXPUNGE of message 0")
            return Expunge(seq=number)
        case _:
            return OtherData(name=name, raw=values.printable(_first(frame)))


def _parse_named(frame: Frame, name: str, at: int, nesting_depth: int) -> Untagged:
    first = _first(frame)
    rest = first[at:]
    match name:
        case "OK" | "NO" | "BAD":
            code, text = parse_text(rest)
            return StatusLine(status=Status(name), code=code, text=text)
        case "BYE":
            code, text = parse_text(rest)
            return Bye(code=code, text=text)
        case "CAPABILITY":
            return CapabilityData(capabilities=parse_capabilities(rest))
        case "ENABLED":
            return EnabledData(names=frozenset(values.word(part) for part in rest.split()))
        case "FLAGS":
            return FlagsData(flags=values.flags_of(_flag_words(frame, at, rest, nesting_depth)))
        case "SEARCH" | "SORT":
            return data.parse_search(rest)
        case "ESEARCH":
            return data.parse_esearch(rest)
        case "VANISHED":
            return data.parse_vanished(rest)
    reader = _HARMLESS.get(name)
    if reader is None:
        return OtherData(name=name, raw=values.printable(first))
    try:
        return reader(frame, at, nesting_depth)
    except RemoteProtocolError as exc:
        return OtherData(name=name, raw=values.printable(first), problem=str(exc))


def _flag_words(frame: Frame, at: int, rest: bytes, nesting_depth: int) -> list[bytes]:
    if isinstance(frame, bytes):
        return rest.strip(b"() ").split()
    tokens = tokenize(frame, at, nesting_depth=nesting_depth)
    words = tokens[0] if tokens and isinstance(tokens[0], list) else tokens
    return [bytes(word) for word in words if isinstance(word, bytes)]


_HARMLESS: Final[dict[str, Callable[[Frame, int, int], Untagged]]] = {
    "LIST": data.parse_list,
    "LSUB": data.parse_list,
    "STATUS": data.parse_status,
    "NAMESPACE": data.parse_namespace,
    "ID": data.parse_id,
    "QUOTAROOT": data.parse_quota_root,
    "QUOTA": data.parse_quota,
}
"""Responses whose loss is only a loss of information: unreadable ones become OtherData with a problem."""
