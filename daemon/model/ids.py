"""Identifiers: what names an account, a mailbox, a message and a place on a server.

A UID means nothing without its mailbox and UIDVALIDITY (RFC 9051 §2.3.1.1).
"""

import re
import secrets
from typing import Final, NewType

AccountId = NewType("AccountId", str)
"""One login on one server: the slug from the config, `[a-z0-9_-]{1,32}`."""

MailboxName = NewType("MailboxName", str)
"""A mailbox, decoded and normalised: `/` between parts whatever the server's delimiter; INBOX in capitals."""

MessageId = NewType("MessageId", str)
"""Our opaque id of a message: 32 lower-case hex digits, random, never reused, kept over moves."""

OperationId = NewType("OperationId", str)
"""One thing a person asked for: 32 lower-case hex digits."""

EventId = NewType("EventId", str)
"""Place in the event journal, `EPOCH-NUMBER`; opaque outside, ordered within one epoch."""

MaildirName = NewType("MaildirName", str)
"""Unique name of a Maildir file: the file name before `:2,`."""

Uid = NewType("Uid", int)
UidValidity = NewType("UidValidity", int)
ModSeq = NewType("ModSeq", int)

INBOX: Final = MailboxName("INBOX")
ACCOUNT_ID_PATTERN: Final = re.compile(r"[a-z0-9_-]{1,32}\Z")
_HEX_ID: Final = re.compile(r"[0-9a-f]{32}\Z")


def new_message_id() -> MessageId:
    """A fresh random 128-bit id."""
    return MessageId(secrets.token_hex(16))


def new_operation_id() -> OperationId:
    """A fresh random 128-bit id."""
    return OperationId(secrets.token_hex(16))


def is_hex_id(text: str) -> bool:
    """Whether `text` has the form of a MessageId or OperationId."""
    return _HEX_ID.match(text) is not None
