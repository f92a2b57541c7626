r"""The connection's states, which command is legal in which, and where its answer leads: one table each.

An illegal move is a missing key. RFC 9051 §3; lanes (what may be in flight together): RFC 9051 §5.5. Only UID commands are
sent, so no sequence number can be misread; what is left to keep apart are answers that cannot be told apart and
flags read while they are written.
"""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where the connection stands. IDLE is `SELECTED` or `AUTHENTICATED` with an IDLE in flight."""

    AWAITING_GREETING = "awaiting greeting"
    NOT_AUTHENTICATED = "not authenticated"
    TLS_PENDING = "tls pending"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"
    LOGOUT = "logout"
    BROKEN = "broken"


class Kind(StrEnum):
    """The commands, as the RFCs name them."""

    CAPABILITY = "CAPABILITY"
    NOOP = "NOOP"
    LOGOUT = "LOGOUT"
    ID = "ID"
    STARTTLS = "STARTTLS"
    AUTHENTICATE = "AUTHENTICATE"
    LOGIN = "LOGIN"
    ENABLE = "ENABLE"
    SELECT = "SELECT"
    EXAMINE = "EXAMINE"
    UNSELECT = "UNSELECT"
    CREATE = "CREATE"
    DELETE = "DELETE"
    RENAME = "RENAME"
    SUBSCRIBE = "SUBSCRIBE"
    UNSUBSCRIBE = "UNSUBSCRIBE"
    LIST = "LIST"
    LSUB = "LSUB"
    NAMESPACE = "NAMESPACE"
    STATUS = "STATUS"
    APPEND = "APPEND"
    IDLE = "IDLE"
    UID_FETCH = "UID FETCH"
    UID_STORE = "UID STORE"
    UID_COPY = "UID COPY"
    UID_MOVE = "UID MOVE"
    UID_EXPUNGE = "UID EXPUNGE"
    UID_SEARCH = "UID SEARCH"
    NOTIFY = "NOTIFY"
    COMPRESS = "COMPRESS"
    GETQUOTAROOT = "GETQUOTAROOT"


class Lane(StrEnum):
    """What a command does to the others around it."""

    ALONE = "alone"
    FREE = "free"
    ID = "id"
    LIST = "list"
    LSUB = "lsub"
    STATUS = "status"
    SEARCH = "search"
    MAILBOX = "mailbox"
    APPEND = "append"
    FLAGS_READ = "flags read"
    FLAGS_WRITE = "flags write"
    BODY = "body"
    COPY = "copy"
    MOVE = "move"
    EXPUNGE = "expunge"
    QUOTA = "quota"


def _pairs(text: str) -> frozenset[tuple[Lane, Lane]]:
    found = set()
    for line in text.strip().splitlines():
        one, _, other = line.strip().partition(" | ")
        found |= {(Lane(one), Lane(other)), (Lane(other), Lane(one))}
    return frozenset(found)


CONFLICTS: Final = _pairs(
    """
    id | id
    list | list
    lsub | lsub
    search | search
    quota | quota
    mailbox | mailbox
    mailbox | list
    mailbox | lsub
    mailbox | status
    mailbox | append
    mailbox | copy
    mailbox | move
    flags read | flags write
    flags write | copy
    flags write | move
    flags write | expunge
    copy | move
    copy | expunge
    move | move
    move | expunge
    body | move
    body | expunge
    """
)
"""Lanes of which two commands are never in flight at the same time; ALONE conflicts with everything."""


def may_overlap(one: Lane, other: Lane) -> bool:
    """Whether two commands may be in flight together."""
    return Lane.ALONE not in (one, other) and (one, other) not in CONFLICTS


_ANY: Final = frozenset({State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED})
_BEFORE: Final = frozenset({State.NOT_AUTHENTICATED})
_AFTER: Final = frozenset({State.AUTHENTICATED, State.SELECTED})
_SELECTED: Final = frozenset({State.SELECTED})

LEGAL: Final[dict[Kind, frozenset[State]]] = {
    Kind.CAPABILITY: _ANY,
    Kind.NOOP: _ANY,
    Kind.LOGOUT: _ANY,
    Kind.ID: _ANY,
    Kind.STARTTLS: _BEFORE,
    Kind.AUTHENTICATE: _BEFORE,
    Kind.LOGIN: _BEFORE,
    # RFC 5161 §3.1 allows ENABLE before anything is selected only
    Kind.ENABLE: frozenset({State.AUTHENTICATED}),
    Kind.SELECT: _AFTER,
    Kind.EXAMINE: _AFTER,
    Kind.UNSELECT: _SELECTED,
    Kind.CREATE: _AFTER,
    Kind.DELETE: _AFTER,
    Kind.RENAME: _AFTER,
    Kind.SUBSCRIBE: _AFTER,
    Kind.UNSUBSCRIBE: _AFTER,
    Kind.LIST: _AFTER,
    Kind.LSUB: _AFTER,
    Kind.NAMESPACE: _AFTER,
    Kind.STATUS: _AFTER,
    Kind.APPEND: _AFTER,
    Kind.IDLE: _AFTER,
    Kind.UID_FETCH: _SELECTED,
    Kind.UID_STORE: _SELECTED,
    Kind.UID_COPY: _SELECTED,
    Kind.UID_MOVE: _SELECTED,
    Kind.UID_EXPUNGE: _SELECTED,
    Kind.UID_SEARCH: _SELECTED,
    Kind.NOTIFY: _AFTER,
    Kind.COMPRESS: _AFTER,
    Kind.GETQUOTAROOT: _AFTER,
}

AFTER_OK: Final[dict[Kind, State]] = {
    Kind.STARTTLS: State.TLS_PENDING,
    Kind.AUTHENTICATE: State.AUTHENTICATED,
    Kind.LOGIN: State.AUTHENTICATED,
    Kind.SELECT: State.SELECTED,
    Kind.EXAMINE: State.SELECTED,
    Kind.UNSELECT: State.AUTHENTICATED,
    Kind.LOGOUT: State.LOGOUT,
}
AFTER_NO: Final[dict[Kind, State]] = {
    # a refused SELECT leaves nothing selected (RFC 9051 §6.3.2)
    Kind.SELECT: State.AUTHENTICATED,
    Kind.EXAMINE: State.AUTHENTICATED,
}
