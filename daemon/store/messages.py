"""Signatures; bodies follow."""
from __future__ import annotations
from daemon.model.ids import AccountId, MailboxName, MaildirName, MessageId
from daemon.model.message import Message, MessagePage, MessageQuery

class MessageRoom:
    async def page(self, query: MessageQuery) -> MessagePage: ...
    async def get(self, message_id: MessageId) -> Message:
        """Raises NotFound(reason=message_unknown)."""
    async def by_name(self, account: AccountId, mailbox: MailboxName, maildir_name: MaildirName) -> Message | None: ...
