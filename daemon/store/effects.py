"""Effects: what a change in the state database does to the index.

The two files cannot commit together. So the effect is written beside its cause, in the state transaction; the index
transaction applies it and records its number; the note in the state database is removed some time later. A crash
anywhere between leaves a note that is applied when the store is opened, and a number that keeps it from being applied
twice (events would be doubled, all else is idempotent anyway).
"""

from dataclasses import dataclass

import orjson

from daemon.model.events import EventName, NewEvent
from daemon.model.flags import Flag, FlagSet
from daemon.model.ids import AccountId, MailboxName, MessageId


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagChange:
    """Flags to be added and removed from what is shown of a message."""

    message_id: MessageId
    add: FlagSet
    remove: FlagSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Messages to hide, show again, change or remove, in this order, and the events that say so."""

    hide: tuple[MessageId, ...] = ()
    show: tuple[MessageId, ...] = ()
    flags: tuple[FlagChange, ...] = ()
    bury: tuple[MessageId, ...] = ()
    events: tuple[NewEvent, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.hide or self.show or self.flags or self.bury or self.events)

    def to_text(self) -> str:
        """JSON, for the row in the state database."""
        return orjson.dumps(
            {
                "hide": self.hide,
                "show": self.show,
                "flags": [
                    (change.message_id, sorted(change.add), sorted(change.remove)) for change in self.flags
                ],
                "bury": self.bury,
                "events": [
                    (event.name, event.account, event.mailbox, event.message_id, event.data)
                    for event in self.events
                ],
            },
            option=orjson.OPT_NON_STR_KEYS,
        ).decode()

    @classmethod
    def from_text(cls, text: str) -> "Effect":
        """The effect `to_text` wrote."""
        raw = orjson.loads(text)
        return cls(
            hide=tuple(map(MessageId, raw["hide"])),
            show=tuple(map(MessageId, raw["show"])),
            flags=tuple(
                FlagChange(
                    message_id=MessageId(message_id),
                    add=frozenset(map(Flag, add)),
                    remove=frozenset(map(Flag, remove)),
                )
                for message_id, add, remove in raw["flags"]
            ),
            bury=tuple(map(MessageId, raw["bury"])),
            events=tuple(
                NewEvent(
                    name=EventName(name),
                    account=AccountId(account),
                    mailbox=MailboxName(mailbox) if mailbox is not None else None,
                    message_id=MessageId(message_id) if message_id is not None else None,
                    data=data,
                )
                for name, account, mailbox, message_id, data in raw["events"]
            ),
        )
