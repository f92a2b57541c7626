r"""What `ImapConnection.receive` gives out besides untagged data."""

from dataclasses import dataclass

from daemon.wire.imap.outbox import LiteralWanted, Sent
from daemon.wire.imap.responses import Greeting, LiteralBegin, LiteralData, LiteralEnd, Tagged, Untagged


@dataclass(frozen=True, slots=True)
class CommandDone:
    """The tagged answer of `sent`; untagged data that belong to it came in earlier events."""

    sent: Sent
    tagged: Tagged


@dataclass(frozen=True, slots=True)
class Challenge:
    """AUTHENTICATE wants an answer: `data` is base64 as sent (or empty); reply with `answer_challenge`."""

    sent: Sent
    data: bytes


@dataclass(frozen=True, slots=True)
class IdleStarted:
    """The server took IDLE; it tells changes from now on."""

    sent: Sent


Event = (
    Greeting
    | Untagged
    | LiteralBegin
    | LiteralData
    | LiteralEnd
    | CommandDone
    | Challenge
    | IdleStarted
    | LiteralWanted
)
"""In the server's order. FetchData is a tuple; match it before anything that unpacks."""
