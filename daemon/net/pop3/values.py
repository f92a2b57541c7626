"""What the POP3 shell gives its callers: frozen values, nothing of the protocol."""

from dataclasses import dataclass, field

from daemon.model.sink import Sink
from daemon.wire.pop3.responses import Uidl

__all__ = ["FetchedMessage", "MaildropEntry", "Uidl"]


@dataclass(frozen=True, slots=True)
class MaildropEntry:
    """One message as listed. `number` is valid in this session only; `size` is what LIST says, octets may differ."""

    number: int
    uidl: Uidl | None
    size: int | None


@dataclass(frozen=True, slots=True)
class FetchedMessage:
    """One message asked for: `octets`, or an ended `sink` that has taken them, or the server's `refusal`."""

    number: int
    octets: bytes | None = field(default=None, repr=False)
    sink: Sink | None = None
    refusal: str | None = None
