"""NOTIFY: one connection that hears of every mailbox. RFC 5465.

What is told arrives as `Heard.mailboxes`, `has_listing_change` and `has_lost_track`, by way of `idle`. Whether a server
that accepted NOTIFY keeps its word is not judged here: `ImapClient.push_count` counts what it told.
"""

from collections.abc import Sequence

from daemon.net.imap.session import Session
from daemon.wire.imap import notify as wire
from daemon.wire.imap.notify import EVERYTHING, MESSAGES, Group, Notice, Watched


async def notify(session: Session, mailboxes: Sequence[bytes] | None) -> None:
    """Ask to be told of these mailboxes, or of all that are ours; replaces what was asked before.

    QUIRK Dovecot 2.3.19, seen 2026-11, tests/net/imap/test_notifying.py: after a second NOTIFY SET it tells of the selected mailbox
    only. So the same wish is not sent twice, and another wish is better made on a new line.
    """
    wish = None if mailboxes is None else tuple(mailboxes)
    if session.is_notifying and session.notify_wish == wish:
        return
    session.notify_wish = wish
    session.is_notifying = True  # the numbers of all mailboxes come before the answer
    try:
        await session.run(wire.notify_set(_groups(session, mailboxes), with_status=True))
    except BaseException:
        session.is_notifying = False
        raise


async def be_silent(session: Session) -> None:
    """Ask to be told nothing of other mailboxes any more, and of the selected one as without NOTIFY."""
    session.is_notifying = False
    # NONE would also stop what a server without NOTIFY tells of the selected mailbox (RFC 5465 §3.1)
    await session.run(wire.notify_set([Group(watched=_selected(session), notices=MESSAGES)]))


def _groups(session: Session, mailboxes: Sequence[bytes] | None) -> list[Group]:
    own = Group(watched=_selected(session), notices=MESSAGES)
    if not mailboxes or sum(len(name) + 3 for name in mailboxes) > session.set_bytes:
        return [own, Group(watched=Watched.PERSONAL)]
    tree = Group(watched=Watched.PERSONAL, notices=(Notice.MAILBOX_NAME, Notice.SUBSCRIPTION_CHANGE))
    return [own, Group(watched=Watched.MAILBOXES, notices=EVERYTHING, mailboxes=mailboxes), tree]


def _selected(session: Session) -> Watched:
    """Delayed where IDLE lets expunges out: then none comes in the middle of a FETCH, as without NOTIFY."""
    return Watched.SELECTED_DELAYED if session.caps.has("IDLE") else Watched.SELECTED
