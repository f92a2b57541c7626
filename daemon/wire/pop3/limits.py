r"""What a server may send at most. Each breach is terminal: RemoteProtocolError, and no later byte is parsed."""

from dataclasses import dataclass
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes in bytes; sync.md 23 and faults.md P4, P5, P8 and P14 have the reasons.

    Args:
        status_line_bytes: Greeting, +OK, -ERR and challenges. RFC 2449 §4 allows 512; servers write whole pages.
        listing_line_bytes: One line of LIST, UIDL or CAPA.
        listing_count: Lines of one LIST or UIDL.
        listing_bytes: All lines of one LIST or UIDL.
        capability_bytes: All lines of one CAPA.
        gathered_message_bytes: Messages up to here arrive as bytes, larger ones as events.
        max_message_bytes: The largest message at all. POP3 announces no size, so it is counted while it comes.
        blank_lines: Empty lines where a status line is due.
    """

    status_line_bytes: int = 64 * KIB
    listing_line_bytes: int = 8 * KIB
    listing_count: int = 1_000_000
    listing_bytes: int = 128 * MIB
    capability_bytes: int = 64 * KIB
    gathered_message_bytes: int = 1 * MIB
    max_message_bytes: int = 1024 * MIB
    blank_lines: int = 100


DEFAULT_LIMITS: Final = Limits()
