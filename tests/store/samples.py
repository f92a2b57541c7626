"""Values that the tests of the store are made of."""

import hashlib
from collections.abc import Sequence

from daemon.model.envelope import Content, Envelope
from daemon.model.events import EventName, NewEvent
from daemon.model.flags import NO_FLAGS, FlagSet
from daemon.model.ids import INBOX, AccountId, MailboxName, MaildirName, MessageId, Uid, UidValidity
from daemon.model.mailbox import MailboxRecord
from daemon.model.operations import (
    Intent,
    IntentKind,
    Operation,
    OperationKind,
    OperationState,
    Tombstone,
)
from daemon.store.base import Arrival
from daemon.store.intents import NewIntent
from daemon.store.store import Store

WORK = AccountId("work")
HOME = AccountId("home")
ARCHIVE = MailboxName("Archive")
VALIDITY = UidValidity(17)


class HandClock:
    """A clock that moves when told."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.wall = now
        self.steady = 0.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady


def message_id(number: int) -> MessageId:
    return MessageId(f"{number:032x}")


def operation_id(number: int):
    return f"{number:032x}"


def maildir_name(number: int) -> MaildirName:
    return MaildirName(f"1700000000.M{number}P1.host")


def content(number: int, *, bare_lf: bool = False) -> Content:
    digest = hashlib.sha256(str(number).encode()).digest()
    return Content(
        file_size=1000 + number,
        file_sha256=digest,
        wire_size=1000 + number + 7 * bare_lf,
        wire_sha256=hashlib.sha256(digest).digest() if bare_lf else digest,
        header_sha256=hashlib.sha256(b"header" + digest).digest(),
        envelope=Envelope(
            subject=f"Subject {number}",
            sender="Ada <ada@example.com>",
            recipients="bob@example.com",
            message_id_header=f"<{number}@example.com>",
            date_header=1_600_000_000 + number,
        ),
    )


def arrival(number: int, *, uid: int | None = -1, flags: FlagSet = NO_FLAGS, **changes) -> Arrival:
    values = {
        "message_id": message_id(number),
        "uid": Uid(number if uid == -1 else uid) if uid is not None else None,
        "maildir_name": maildir_name(number),
        "flags": flags,
        "content": content(number),
        "internal_date": 1_600_000_000 + number,
    }
    return Arrival(**(values | changes))


def mailbox(account: AccountId = WORK, name: MailboxName = INBOX, **changes) -> MailboxRecord:
    values = {
        "account": account,
        "name": name,
        "wire_name": name.encode(),
        "delimiter": "/",
        "directory": "." if name == INBOX else f".{name}",
        "uid_validity": VALIDITY,
    }
    return MailboxRecord(**(values | changes))


def new_message(number: int, account: AccountId = WORK) -> NewEvent:
    return NewEvent(
        name=EventName.MESSAGE_NEW,
        account=account,
        mailbox=INBOX,
        message_id=message_id(number),
        data={"subject": f"Subject {number}"},
    )


def event(name: EventName = EventName.SYNC_FINISHED, account: AccountId = WORK, **changes) -> NewEvent:
    return NewEvent(name=name, account=account, **changes)


def new_intent(number: int, kind: IntentKind = IntentKind.DOWNLOAD, **changes) -> NewIntent:
    values = {
        "kind": kind,
        "account": WORK,
        "mailbox": INBOX,
        "uid_validity": VALIDITY,
        "uid": Uid(number) if kind is IntentKind.DOWNLOAD else None,
        "uid_next": None if kind is IntentKind.DOWNLOAD else Uid(number),
        "maildir_name": maildir_name(number),
        "message_id": message_id(number),
        "file_size": 10,
        "file_sha256": b"f" * 32,
        "wire_size": 12,
        "wire_sha256": b"w" * 32,
        "internal_date": 1_600_000_000,
    }
    return NewIntent(**(values | changes))


def ids_of(intents: Sequence[Intent]) -> list[int]:
    return [intent.id for intent in intents]


def operation(number: int, message: int, kind: OperationKind = OperationKind.DELETE, **changes) -> Operation:
    values = {
        "id": operation_id(number),
        "account": WORK,
        "message_id": message_id(message),
        "kind": kind,
        "state": OperationState.PENDING,
        "created_at": 1_700_000_000.25,
    }
    return Operation(**(values | changes))


def tombstone(number: int, **changes) -> Tombstone:
    values = {
        "account": WORK,
        "mailbox": INBOX,
        "maildir_name": maildir_name(number),
        "message_id": message_id(number),
        "file_sha256": content(number).file_sha256,
        "uid_validity": VALIDITY,
        "uid": Uid(number),
        "is_unlink_pending": True,
        "at": 1_700_000_000.5,
    }
    return Tombstone(**(values | changes))


async def fill(
    store: Store, numbers: Sequence[int], *, account: AccountId = WORK, name: MailboxName = INBOX, **changes
) -> None:
    """A mailbox with messages of these numbers."""
    if await store.mailboxes.get(account, name) is None:
        await store.mailboxes.save(mailbox(account, name))
    await store.base.confirm(account, name, VALIDITY, [arrival(number, **changes) for number in numbers])
