r"""IMAP responses: one complete server response in, one frozen value out.

Pure: no sockets, clocks or logging; the values only, `wire.imap.grammar` makes them. Names follow RFC 9051 §7;
CONDSTORE and QRESYNC items RFC 7162 §7. Words of the server (`text`) are printable and cut to 512 characters.
Numbers that no server may say (0 as UIDVALIDITY, -1 as MODSEQ) are None.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from daemon.model.flags import FlagSet
from daemon.model.ids import ModSeq, Uid, UidValidity
from daemon.model.uidset import UidSet
from daemon.wire.imap.capabilities import Capabilities


class Status(StrEnum):
    """The words that open a status response (RFC 9051 §7.1)."""

    OK = "OK"
    NO = "NO"
    BAD = "BAD"
    PREAUTH = "PREAUTH"
    BYE = "BYE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A response code, `[NAME argument]`, without typed content. `name` is in capitals."""

    name: str
    argument: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberCode(Code):
    """UIDNEXT, UIDVALIDITY, UNSEEN, HIGHESTMODSEQ, APPENDLIMIT: `number` is None when absent, 0 or absurd."""

    number: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilityCode(Code):
    """CAPABILITY: the list as in the untagged response."""

    capabilities: Capabilities


@dataclass(frozen=True, slots=True, kw_only=True)
class PermanentFlagsCode(Code):
    r"""PERMANENTFLAGS: flags that last; `accepts_new_keywords` when `\*` is among them."""

    flags: FlagSet
    accepts_new_keywords: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendUidCode(Code):
    """APPENDUID (RFC 9051 §7.1). Trust it only on the answer to an APPEND. Several `uids` answer a MULTIAPPEND."""

    uid_validity: UidValidity
    uids: tuple[Uid, ...]

    @property
    def uid(self) -> Uid:
        """The first, which is the only one of a plain APPEND."""
        return self.uids[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyUidCode(Code):
    """COPYUID: the k-th UID of `source` became the k-th of `target`; both empty when the server left them out."""

    uid_validity: UidValidity | None
    source: tuple[Uid, ...]
    target: tuple[Uid, ...]

    def pairs(self) -> Iterator[tuple[Uid, Uid]]:
        """Old and new UID of each message."""
        return zip(self.source, self.target, strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifiedCode(Code):
    """MODIFIED (RFC 7162 §3.1.3): UIDs that a conditional STORE left alone."""

    uids: UidSet


@dataclass(frozen=True, slots=True, kw_only=True)
class InProgressCode(Code):
    """INPROGRESS (RFC 9585): a long command still runs; `done` of `total` where the server counts."""

    tag: bytes | None = None
    done: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusLine:
    """Untagged OK, NO or BAD after the greeting: a remark of the server, often only for its code."""

    status: Status
    code: Code | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """The first line: OK, PREAUTH or BYE. BYE means the server turns us away."""

    status: Status
    code: Code | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bye:
    """The server is about to close. Given once, however often it is repeated."""

    code: Code | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """The end of a command: OK, NO or BAD."""

    tag: bytes
    status: Status
    code: Code | None
    text: str

    @property
    def is_ok(self) -> bool:
        return self.status is Status.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """`+ text`: `text` is the raw rest of the line (base64 of a challenge, or words)."""

    text: bytes


class FetchData(NamedTuple):
    """One FETCH response; an item the server did not send is None.

    A tuple, because a hundred thousand of them come in one answer and a frozen dataclass costs three times as much to
    make. `seq` is for bookkeeping inside `net` only. `uid` is None when the server left it out: such data must not
    be stored. `flags` are normalised. `internal_date` is seconds since 1970 UTC, None when invalid. `body` has BODY[]
    up to `Limits.gathered_literal_bytes`; a larger one went out as LiteralBegin, LiteralData, LiteralEnd just before
    and `streamed_bytes` is its length. BODY[] NIL leaves both None.
    """

    seq: int
    uid: Uid | None = None
    flags: FlagSet | None = None
    mod_seq: ModSeq | None = None
    size: int | None = None
    internal_date: int | None = None
    body: bytes | None = None
    header: bytes | None = None
    streamed_bytes: int | None = None
    email_id: str | None = None
    thread_id: str | None = None
    gmail_message_id: int | None = None
    gmail_thread_id: int | None = None
    gmail_labels: tuple[bytes, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiteralBegin:
    """A literal too large to be gathered starts inside a FETCH response.

    `section` is what stands between the brackets of BODY[...] in capitals, empty for the whole message. `uid` is None
    if the server wrote UID behind the body: read it from the FetchData that follows.
    """

    seq: int
    uid: Uid | None
    section: str
    size: int


@dataclass(frozen=True, slots=True)
class LiteralData:
    """Octets of the literal begun last. The view is of the buffer given to `receive`: use it before the next call."""

    data: memoryview


@dataclass(frozen=True, slots=True)
class LiteralEnd:
    """All octets of the literal have come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exists:
    """Number of messages in the selected mailbox; never allocate by it."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expunge:
    """The message at `seq` is gone and the ones behind it move up; EXISTS need not follow."""

    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Vanished:
    """UIDs expunged (RFC 7162 §3.2.10). `is_earlier`: before this session; those do not lower EXISTS."""

    uids: UidSet
    is_earlier: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagsData:
    """FLAGS: what may be set in the selected mailbox."""

    flags: FlagSet


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilityData:
    """CAPABILITY."""

    capabilities: Capabilities


@dataclass(frozen=True, slots=True, kw_only=True)
class EnabledData:
    """ENABLED: extensions switched on, in capitals."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListData:
    r"""LIST or LSUB (`is_lsub`). Attributes are lower case with their backslash; `delimiter` None is NIL.

    `wire_name` is the name as written, unquoted. `children` are the CHILDINFO words; `old_name` OLDNAME.
    """

    wire_name: bytes
    delimiter: str | None
    attributes: frozenset[str]
    is_lsub: bool = False
    children: frozenset[str] = frozenset()
    old_name: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusData:
    """STATUS of one mailbox; items not sent, 0 or absurd are None (counts may be 0)."""

    wire_name: bytes
    message_count: int | None = None
    unseen_count: int | None = None
    uid_next: Uid | None = None
    uid_validity: UidValidity | None = None
    highest_mod_seq: ModSeq | None = None
    size: int | None = None
    deleted_count: int | None = None
    append_limit: int | None = None
    mailbox_id: str | None = None

    def joined(self, earlier: "StatusData") -> "StatusData":
        """This answer, completed by an earlier one: NOTIFY pushes tell only what changed (RFC 5465 §4)."""
        if (
            None not in (self.uid_validity, earlier.uid_validity)
            and self.uid_validity != earlier.uid_validity
        ):
            return self  # another mailbox of the same name: nothing said of the old one holds
        said = {name: getattr(self, name) for name in self.__slots__}
        known = {name: getattr(earlier, name) if value is None else value for name, value in said.items()}
        return StatusData(**known)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchData:
    """SEARCH: the numbers found (UIDs after UID SEARCH)."""

    uids: UidSet
    mod_seq: ModSeq | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EsearchData:
    """ESEARCH (RFC 9051 §7.3.4). `uids` is None unless ALL was asked and something was found."""

    tag: bytes | None
    is_uid: bool
    uids: UidSet | None = None
    count: int | None = None
    lowest: int | None = None
    highest: int | None = None
    mod_seq: ModSeq | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """One prefix and its delimiter."""

    prefix: bytes
    delimiter: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceData:
    """NAMESPACE (RFC 2342): the three lists, empty for NIL."""

    personal: tuple[Namespace, ...]
    others: tuple[Namespace, ...]
    shared: tuple[Namespace, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdData:
    """ID (RFC 2971): what the server says it is; field names in lower case."""

    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaRootData:
    """QUOTAROOT (RFC 9208 §4.3.2): the quota roots of one mailbox."""

    wire_name: bytes
    roots: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaResource:
    """One resource of a root: `STORAGE` counts in units of 1,024 octets, `MESSAGE` in messages."""

    name: str
    used: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaData:
    """QUOTA (RFC 9208 §4.3.1): what one root uses and may use."""

    root: bytes
    resources: tuple[QuotaResource, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherData:
    """Untagged data we do not know, or could not read where that does no harm (`problem` says why).

    `raw` is printable and cut to 512 characters.
    """

    name: str
    raw: str
    problem: str | None = None


Untagged = (
    StatusLine
    | Bye
    | FetchData
    | Exists
    | Expunge
    | Vanished
    | FlagsData
    | CapabilityData
    | EnabledData
    | ListData
    | StatusData
    | SearchData
    | EsearchData
    | NamespaceData
    | IdData
    | QuotaRootData
    | QuotaData
    | OtherData
)
"""What may follow `* ` once the greeting was read."""

Response = Untagged | Tagged | Continuation
"""What the grammar makes of one frame."""
