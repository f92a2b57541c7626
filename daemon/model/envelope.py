"""What the index knows of a message's octets: sizes, digests and a summary of the header.

A file is what lies on the disk; the wire form is the same with every bare LF as CRLF, nothing else changed. For a
downloaded message both are equal.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Parsed header summary for display; never identity, never used for a decision (not the SMTP envelope).

    Values are decoded text with controls removed, cut to a bounded length. `date_header` is seconds since 1970 or
    None when absent or absurd.
    """

    subject: str = ""
    sender: str = ""
    recipients: str = ""
    message_id_header: str = ""
    date_header: int | None = None
    is_limited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Facts of immutable octets. Digests are SHA-256, raw 32 bytes; `header_sha256` is over the header block with
    CRLF, its empty line included.
    """

    file_size: int
    file_sha256: bytes
    wire_size: int
    wire_sha256: bytes
    header_sha256: bytes
    envelope: Envelope
