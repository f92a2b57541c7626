"""NOTIFY: one connection that hears of every mailbox. RFC 5465.

What is told arrives as `Heard.mailboxes`, `has_listing_change` and `has_lost_track`, by way of `idle`. Whether a server
that accepted NOTIFY keeps its word is not judged here.
"""

from daemon.net.imap.session import Session
from daemon.wire.imap import notify as wire
from daemon.wire.imap.notify import MESSAGES, Group, Watched


async def notify(session: Session) -> None:
    """Ask to be told of all mailboxes that are ours.

    QUIRK Dovecot 2.3.19, seen 2026-11, tests/net/imap/test_notifying.py: after a second NOTIFY SET it tells of the selected mailbox
    only. So it is not sent twice.
    """
    if session.is_notifying:
        return
    session.is_notifying = True  # the numbers of all mailboxes come before the answer
    groups = [Group(watched=_selected(session), notices=MESSAGES), Group(watched=Watched.PERSONAL)]
    try:
        await session.run(wire.notify_set(groups, with_status=True))
    except BaseException:
        session.is_notifying = False
        raise


async def be_silent(session: Session) -> None:
    """Ask to be told nothing of other mailboxes any more, and of the selected one as without NOTIFY."""
    session.is_notifying = False
    # NONE would also stop what a server without NOTIFY tells of the selected mailbox (RFC 5465 §3.1)
    await session.run(wire.notify_set([Group(watched=_selected(session), notices=MESSAGES)]))


def _selected(session: Session) -> Watched:
    """Delayed where IDLE lets expunges out: then none comes in the middle of a FETCH, as without NOTIFY."""
    return Watched.SELECTED_DELAYED if session.caps.has("IDLE") else Watched.SELECTED
