"""Events: what happened to mail and accounts, in the order in which it became durable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from daemon.model.ids import AccountId, EventId, MailboxName, MessageId

EventData = Mapping[str, object]


class EventName(StrEnum):
    """Names that subscribers rely on; add to them, change none."""

    MESSAGE_NEW = "message.new"
    MESSAGE_FLAGS = "message.flags"
    MESSAGE_MOVED = "message.moved"
    MESSAGE_DELETED = "message.deleted"
    MAILBOX_CREATED = "mailbox.created"
    MAILBOX_RENAMED = "mailbox.renamed"
    MAILBOX_REMOVED = "mailbox.removed"
    MAILBOX_RESET = "mailbox.reset"
    ACCOUNT_STATE = "account.state"
    SYNC_STARTED = "sync.started"
    SYNC_PROGRESS = "sync.progress"
    SYNC_FINISHED = "sync.finished"
    SYNC_FAILED = "sync.failed"
    DELETION_HELD = "deletion.held"
    OP_APPLIED = "op.applied"
    OP_FAILED = "op.failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event about to be written; the writer gives it id and time in the transaction that makes it true."""

    name: EventName
    account: AccountId
    mailbox: MailboxName | None = None
    message_id: MessageId | None = None
    data: EventData = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the journal; `at` is seconds since 1970, UTC."""

    id: EventId
    name: EventName
    account: AccountId
    mailbox: MailboxName | None
    message_id: MessageId | None
    at: float
    data: EventData
