"""What the IMAP shell takes and gives: frozen values, no behaviour.

Sequence numbers never appear here; a UID is only as good as the UIDVALIDITY of the selection it came from.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from daemon.model.errors import ServerRefused
from daemon.model.flags import NO_FLAGS, FlagSet
from daemon.model.ids import ModSeq, Uid, UidValidity
from daemon.model.sink import Sink
from daemon.model.uidset import UidSet
from daemon.model.views import RemoteEntry

CompressWish = Literal["off", "auto", "on"]
"""Whether a line is compressed: never, where it is measured to be slow, or always where offered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QresyncSince:
    """What we knew when the mailbox was last synchronised; the server answers with what changed since."""

    uid_validity: UidValidity
    mod_seq: ModSeq
    known_uids: UidSet | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The selected mailbox. `select` returns it as of the tagged OK; `ImapClient.selection` goes on with the server.

    `highest_mod_seq` is None where the server has no mod-sequences for this mailbox. `permanent_flags` None means
    the server did not say, which allows all. `vanished` and `changed` answer `since` and are empty without it.
    """

    wire_name: bytes
    uid_validity: UidValidity
    uid_next: Uid | None
    highest_mod_seq: ModSeq | None
    exists: int
    permanent_flags: FlagSet | None = None
    accepts_new_keywords: bool = True
    is_read_only: bool = False
    vanished: UidSet = field(default_factory=UidSet)
    changed: tuple[RemoteEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusResult:
    """STATUS of one mailbox; None where the server did not say. A NOTIFY push has only what changed."""

    uid_validity: UidValidity | None = None
    uid_next: Uid | None = None
    highest_mod_seq: ModSeq | None = None
    message_count: int | None = None
    unseen_count: int | None = None
    deleted_count: int | None = None
    size: int | None = None
    append_limit: int | None = None
    mailbox_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """Entries of the UIDs asked for, ascending, and what the server says has vanished (QRESYNC only)."""

    entries: tuple[RemoteEntry, ...] = ()
    vanished: UidSet = field(default_factory=UidSet)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedBody:
    """One message, or why there is none.

    Exactly one is set: `octets`; `sink`, which has been ended; or `refusal`, the server's words, asked twice.
    """

    uid: Uid
    octets: bytes | None = None
    sink: Sink | None = None
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendItem:
    """One message to upload. `open_chunks` gives exactly `size` octets in wire form (CRLF)."""

    size: int
    open_chunks: Callable[[], AsyncIterator[bytes]]
    internal_date: int
    flags: FlagSet = NO_FLAGS


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendOutcome:
    """What became of one upload. Without UIDPLUS both numbers are None although it was accepted."""

    uid_validity: UidValidity | None = None
    uid: Uid | None = None
    refusal: ServerRefused | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyResult:
    """Where copies went: old UID to new, in the target's `uid_validity`; None and empty where COPYUID was not sent."""

    uid_validity: UidValidity | None = None
    pairs: Mapping[Uid, Uid] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the server said by itself since the last drain.

    Of the selected mailbox: `vanished`, and `flagged`, whose flags were told. `has_unnamed_change`: flags were told of
    messages that are not among them, so scan the flags.

    The rest comes by NOTIFY and is about all mailboxes. `mailboxes` has those whose numbers were told, by wire name:
    right after `notify` all that are watched, later the ones that changed. `has_listing_change`: mailboxes or
    subscriptions came, went or were renamed, so list them. `has_lost_track`: the server told too much or gave up telling
    (NOTIFICATIONOVERFLOW), so look at all mailboxes, and `notify` again if `ImapClient.has_notify` is False.
    """

    vanished: UidSet = field(default_factory=UidSet)
    flagged: UidSet = field(default_factory=UidSet)
    has_unnamed_change: bool = False
    mailboxes: Mapping[bytes, StatusResult] = field(default_factory=dict)
    has_listing_change: bool = False
    has_lost_track: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """One resource of one quota root: `STORAGE` in units of 1,024 octets, `MESSAGE` in messages."""

    root: bytes
    resource: str
    used: int
    limit: int


class CredentialKind(StrEnum):
    """What the secret of `authenticate` is: a password, or an OAuth access token for the mechanism named or the best."""

    PASSWORD = "password"  # noqa: S105 - a kind of secret, not one
    TOKEN = "token"  # noqa: S105
    OAUTHBEARER = "oauthbearer"
    XOAUTH2 = "xoauth2"


class IdleEnd(StrEnum):
    """Why the wait ended; never what changed."""

    CHANGED = "changed"
    WOKEN = "woken"
    RENEW = "renew"
