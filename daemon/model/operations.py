"""Operations are what a person asked for; intents are what the engine is about to do. Both are durable before the act.

An operation names the message, never the UID (sync.md 16). Later ones on the same message merge.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from daemon.model.flags import NO_FLAGS, FlagSet
from daemon.model.ids import AccountId, MailboxName, MaildirName, MessageId, OperationId, Uid, UidValidity


class OperationKind(StrEnum):
    """What can be asked for."""

    DELETE = "delete"
    FLAGS = "flags"
    MOVE = "move"


class OperationState(StrEnum):
    r"""pending: to be carried out. done: the server has it. marked: left on the server with \\Deleted (no UIDPLUS, or
    configured so). failed: refused, with the reason. uncertain: outcome unknown, never repeated by itself.
    """

    PENDING = "pending"
    DONE = "done"
    MARKED = "marked"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One wish and how far it got. `scope` is `server`, or `local` where the protocol is a one-way street."""

    id: OperationId
    account: AccountId
    message_id: MessageId
    kind: OperationKind
    state: OperationState
    created_at: float
    finished_at: float | None = None
    add: FlagSet = NO_FLAGS
    remove: FlagSet = NO_FLAGS
    target: MailboxName | None = None
    reason: str | None = None
    detail: str | None = None
    scope: str = "server"


NO_VALIDITY: Final = UidValidity(0)
"""Stands where a protocol has no UIDs; no IMAP server may use it (RFC 9051 §9: nz-number)."""


class IntentKind(StrEnum):
    """download: a file will appear under this name. upload: an APPEND may have been sent. move: a file that is here
    will lie in this mailbox, because its message does on the server.
    """

    DOWNLOAD = "download"
    UPLOAD = "upload"
    MOVE = "move"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One act that may or may not have happened. What recovery needs to find out stands in it.

    For a download and a move `uid` is the message's UID, None with `NO_VALIDITY` where it came over POP3; for an upload
    `uid_next` is the mailbox's UIDNEXT before the APPEND
    (None: `known_uids` was the full list, kept by base). `flags` are what both sides will agree on.
    """

    id: int
    kind: IntentKind
    account: AccountId
    mailbox: MailboxName
    uid_validity: UidValidity
    uid: Uid | None = None
    uid_next: Uid | None = None
    maildir_name: MaildirName
    message_id: MessageId
    flags: FlagSet = NO_FLAGS
    file_size: int
    file_sha256: bytes
    wire_size: int
    wire_sha256: bytes
    internal_date: int
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """A message that was removed here by decision. While `is_unlink_pending`, a file of that name is removed on sight."""

    account: AccountId
    mailbox: MailboxName
    maildir_name: MaildirName
    message_id: MessageId
    file_sha256: bytes
    uid_validity: UidValidity | None
    uid: Uid | None
    is_unlink_pending: bool
    at: float
