r"""What `Pop3Connection.receive` gives out, in the server's order."""

from dataclasses import dataclass

from daemon.wire.pop3.outbox import Sent
from daemon.wire.pop3.responses import Result, SizeLines, Status, UidlLines


@dataclass(frozen=True, slots=True)
class Greeting:
    """The server's first line; -ERR turns us away."""

    status: Status


@dataclass(frozen=True, slots=True)
class CommandDone:
    """The complete answer of `sent`. What came in portions came in earlier events."""

    sent: Sent
    status: Status
    result: Result = None


@dataclass(frozen=True, slots=True)
class Challenge:
    """AUTH wants an answer: `data` is base64 as sent (or empty); reply with `answer_challenge`."""

    sent: Sent
    data: bytes


@dataclass(frozen=True, slots=True)
class MessageBegin:
    """The message is large: its octets follow as MessageData, and CommandDone has `Streamed` in their place."""

    sent: Sent


@dataclass(frozen=True, slots=True)
class MessageData:
    """Octets of a large message, in order, unstuffed."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Farewell:
    """-ERR that answers nothing: the server is about to close (Dovecot after ten idle minutes)."""

    status: Status


Event = Greeting | CommandDone | Challenge | MessageBegin | MessageData | SizeLines | UidlLines | Farewell
