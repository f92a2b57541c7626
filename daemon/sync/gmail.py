r"""Gmail's own idea of deletion: EXPUNGE takes a label off, and a message without labels is merely archived.

So what is deleted for good is moved to \Trash, unless another label keeps it in a mailbox besides All Mail: then only
the label goes (sync.md 2). Asked of the server at the moment of the deletion, because labels change without a trace here.
"""

from typing import Final

from daemon.model.ids import INBOX
from daemon.model.mailbox import MailboxRecord, SpecialUse
from daemon.model.uidset import UidSet
from daemon.net.imap.client import ImapClient

CAPABILITY: Final = "X-GM-EXT-1"
_NO_MAILBOX: Final = frozenset({b"\\important", b"\\starred", b"\\muted"})
"""Labels whose mailboxes are views over other mailboxes, or none at all."""

_ROLES: Final = {SpecialUse.SENT: b"\\sent", SpecialUse.DRAFTS: b"\\draft"}
_FOR_GOOD: Final = frozenset({SpecialUse.TRASH, SpecialUse.JUNK})


def needs_trash(client: ImapClient, record: MailboxRecord) -> bool:
    """Whether EXPUNGE would leave behind what was to be deleted."""
    return client.caps.has(CAPABILITY) and record.special_use not in _FOR_GOOD


async def without_other_labels(client: ImapClient, record: MailboxRecord, uids: UidSet) -> UidSet:
    """Those that are in no other mailbox but All Mail; the mailbox is selected."""
    labels = await client.labels_of(uids)
    own = _own_labels(record) | _NO_MAILBOX
    return UidSet(uid for uid, found in labels.items() if not {label.lower() for label in found} - own)


def _own_labels(record: MailboxRecord) -> frozenset[bytes]:
    """What the mailbox itself is called among labels, where the server lists it at all."""
    own = {record.wire_name.lower()}
    if record.name == INBOX:
        own.add(b"\\inbox")
    if record.special_use in _ROLES:
        own.add(_ROLES[record.special_use])
    return frozenset(own)
