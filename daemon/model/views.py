"""The three views of a mailbox that a plan is made from: base, local and remote.

Base is what both sides last agreed on, local is the tree with open operations laid over it, remote is the server.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from daemon.model.flags import NO_FLAGS, FlagSet
from daemon.model.ids import MailboxName, MaildirName, MessageId, ModSeq, Uid, UidValidity
from daemon.model.uidset import UidSet


class BaseState(StrEnum):
    r"""How far both sides agree on a message.

    synced: here and there. failed: there, could not be fetched yet. marked: there with `\\Deleted`, absent here by
    decision. unmatched: here, once on the server, now without a partner: kept, neither sent nor deleted. aside: there,
    and its file lies in a directory of the tree that is not kept in step: neither fetched again nor deleted.
    """

    SYNCED = "synced"
    FAILED = "failed"
    MARKED = "marked"
    UNMATCHED = "unmatched"
    ASIDE = "aside"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseEntry:
    """One message as both sides last agreed on it. `flags` are what the server and the file both had."""

    message_id: MessageId | None
    uid: Uid | None
    maildir_name: MaildirName | None
    flags: FlagSet
    state: BaseState = BaseState.SYNCED
    wire_size: int = 0
    retry_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseView:
    """All base entries of one mailbox under one UIDVALIDITY."""

    mailbox: MailboxName
    uid_validity: UidValidity | None
    uid_next: Uid | None
    highest_mod_seq: ModSeq | None
    entries: tuple[BaseEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalEntry:
    """One file: its unique name, its path relative to the mailbox's directory (`cur/NAME:2,S`) and its flags."""

    maildir_name: MaildirName
    path: str
    flags: FlagSet
    is_ours: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalView:
    """The files of one mailbox, with open operations laid over them.

    `missing` has the names of base whose absence from this mailbox was proved by two complete listings of all
    mailboxes of the account; a name absent from both `entries` and `missing` is undecided and left alone. `lettered_keywords` are the keywords
    that have a letter here; another keyword cannot be shown by a file, so its absence says nothing. `unexplained` are
    files with letters that no map explains: no keyword may be taken as absent from them.
    `deleted_by_name` has the messages whose deletion was asked for over the API, `wished` the flags that were asked to
    be added and removed: they count as the file's own, whether or not its name could show them yet. `ignored` are names that are no new
    messages: open intents, unlinks on their way.
    """

    mailbox: MailboxName
    entries: Mapping[MaildirName, LocalEntry]
    missing: frozenset[MaildirName] = frozenset()
    lettered_keywords: FlagSet = NO_FLAGS
    unexplained: frozenset[MaildirName] = frozenset()
    deleted_by_name: frozenset[MessageId] = frozenset()
    wished: Mapping[MessageId, tuple[FlagSet, FlagSet]] = field(default_factory=dict)
    ignored: frozenset[MaildirName] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteEntry:
    """One message on the server. `internal_date` is seconds since 1970, UTC; `size` is RFC822.SIZE as it was said.

    `email_id` is the server's own name for these octets, the same in every mailbox (EMAILID, X-GM-MSGID); evidence of a
    move where it is known.
    """

    uid: Uid
    flags: FlagSet
    size: int | None = None
    internal_date: int | None = None
    mod_seq: ModSeq | None = None
    email_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteView:
    """What a scan of the server found.

    `changed` has entries that are new or whose flags may have changed. What is gone is known in one of two ways:
    `vanished` is the server's own statement (VANISHED, EXPUNGE resolved), `present` is a complete listing of UIDs
    (None where no listing was made). Marks are the values at the *start* of the scan.
    """

    mailbox: MailboxName
    uid_validity: UidValidity
    uid_next: Uid | None
    highest_mod_seq: ModSeq | None
    message_count: int
    changed: Mapping[Uid, RemoteEntry] = field(default_factory=dict)
    vanished: UidSet = field(default_factory=UidSet)
    present: UidSet | None = None
    permanent_flags: FlagSet | None = None
    accepts_new_keywords: bool = True
    is_read_only: bool = False
