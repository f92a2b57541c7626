"""Signatures; bodies follow."""
from __future__ import annotations
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from daemon.model.flags import NO_FLAGS, FlagSet
from daemon.model.ids import AccountId, MailboxName, MaildirName, MessageId, Uid, UidValidity
from daemon.model.operations import Intent, IntentKind

@dataclass(frozen=True, slots=True, kw_only=True)
class NewIntent:
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

class IntentRoom:
    async def open(self, intents: Sequence[NewIntent]) -> tuple[Intent, ...]: ...
    async def close(self, ids: Collection[int], *, remember: bool = True) -> None: ...
    async def pending(self, account: AccountId) -> tuple[Intent, ...]: ...
    async def count_attempt(self, ids: Collection[int]) -> None: ...
    async def names(self, account: AccountId, mailbox: MailboxName) -> Mapping[MaildirName, MessageId]: ...
    async def remember(self, account: AccountId, mailbox: MailboxName, names: Mapping[MaildirName, MessageId]) -> None: ...
