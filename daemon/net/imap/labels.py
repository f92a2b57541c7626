"""Gmail's labels: which mailboxes a message is in besides the one that is selected.

X-GM-EXT-1, <https://developers.google.com/workspace/gmail/imap/imap-extensions>. Asked for where it is offered only.
"""

from daemon.model.ids import Uid
from daemon.model.uidset import UidSet
from daemon.net.imap.scanning import listening, run_all
from daemon.net.imap.session import Session
from daemon.wire.imap import commands
from daemon.wire.imap.commands import FetchItem
from daemon.wire.imap.responses import FetchData

CAPABILITY = "X-GM-EXT-1"


async def labels_of(session: Session, uids: UidSet) -> dict[Uid, frozenset[bytes]]:
    r"""Labels as the server writes them (`\Inbox`, `\Sent`, or a mailbox's wire name); unanswered UIDs are left out."""
    found: dict[Uid, frozenset[bytes]] = {}

    def take(data: FetchData) -> bool:
        if data.uid is None or data.gmail_labels is None or data.uid not in uids:
            return False
        found[data.uid] = frozenset(data.gmail_labels)
        return data.flags is None

    with listening(session, take):
        await run_all(
            session,
            (
                commands.uid_fetch(part, [FetchItem.UID, FetchItem.GMAIL_LABELS])
                for part in uids.split(session.set_bytes)
            ),
        )
    return found
