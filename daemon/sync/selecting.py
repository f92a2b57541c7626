"""Selecting a mailbox for what is to be done in it, under the UIDVALIDITY that its UIDs belong to."""

from daemon.model.errors import Blast, ServerRefused
from daemon.model.ids import UidValidity
from daemon.model.mailbox import MailboxRecord
from daemon.net.imap.client import ImapClient


class NotSelected(ServerRefused):
    """The mailbox could not be selected, or is not the one that was looked at: nothing was asked of its messages.

    It may have been renamed or made anew a moment ago; the next listing says so, and what was to be done waits for it.
    """


async def select_for_change(client: ImapClient, record: MailboxRecord, *, for_reading: bool = False) -> None:
    """Have this mailbox selected; for changes unless told otherwise.

    Raises:
        NotSelected: It cannot be selected, or its UIDs are void (uidvalidity_changed).
        ServerRefused: It can only be read (read_only).
    """
    selection = client.selection
    if selection is None or selection.wire_name != record.wire_name:
        try:
            selection = await client.select(record.wire_name)
        except ServerRefused as refusal:
            if refusal.blast is not Blast.MAILBOX:
                raise
            raise NotSelected(
                str(refusal), status=refusal.status, code=refusal.code, reason=refusal.reason
            ) from refusal
    same_validity(record, selection.uid_validity)
    if selection.is_read_only and not for_reading:
        raise ServerRefused(f"{record.name} can only be read on the server", status="NO", reason="read_only")


def same_validity(record: MailboxRecord, validity: UidValidity | None) -> UidValidity:
    """The UIDVALIDITY that server and record agree on; NotSelected where they do not: the next pass resets."""
    if validity is None or (record.uid_validity is not None and validity != record.uid_validity):
        raise NotSelected(
            f"UIDVALIDITY of {record.name} changed during the pass", status="OK", reason="uidvalidity_changed"
        )
    return validity
