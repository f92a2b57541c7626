r"""IMAP commands: typed arguments in, parts ready for the line out.

Pure. A mailbox is named by its wire bytes. NUL, CR and LF are refused in every argument; atom, quoted string or
literal is chosen by content. UID commands only, sets ascending and compact, never `*`, never a bare EXPUNGE or
CLOSE. Grammar: RFC 9051 §9; QRESYNC: RFC 7162 §7; LIST: RFC 5258, RFC 5819, RFC 6154; MULTIAPPEND: RFC 3502; UTF8: RFC 6855; COMPRESS: RFC 4978;
QUOTA: RFC 9208; NOTIFY is in `wire.imap.notify`. Raises LocalProtocolError for arguments no
server could read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from daemon.model.errors import LocalProtocolError
from daemon.model.flags import Flag
from daemon.model.ids import ModSeq, UidValidity
from daemon.model.secret import Secret
from daemon.model.uidset import UidSet
from daemon.wire.imap.arguments import (
    Literal,
    LiteralSlot,
    Part,
    astring,
    flag_list,
    format_internal_date,
    join,
    quoted,
    refuse_line_breaks,
    secret_astring,
    words,
)
from daemon.wire.imap.states import Kind, Lane

__all__ = [
    "Appended",
    "Command",
    "FetchItem",
    "FlagChange",
    "ListReturn",
    "Literal",
    "LiteralSlot",
    "Qresync",
    "StatusItem",
    "make_command",
]


@dataclass(frozen=True, slots=True)
class Command:
    """One command without its tag. `shown` is its text for logs, secrets as `***`, literals as `{n}`."""

    kind: Kind
    parts: tuple[Part, ...] = field(repr=False)
    lane: Lane
    shown: str

    def describe(self) -> str:
        """The command as a protocol log may show it."""
        return self.shown


class FetchItem(StrEnum):
    """What UID FETCH asks for. Ask for MODSEQ, EMAILID and X-GM-* only where the server offers them."""

    UID = "UID"
    FLAGS = "FLAGS"
    MODSEQ = "MODSEQ"
    SIZE = "RFC822.SIZE"
    INTERNAL_DATE = "INTERNALDATE"
    BODY = "BODY.PEEK[]"
    HEADER = "BODY.PEEK[HEADER]"
    EMAIL_ID = "EMAILID"
    THREAD_ID = "THREADID"
    GMAIL_MESSAGE_ID = "X-GM-MSGID"
    GMAIL_THREAD_ID = "X-GM-THRID"
    GMAIL_LABELS = "X-GM-LABELS"


class StatusItem(StrEnum):
    """What STATUS asks for."""

    MESSAGES = "MESSAGES"
    UNSEEN = "UNSEEN"
    UID_NEXT = "UIDNEXT"
    UID_VALIDITY = "UIDVALIDITY"
    HIGHEST_MOD_SEQ = "HIGHESTMODSEQ"
    SIZE = "SIZE"
    DELETED = "DELETED"
    APPEND_LIMIT = "APPENDLIMIT"
    MAILBOX_ID = "MAILBOXID"


class ListReturn(StrEnum):
    """Return options of LIST; STATUS has its own argument."""

    SUBSCRIBED = "SUBSCRIBED"
    CHILDREN = "CHILDREN"
    SPECIAL_USE = "SPECIAL-USE"


class FlagChange(StrEnum):
    """How UID STORE changes flags."""

    ADD = "+FLAGS"
    REMOVE = "-FLAGS"
    REPLACE = "FLAGS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """One message of a MULTIAPPEND, whose octets the shell sends in pieces."""

    size: int
    flags: frozenset[Flag] = frozenset()
    internal_date: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Qresync:
    """SELECT's QRESYNC parameter (RFC 7162 §3.2.5); `known_uids` None or empty means all UIDs."""

    uid_validity: UidValidity
    mod_seq: ModSeq
    known_uids: UidSet | None = None


def capability() -> Command:
    return make_command(Kind.CAPABILITY, Lane.ALONE)


def noop() -> Command:
    return make_command(Kind.NOOP, Lane.FREE)


def logout() -> Command:
    return make_command(Kind.LOGOUT, Lane.ALONE)


def starttls() -> Command:
    return make_command(Kind.STARTTLS, Lane.ALONE)


def idle() -> Command:
    """IDLE (RFC 2177); ended by `ImapConnection.finish_idle`, or by the next command submitted."""
    return make_command(Kind.IDLE, Lane.ALONE)


def login(username: str, password: Secret) -> Command:
    """LOGIN; never while LOGINDISABLED is in the capabilities."""
    return make_command(
        Kind.LOGIN,
        Lane.ALONE,
        astring(username.encode()),
        secret_astring(password),
        shown="LOGIN *** ***",
    )


def authenticate(mechanism: str, initial_base64: bytes | None = None) -> Command:
    """AUTHENTICATE; `initial_base64` only where SASL-IR is offered, `=` for an empty one (RFC 4959 §3)."""
    if not mechanism.replace("-", "").replace("_", "").isalnum() or not mechanism.isascii():
        raise LocalProtocolError(f"not a SASL mechanism name: {mechanism[:40]!r}")
    tail = [] if initial_base64 is None else [initial_base64]
    for response in tail:
        refuse_line_breaks(response)
    shown = f"AUTHENTICATE {mechanism}" + ("" if initial_base64 is None else " ***")
    return make_command(Kind.AUTHENTICATE, Lane.ALONE, mechanism.encode(), *tail, shown=shown)


def enable(*names: str) -> Command:
    return make_command(Kind.ENABLE, Lane.ALONE, words(names))


def identify(fields: Mapping[str, str] | None = None) -> Command:
    """ID (RFC 2971); values always quoted: Yahoo wants it so. None sends NIL."""
    if not fields:
        return make_command(Kind.ID, Lane.ID, b"NIL")
    pairs = [quoted(text.encode()) for pair in fields.items() for text in pair]
    return make_command(Kind.ID, Lane.ID, b"(" + b" ".join(pairs) + b")")


def list_mailboxes(
    pattern: bytes = b"*",
    *,
    reference: bytes = b"",
    returning: Iterable[ListReturn] = (),
    status_items: Sequence[StatusItem] = (),
) -> Command:
    """LIST; `returning` needs LIST-EXTENDED, `status_items` LIST-STATUS (RFC 5819)."""
    options = [item.value for item in returning]
    if status_items:
        options.append(f"STATUS ({' '.join(status_items)})")
    tail = [b"RETURN (" + " ".join(options).encode() + b")"] if options else []
    return make_command(Kind.LIST, Lane.LIST, quoted(reference), _pattern(pattern), *tail)


def lsub(pattern: bytes = b"*", *, reference: bytes = b"") -> Command:
    return make_command(Kind.LSUB, Lane.LSUB, quoted(reference), _pattern(pattern))


def namespace() -> Command:
    return make_command(Kind.NAMESPACE, Lane.ALONE)


def status(mailbox: bytes, items: Sequence[StatusItem]) -> Command:
    return make_command(Kind.STATUS, Lane.STATUS, astring(mailbox), _items(items))


def select(
    mailbox: bytes, *, read_only: bool = False, condstore: bool = False, qresync: Qresync | None = None
) -> Command:
    """SELECT or EXAMINE, with CONDSTORE or QRESYNC parameter. QRESYNC must be enabled first."""
    tail: list[Part] = []
    if qresync is not None:
        known = f" {qresync.known_uids}" if qresync.known_uids else ""
        tail.append(f"(QRESYNC ({int(qresync.uid_validity)} {int(qresync.mod_seq)}{known}))".encode())
    elif condstore:
        tail.append(b"(CONDSTORE)")
    return make_command(Kind.EXAMINE if read_only else Kind.SELECT, Lane.ALONE, astring(mailbox), *tail)


def unselect() -> Command:
    """UNSELECT (RFC 3691): leaves the mailbox and, unlike CLOSE, expunges nothing."""
    return make_command(Kind.UNSELECT, Lane.ALONE)


def create(mailbox: bytes) -> Command:
    return make_command(Kind.CREATE, Lane.MAILBOX, astring(mailbox))


def delete(mailbox: bytes) -> Command:
    return make_command(Kind.DELETE, Lane.MAILBOX, astring(mailbox))


def rename(old: bytes, new: bytes) -> Command:
    return make_command(Kind.RENAME, Lane.MAILBOX, astring(old), astring(new))


def subscribe(mailbox: bytes) -> Command:
    return make_command(Kind.SUBSCRIBE, Lane.MAILBOX, astring(mailbox))


def unsubscribe(mailbox: bytes) -> Command:
    return make_command(Kind.UNSUBSCRIBE, Lane.MAILBOX, astring(mailbox))


def append(
    mailbox: bytes,
    content: bytes | int,
    *,
    flags: Iterable[Flag] = (),
    internal_date: int | None = None,
    utf8: bool = False,
) -> Command:
    """APPEND; `content` is the message, or its size when the shell sends the octets in pieces (`send_literal`).

    `utf8`: the header has 8-bit text and UTF8=ACCEPT is enabled; then the message goes as `UTF8 (~{n})` (RFC 6855 §4).
    """
    attributes = _append_attributes(flags, internal_date)
    if utf8:
        if not isinstance(content, int):
            raise LocalProtocolError("a message in UTF8 form is sent in pieces")
        slot = LiteralSlot(content, is_binary=True)
        return make_command(Kind.APPEND, Lane.APPEND, astring(mailbox), *attributes, b"UTF8 (", slot, b")")
    literal = LiteralSlot(content) if isinstance(content, int) else Literal(content)
    return make_command(Kind.APPEND, Lane.APPEND, astring(mailbox), *attributes, literal)


def append_together(mailbox: bytes, messages: Sequence[Appended]) -> Command:
    """MULTIAPPEND (RFC 3502): all messages or none; the literals are wanted one after the other."""
    if not messages:
        raise LocalProtocolError("APPEND without a message")
    parts: list[Part] = []
    for one in messages:
        parts += [*_append_attributes(one.flags, one.internal_date), LiteralSlot(one.size)]
    return make_command(Kind.APPEND, Lane.APPEND, astring(mailbox), *parts)


def _append_attributes(flags: Iterable[Flag], internal_date: int | None) -> list[Part]:
    shown = list(flags)
    found: list[Part] = [flag_list(shown)] if shown else []
    return found if internal_date is None else [*found, format_internal_date(internal_date)]


def compress() -> Command:
    """COMPRESS DEFLATE (RFC 4978); both sides compress from the octet behind the tagged OK on."""
    return make_command(Kind.COMPRESS, Lane.ALONE, b"DEFLATE")


def get_quota_root(mailbox: bytes) -> Command:
    """GETQUOTAROOT (RFC 9208): the roots of a mailbox and what they use."""
    return make_command(Kind.GETQUOTAROOT, Lane.QUOTA, astring(mailbox))


def uid_fetch(
    uids: UidSet,
    items: Sequence[FetchItem],
    *,
    changed_since: ModSeq | None = None,
    vanished: bool = False,
) -> Command:
    """UID FETCH; `vanished` (with `changed_since`) needs QRESYNC enabled."""
    tail = []
    if changed_since is not None:
        tail.append(f"(CHANGEDSINCE {int(changed_since)}{' VANISHED' if vanished else ''})".encode())
    elif vanished:
        raise LocalProtocolError("VANISHED without CHANGEDSINCE")
    lane = Lane.FLAGS_READ if {FetchItem.FLAGS, FetchItem.MODSEQ} & set(items) else Lane.BODY
    return make_command(Kind.UID_FETCH, lane, _set(uids), _items(items), *tail)


def uid_store(
    uids: UidSet,
    change: FlagChange,
    flags: Iterable[Flag],
    *,
    silent: bool = True,
    unchanged_since: ModSeq | None = None,
) -> Command:
    condition = [] if unchanged_since is None else [f"(UNCHANGEDSINCE {int(unchanged_since)})".encode()]
    item = f"{change.value}{'.SILENT' if silent else ''}".encode()
    return make_command(Kind.UID_STORE, Lane.FLAGS_WRITE, _set(uids), *condition, item, flag_list(flags))


def uid_copy(uids: UidSet, target: bytes) -> Command:
    return make_command(Kind.UID_COPY, Lane.COPY, _set(uids), astring(target))


def uid_move(uids: UidSet, target: bytes) -> Command:
    """UID MOVE (RFC 6851); its COPYUID comes in an untagged OK before the tagged answer."""
    return make_command(Kind.UID_MOVE, Lane.MOVE, _set(uids), astring(target))


def uid_expunge(uids: UidSet) -> Command:
    """UID EXPUNGE (RFC 4315), the only expunge there is here."""
    return make_command(Kind.UID_EXPUNGE, Lane.EXPUNGE, _set(uids))


def uid_search(
    criteria: Sequence[bytes] = (b"ALL",), *, uids: UidSet | None = None, returning: Sequence[str] = ()
) -> Command:
    """UID SEARCH; `criteria` are atoms as they stand, `returning` (ESEARCH) gets `RETURN (...)`, e.g. ALL or COUNT."""
    for criterion in criteria:
        refuse_line_breaks(criterion)
    options = [b"RETURN (" + words(returning) + b")"] if returning else []
    within = [] if uids is None else [b"UID " + _set(uids)]
    return make_command(Kind.UID_SEARCH, Lane.SEARCH, *options, *within, *criteria)


def _pattern(pattern: bytes) -> Part:
    refuse_line_breaks(pattern)
    return quoted(pattern) if pattern.isascii() else Literal(pattern)


def _items(items: Sequence[StrEnum]) -> bytes:
    if not items:
        raise LocalProtocolError("a command needs at least one item")
    return ("(" + " ".join(items) + ")").encode()


def _set(uids: UidSet) -> bytes:
    if not uids:
        raise LocalProtocolError("a command on an empty UID set")
    return str(uids).encode()


def make_command(kind: Kind, lane: Lane, *arguments: Part, shown: str | None = None) -> Command:
    """A command of these arguments with a space between; `shown` replaces its text for logs."""
    parts = join((kind.encode(), *arguments))
    if shown is None:
        shown = "".join(
            part.decode("utf-8", "backslashreplace") if isinstance(part, bytes) else f"{{{part.size}}}"
            for part in parts
        )
    return Command(kind, parts, lane, shown)
