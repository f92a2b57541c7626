"""Marks of a mailbox (UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ, how many) held against what the server says of them. Pure."""

from dataclasses import replace

from daemon.model.mailbox import MailboxRecord, RemoteMailbox


def differs(record: MailboxRecord, listed: RemoteMailbox) -> bool:
    """Whether the server's word about a mailbox is other than the marks of its last complete scan."""
    return (
        not record.is_first_pass_done
        or record.uid_validity != listed.uid_validity
        or record.uid_next != listed.uid_next
        or record.highest_mod_seq != listed.highest_mod_seq
        or record.message_count != listed.message_count
    )


def unmarked(record: MailboxRecord) -> MailboxRecord:
    """The record without the mark that spares a complete comparison."""
    return replace(record, highest_mod_seq=None)


def went_back(mark: int | None, now: int | None) -> bool:
    return mark is not None and now is not None and now < mark
