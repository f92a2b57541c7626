r"""What a server may send at most. Each breach is terminal: RemoteProtocolError, and no later byte is parsed."""

from dataclasses import dataclass
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes in bytes; sync.md 23 and faults.md S15 to S18 have the reasons.

    Args:
        status_line_bytes: Greeting, tagged and status lines, and lines of unknown kind.
        data_line_bytes: Text of one FETCH, LIST or FLAGS response, its literals not counted.
        number_line_bytes: SEARCH, ESEARCH and VANISHED.
        inline_literal_bytes: One literal outside FETCH (a mailbox name, an ID value).
        gathered_literal_bytes: FETCH literals up to here arrive as bytes in FetchData, larger ones as events.
        max_literal_bytes: The largest message at all, seven times what the most generous provider takes (Exchange Online: 150 MB);
            announced larger ones are refused before any allocation. It goes to tmp/ in pieces, whatever RFC822.SIZE said.
        gathered_response_bytes: All gathered literals of one response together.
        nesting_depth: Parentheses within parentheses.
        untagged_count, untagged_bytes: Responses and text between two tagged answers, with a command in flight.
        literal_bytes: Octets of literals between two tagged answers: one message of the largest size and a chunk beside it.
        quiet_literal_bytes: The same while nothing or only IDLE is in flight: nothing was asked for.
        quiet_untagged_count, quiet_untagged_bytes: The same while nothing or only IDLE is in flight.
        fair_count, fair_bytes: What any server may say of both, whatever is selected: 120,000 mailboxes and their numbers.
        fair_count_a_message, fair_bytes_a_message: What is added for each message of the largest mailbox selected.
    """

    status_line_bytes: int = 64 * KIB
    data_line_bytes: int = 1 * MIB
    number_line_bytes: int = 16 * MIB
    inline_literal_bytes: int = 64 * KIB
    gathered_literal_bytes: int = 1 * MIB
    max_literal_bytes: int = 1024 * MIB
    gathered_response_bytes: int = 8 * MIB
    nesting_depth: int = 64
    untagged_count: int = 4_000_000
    untagged_bytes: int = 1024 * MIB
    literal_bytes: int = 1280 * MIB
    quiet_literal_bytes: int = 16 * MIB
    quiet_untagged_count: int = 1_000_000
    quiet_untagged_bytes: int = 128 * MIB
    fair_count: int = 250_000
    fair_bytes: int = 96 * MIB
    fair_count_a_message: int = 4
    fair_bytes_a_message: int = 1 * KIB


DEFAULT_LIMITS: Final = Limits()
