"""Selecting a mailbox for what is to be done in it, under the UIDVALIDITY that its UIDs belong to."""

from daemon.model.errors import ServerRefused
from daemon.model.ids import UidValidity
from daemon.model.mailbox import MailboxRecord
from daemon.net.imap.client import ImapClient

VALIDITY_CHANGED = "uidvalidity_changed"


async def select_for_change(client: ImapClient, record: MailboxRecord, *, for_reading: bool = False) -> None:
    """Have this mailbox selected; for changes unless told otherwise.

    Raises:
        ServerRefused: It cannot be selected, only be read (read_only), or its UIDs are void (uidvalidity_changed).
    """
    selection = client.selection
    if selection is None or selection.wire_name != record.wire_name:
        selection = await client.select(record.wire_name)
    same_validity(record, selection.uid_validity)
    if selection.is_read_only and not for_reading:
        raise ServerRefused(f"{record.name} can only be read on the server", status="NO", reason="read_only")


def same_validity(record: MailboxRecord, validity: UidValidity | None) -> UidValidity:
    """The UIDVALIDITY that server and record agree on; ServerRefused where they do not: the next pass resets."""
    if validity is None or (record.uid_validity is not None and validity != record.uid_validity):
        raise ServerRefused(
            f"UIDVALIDITY of {record.name} changed during the pass", status="OK", reason=VALIDITY_CHANGED
        )
    return validity
