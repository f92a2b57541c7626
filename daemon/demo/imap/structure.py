"""ENVELOPE, BODYSTRUCTURE and numbered parts, by the standard library's parser.

Good enough for mail readers that look at the demo; never on the path of mailsyncd, which asks for none of them.
RFC 3501 §7.4.2. BODYSTRUCTURE comes without extension data, which RFC 3501 leaves to the server.
"""

from email.message import Message
from email.parser import BytesParser, HeaderParser
from email.policy import compat32
from email.utils import getaddresses
from typing import Final

_PARSER: Final = BytesParser(policy=compat32)
_HEADERS: Final = HeaderParser(policy=compat32)
_SENDERS: Final = ("From", "Sender", "Reply-To")


def envelope(header: bytes) -> bytes:
    """ABNF: "(" env-date SP env-subject SP env-from … env-message-id ")"."""
    message = _HEADERS.parsestr(header.decode("utf-8", "surrogateescape"))
    parts = [_nstring(message["Date"]), _nstring(message["Subject"])]
    parts += [_addresses(message, name) or _addresses(message, "From") or b"NIL" for name in _SENDERS]
    parts += [_addresses(message, name) or b"NIL" for name in ("To", "Cc", "Bcc")]
    parts += [_nstring(message["In-Reply-To"]), _nstring(message["Message-ID"])]
    return b"(" + b" ".join(parts) + b")"


def body_structure(octets: bytes) -> bytes:
    """ABNF: body = "(" (body-type-1part / body-type-mpart) ")", without extension data."""
    return _body(_PARSER.parsebytes(octets))


def part_octets(octets: bytes, path: tuple[int, ...]) -> tuple[bytes, bytes] | None:
    """MIME header and body of the part at `path`; None where there is none."""
    message: Message = _PARSER.parsebytes(octets)
    for number in path:
        children = _children(message)
        if children:
            if number > len(children):
                return None
            message = children[number - 1]
        elif number != 1 or message.get_content_type() == "message/rfc822":
            return None
    header, line, body = _octets(message).partition(b"\r\n\r\n")
    return header + line, body


def _body(message: Message) -> bytes:
    children = _children(message)
    if children:
        return b"(" + b"".join(map(_body, children)) + b" " + _string(message.get_content_subtype()) + b")"
    payload = message.get_payload()
    inner = payload[0] if isinstance(payload, list) and payload and isinstance(payload[0], Message) else None
    content = _octets(inner) if inner else str(payload or "").encode("utf-8", "surrogateescape")
    parameters = message.get_params(header="content-type", unquote=True) or []
    pairs = [_string(key) + b" " + _string(value) for key, value in parameters[1:]]
    parts = [
        _string(message.get_content_maintype()),
        _string(message.get_content_subtype()),
        b"(" + b" ".join(pairs) + b")" if pairs else b"NIL",
        _nstring(message["Content-ID"]),
        _nstring(message["Content-Description"]),
        _string(message.get("Content-Transfer-Encoding", "7bit")),
        b"%d" % len(content),
    ]
    if inner:
        header = _octets(inner).partition(b"\r\n\r\n")[0]
        parts += [envelope(header), _body(inner)]
    if inner or message.get_content_maintype() == "text":
        parts.append(b"%d" % content.count(b"\n"))
    return b"(" + b" ".join(parts) + b")"


def _octets(message: Message) -> bytes:
    return message.as_bytes(policy=compat32.clone(linesep="\r\n", max_line_length=0))


def _children(message: Message) -> list[Message]:
    payload = message.get_payload()
    is_multipart = message.get_content_maintype() == "multipart" and isinstance(payload, list)
    return [child for child in payload if isinstance(child, Message)] if is_multipart else []


def _addresses(message: Message, name: str) -> bytes:
    found = getaddresses([str(value) for value in message.get_all(name, [])])
    entries = []
    for person, address in found:
        local, _, domain = address.rpartition("@")
        entries.append(
            b"(%s NIL %s %s)" % (_nstring(person or None), _nstring(local or None), _nstring(domain or None))
        )
    return b"(" + b"".join(entries) + b")" if entries else b""


def _nstring(value: object) -> bytes:
    return b"NIL" if value is None else _string(str(value))


def _string(text: str) -> bytes:
    octets = " ".join(text.split()).encode("utf-8", "surrogateescape")
    if octets.isascii():
        return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return b"{%d}\r\n%s" % (len(octets), octets)
