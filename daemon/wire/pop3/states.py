r"""The connection's states: one table says which command is legal in which, and where its answer leads.

An illegal move is a missing key. RFC 1939 §3 to §6; CAPA: RFC 2449 §5; STLS: RFC 2595 §4; AUTH: RFC 5034; UTF8: RFC 6856.
"""

from enum import StrEnum
from typing import Final, NamedTuple


class State(StrEnum):
    """Where the connection stands. UPDATE: QUIT was answered and the server closes."""

    AWAITING_GREETING = "awaiting greeting"
    AUTHORIZATION = "authorization"
    USER_GIVEN = "user given"
    TLS_PENDING = "tls pending"
    TRANSACTION = "transaction"
    UPDATE = "update"
    BROKEN = "broken"


class Kind(StrEnum):
    """The commands, as the RFCs name them. There is no APOP: its MD5 is broken (CVE-2007-1558)."""

    CAPA = "CAPA"
    STLS = "STLS"
    AUTH = "AUTH"
    USER = "USER"
    PASS = "PASS"  # noqa: S105 - the name of a command
    UTF8 = "UTF8"
    STAT = "STAT"
    LIST = "LIST"
    UIDL = "UIDL"
    TOP = "TOP"
    RETR = "RETR"
    DELE = "DELE"
    RSET = "RSET"
    NOOP = "NOOP"
    QUIT = "QUIT"


class Move(NamedTuple):
    """The state after +OK and after -ERR; None leaves it as it is."""

    on_ok: State | None = None
    on_err: State | None = None


STAY: Final = Move()

MOVES: Final[dict[tuple[State, Kind], Move]] = {
    (State.AUTHORIZATION, Kind.CAPA): STAY,
    (State.AUTHORIZATION, Kind.STLS): Move(on_ok=State.TLS_PENDING),
    (State.AUTHORIZATION, Kind.UTF8): STAY,
    (State.AUTHORIZATION, Kind.AUTH): Move(on_ok=State.TRANSACTION),
    (State.AUTHORIZATION, Kind.USER): Move(on_ok=State.USER_GIVEN),
    (State.AUTHORIZATION, Kind.QUIT): Move(on_ok=State.UPDATE, on_err=State.UPDATE),
    (State.USER_GIVEN, Kind.PASS): Move(on_ok=State.TRANSACTION, on_err=State.AUTHORIZATION),
    (State.USER_GIVEN, Kind.QUIT): Move(on_ok=State.UPDATE, on_err=State.UPDATE),
    (State.TRANSACTION, Kind.CAPA): STAY,
    (State.TRANSACTION, Kind.STAT): STAY,
    (State.TRANSACTION, Kind.LIST): STAY,
    (State.TRANSACTION, Kind.UIDL): STAY,
    (State.TRANSACTION, Kind.TOP): STAY,
    (State.TRANSACTION, Kind.RETR): STAY,
    (State.TRANSACTION, Kind.DELE): STAY,
    (State.TRANSACTION, Kind.RSET): STAY,
    (State.TRANSACTION, Kind.NOOP): STAY,
    # whatever QUIT is answered, the session is over (RFC 1939 §6)
    (State.TRANSACTION, Kind.QUIT): Move(on_ok=State.UPDATE, on_err=State.UPDATE),
}

CHANGERS: Final = frozenset(kind for (_, kind), move in MOVES.items() if move is not STAY)
"""Commands that are never in flight with others: what follows depends on their answer."""
