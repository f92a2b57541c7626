"""What a person wants and a protocol cannot give: said plainly, with the next best thing. Pure."""

from daemon.model.advice import Wants
from daemon.probe.facts import expiry
from daemon.probe.looks import Pop3Look

BOTH_CANNOT_BE_HAD = (
    "Keeping the server empty takes the mail away from your other devices: both together cannot be had."
)


def unmet_by_imap(wants: Wants, pop3: Pop3Look | None) -> list[str]:
    """Sentences on the wishes that IMAP does not fulfil; `pop3` is None where the server does not speak it."""
    elsewhere = (
        "POP3 does that"
        if pop3 is not None
        else "That is what POP3 is for, and it does not answer there; some providers switch it on in their settings"
    )
    found: list[str] = []
    if wants.is_server_to_be_emptied:
        nameless = "POP3 cannot do it there either, as it gives messages no lasting names"
        found.append(
            "You want the server kept empty. "
            f"{nameless if pop3 is not None and pop3.has_uidl is False else elsewhere}. IMAP keeps both sides the "
            "same, so that mail stays on the server as long as it is in this account here. To make room there, move "
            "mail in your mail program from this account into one that is on this machine only: here it is kept, and "
            "there it is removed."
        )
        if wants.has_several_devices:
            found.append(BOTH_CANNOT_BE_HAD)
    if wants.are_deletions_to_stay_local:
        found.append(
            f"You want what you delete here to stay on the server. {elsewhere}. With IMAP a deletion here reaches the "
            'server, so the lines below say delete = "trash": it is moved to the trash there, where you find it again. '
            'On a server without a trash write delete = "mark": then it stays where it is, marked as deleted.'
        )
    if wants.is_line_slow:
        found.append(
            "Your line is slow or metered, and IMAP fetches every mailbox once. To fetch the inbox only, add the line "
            'mailboxes = ["INBOX"].'
        )
    return found


def unmet_by_pop3(pop3: Pop3Look, wants: Wants, *, has_imap: bool) -> list[str]:
    """Sentences on the wishes that POP3 does not fulfil. `has_imap`: the server speaks IMAP as well."""
    elsewhere = (
        "IMAP does that"
        if has_imap
        else "That would need IMAP, which does not answer there; some providers switch it "
        "on in their settings"
    )
    found: list[str] = []
    if wants.has_several_devices:
        found.append(
            "You read mail on several devices. What you read or delete here will not show on the others. "
            f"{elsewhere}."
        )
        if wants.is_server_to_be_emptied:
            found.append(BOTH_CANNOT_BE_HAD)
    if wants.is_server_to_be_emptied and pop3.has_uidl is False:
        found.append(
            "You want the server kept empty, which cannot be done here: it gives messages no lasting names, and without "
            "them this program removes nothing there. Empty it on your provider's web page."
        )
    if wants.is_server_to_be_emptied is False and pop3.expire is not None and pop3.expire.days is not None:
        found.append(
            f"You want mail to stay on the server, but the server removes it by itself, {expiry(pop3.expire.days)}: "
            "make backups of the copy here."
        )
    if wants.are_deletions_to_stay_local is False:
        found.append(
            "You want what you delete here to be deleted on the server too. POP3 cannot do that: nothing you do here "
            f"reaches the server. {elsewhere}. {_clearing(pop3, wants)}"
        )
    return found


def _clearing(pop3: Pop3Look, wants: Wants) -> str:
    """What leaves the server all the same."""
    if pop3.has_uidl is False:
        return "What is to leave the server you remove on your provider's web page."
    if wants.is_server_to_be_emptied:
        return "As the server is kept empty, every message is removed there anyway, once it is stored here."
    return (
        'To have old mail removed there, write leave_on_server = "14d": each message goes 14 days after it was first '
        "seen, whether you deleted it here or not."
    )
