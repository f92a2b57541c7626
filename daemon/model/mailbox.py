"""A mailbox as the store keeps it, as a listing of the server shows it, and as a directory that nobody knows yet."""

from dataclasses import dataclass
from enum import StrEnum

from daemon.model.ids import AccountId, MailboxName, MaildirName, ModSeq, Uid, UidValidity


class SpecialUse(StrEnum):
    r"""Roles of RFC 6154 §2 and `\\Important` of RFC 8457."""

    ALL = "\\All"
    ARCHIVE = "\\Archive"
    DRAFTS = "\\Drafts"
    FLAGGED = "\\Flagged"
    IMPORTANT = "\\Important"
    JUNK = "\\Junk"
    SENT = "\\Sent"
    TRASH = "\\Trash"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteMailbox:
    """One line of LIST, with STATUS where it was asked for.

    `wire_name` is the name exactly as the server wrote it (after unquoting); commands use it, so a name we cannot
    decode still works. Numbers are None where the server did not say. `old_wire_name` is the name it had before, told by
    a server that renamed it (OLDNAME). `unseen_count` is asked for where no mod-sequences tell of flags.
    """

    name: MailboxName
    wire_name: bytes
    delimiter: str | None
    special_use: SpecialUse | None = None
    is_selectable: bool = True
    is_subscribed: bool = False
    uid_validity: UidValidity | None = None
    uid_next: Uid | None = None
    highest_mod_seq: ModSeq | None = None
    message_count: int | None = None
    mailbox_id: str | None = None
    unseen_count: int | None = None
    old_wire_name: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxRecord:
    """What is stored of a mailbox.

    `uid_next` and `highest_mod_seq` are high-water marks: stored last, when every UID below has a row. The mark
    `highest_mod_seq` is the value reported at the start of a completed scan. `directory` is relative to the
    account's tree and never recomputed but by a rename. `is_first_pass_done` separates backfill from new mail.
    `frozen_reason` set means: leave this mailbox alone (gone on the server, gate) until it is cleared. `mailbox_id` is
    the server's own name for it, which survives a rename (RFC 8474 §4); None where the server has none.
    """

    account: AccountId
    name: MailboxName
    wire_name: bytes
    delimiter: str | None
    directory: str
    special_use: SpecialUse | None = None
    uid_validity: UidValidity | None = None
    uid_next: Uid | None = None
    highest_mod_seq: ModSeq | None = None
    message_count: int | None = None
    is_first_pass_done: bool = False
    is_read_only: bool = False
    frozen_reason: str | None = None
    mailbox_id: str | None = None


class Owner(StrEnum):
    """Whose a directory is, by its id file."""

    OURS = "ours"
    NOBODY = "nobody"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """A directory in the tree that no mailbox has. `OURS`: it was renamed, copied, or made by a run that ended early.

    `name` is the mailbox it stands for, None where that cannot be told. Not `is_complete`: it is being made just now.
    """

    directory: str
    name: MailboxName | None
    owner: Owner
    is_complete: bool
    files: frozenset[MaildirName]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxCounts:
    """Messages shown in a mailbox; hidden ones (deletion on its way) do not count."""

    total: int
    unread: int
