"""A message as the API shows it, and the queries that list messages."""

from dataclasses import dataclass

from daemon.model.envelope import Content
from daemon.model.flags import FlagSet
from daemon.model.ids import AccountId, MailboxName, MaildirName, MessageId, Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One content in one mailbox of one account. `internal_date` is seconds since 1970, UTC.

    `maildir_name` and `directory` (relative to the account's tree) say where its file is; the info part is looked up
    when the file is opened, because any program may rename it. `is_hidden` while a deletion is on its way.
    """

    id: MessageId
    account: AccountId
    mailbox: MailboxName
    directory: str
    maildir_name: MaildirName
    uid: Uid | None
    flags: FlagSet
    internal_date: int
    content: Content
    is_hidden: bool = False
    is_unmatched: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageQuery:
    """What to list: newest first. `after` is the place where the last page ended, None for the first."""

    account: AccountId | None = None
    mailbox: MailboxName | None = None
    unread: bool | None = None
    limit: int = 50
    after: tuple[int, MessageId] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePage:
    """One page; `next_after` is None on the last."""

    items: tuple[Message, ...]
    next_after: tuple[int, MessageId] | None
