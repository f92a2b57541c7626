"""Mailboxes that are not as they were when they were last looked at, by the server's numbers of this moment. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from daemon.model.ids import INBOX, MailboxName
from daemon.model.mailbox import MailboxRecord, RemoteMailbox
from daemon.sync.mailboxes import KnownMailboxes
from daemon.sync.marks import differs
from daemon.sync.seen import Seen


def behind_in(
    listed: Mapping[MailboxName, RemoteMailbox],
    seen: Mapping[MailboxName, Seen],
    known: KnownMailboxes,
    served: Mapping[MailboxName, MailboxRecord],
) -> tuple[dict[MailboxName, MailboxRecord], frozenset[MailboxName]]:
    """Mailboxes that got messages since they were last looked at, and the names of those that are not served now."""
    behind: dict[MailboxName, MailboxRecord] = {}
    unknown = {INBOX} if INBOX in served and INBOX not in listed else set[MailboxName]()
    for name, mailbox in listed.items():
        record = _as_seen(seen[name]) if name in seen else known.all_records.get(name)
        if record is not None and record.uid_next is not None and record.uid_next == mailbox.uid_next:
            continue
        if record is None or name not in served:
            unknown.add(name)
        else:
            behind[name] = seen[name].record if name in seen else record
    return behind, frozenset(unknown)


def changed_in(
    listed: Mapping[MailboxName, RemoteMailbox],
    seen: Mapping[MailboxName, Seen],
    served: Mapping[MailboxName, MailboxRecord],
    names: frozenset[MailboxName],
) -> dict[MailboxName, MailboxRecord]:
    """Those of these mailboxes that are not as they were when they were last looked at."""
    return {
        name: seen[name].record if name in seen else served[name]
        for name in names
        if name in served
        and name in listed
        and differs(_as_seen(seen[name]) if name in seen else served[name], listed[name])
    }


def _as_seen(one: Seen) -> MailboxRecord:
    """The record with the numbers of this pass's look."""
    remote = one.remote
    return replace(
        one.record,
        uid_validity=remote.uid_validity,
        uid_next=remote.uid_next,
        highest_mod_seq=remote.highest_mod_seq,
        message_count=remote.message_count,
        is_first_pass_done=True,
    )
