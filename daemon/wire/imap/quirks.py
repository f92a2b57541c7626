r"""What servers are known to promise and not keep, as data.

A profile is found by host, greeting, ID or capabilities; every row says what it changes and where it was seen. Quirks of
the grammar are marked `QUIRK` where they are tolerated. Add a row and its test; add no branch elsewhere.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from daemon.wire.imap.capabilities import Capabilities

DEFAULT_LINE_BYTES: Final = 8000  # RFC 7162 §4 asks servers to take 8,192
DEFAULT_IN_FLIGHT: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How to treat one server.

    Args:
        name: Of the rows that apply, for logs.
        disabled: Capabilities not to be believed; hand them to `ImapConnection.disable`.
        command_line_bytes: Longest command line; UID sets are split to fit.
        max_in_flight: Commands in flight at the same time.
        identify_before_login: Send ID before login as well as after.
        recheck_capabilities: Ask CAPABILITY after login although the answer carried them.
        unavailable_notice: Sent in place of a message that cannot be read, with OK; never to be taken for the message.
        garbles_mailbox_id: STATUS answers MAILBOXID with octets that mean nothing and may break the line: never ask it.
    """

    name: str = ""
    disabled: frozenset[str] = frozenset()
    command_line_bytes: int = DEFAULT_LINE_BYTES
    max_in_flight: int = DEFAULT_IN_FLIGHT
    identify_before_login: bool = False
    recheck_capabilities: bool = False
    garbles_mailbox_id: bool = False
    unavailable_notice: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """One row. Patterns are searched in lower case; a row applies when any of them is found."""

    name: str
    source: str
    host: str | None = None
    greeting: str | None = None
    identity: str | None = None
    capability: str | None = None
    disabled: frozenset[str] = frozenset()
    command_line_bytes: int = DEFAULT_LINE_BYTES
    max_in_flight: int = DEFAULT_IN_FLIGHT
    identify_before_login: bool = False
    recheck_capabilities: bool = False
    garbles_mailbox_id: bool = False
    unavailable_notice: bytes | None = None


_QRESYNC: Final = frozenset({"QRESYNC"})

QUIRKS: Final[tuple[Quirk, ...]] = (
    Quirk(
        name="icloud",
        # Not XAPPLEPUSHSERVICE: Fastmail, WildDuck and Dovecot with a plugin offer that too, and keep their word.
        source="Mailspring-Sync PR 91, Wino-Mail#43 (VANISHED), nextcloud/mail PR 9454 (ESEARCH); greetings: MailKit#295, "
        "nextcloud/mail#3401",
        host=r"(^|\.)(mail\.me\.com|icloud\.com)$",
        greeting=r"\biscream|\.me\.com\b",
        disabled=frozenset({"QRESYNC", "ESEARCH"}),
        recheck_capabilities=True,
    ),
    Quirk(
        name="yahoo",
        source="MailKit ImapEngine (1,000 bytes a command), whiteout imap-client#40 (HIGHESTMODSEQ of its own)",
        host=r"(^|\.)imap(-mail)?\.(mail\.)?(yahoo|aol|aim|verizon)\.(com|net|co\.jp)$",
        capability=r"^xymhighestmodseq$",
        command_line_bytes=1000,
        disabled=frozenset({"QRESYNC", "CONDSTORE"}),
    ),
    Quirk(
        name="netease",
        source="imapclient#544, himalaya#651, roundcube#9414: SELECT Unsafe Login until ID is sent",
        host=r"(^|\.)(163|126|188|vip\.163)\.com$|(^|\.)yeah\.net$",
        greeting=r"coremail",
        identify_before_login=True,
    ),
    Quirk(
        name="cyrus",
        source="cyrus-imapd#4944: freed memory as MAILBOXID (Debian 12 has it)",
        greeting=r"cyrus imap",
        identity=r"cyrus",
        garbles_mailbox_id=True,
    ),
    Quirk(
        name="cyrus murder",
        source="cyrus-imapd#4787: the VANISHED modifier is BAD through a proxy",
        greeting=r"cyrus imap murder",
        capability=r"^mupdate=",
        disabled=_QRESYNC,
    ),
    Quirk(
        name="courier",
        source="Courier 5.0.13, seen 2026-11: FETCH of a message that was removed or cannot be opened gives this and OK",
        greeting=r"courier-imap ready",
        unavailable_notice=b"From: System Administrator <root@localhost>\r\nSubject: message unavailable\r\n\r\n"
        b"This message is no longer available on the server.\r\n",
    ),
    Quirk(
        name="exchange",
        source="geary, bgo 766552: some fifty STATUS in flight break its parser; imapflow list.js: LSUB refused in rev2 mode",
        greeting=r"microsoft exchange",
        host=r"(^|\.)(outlook\.office365\.com|outlook\.com|office365\.us)$",
        max_in_flight=20,
        disabled=frozenset({"IMAP4REV2"}),
    ),
    Quirk(
        name="proton bridge",
        source="MailKit#674: BAD on LIST with SPECIAL-USE",
        identity=r"proton",
        greeting=r"proton ?mail bridge|gluon",
        disabled=frozenset({"LIST-EXTENDED"}),
    ),
    Quirk(
        name="strato",
        source="MailKit#1957: LIST-EXTENDED returns nothing",
        host=r"(^|\.)strato\.(de|com|nl)$",
        disabled=frozenset({"LIST-EXTENDED", "LIST-STATUS"}),
    ),
    Quirk(
        name="smartermail",
        source="closeio/sync-engine#504: CONDSTORE without MODSEQ",
        greeting=r"smartermail",
        identity=r"smartermail",
        disabled=frozenset({"CONDSTORE", "QRESYNC"}),
    ),
    Quirk(
        name="hmailserver",
        source="parsedmarc#302: UID EXPUNGE is BAD",
        greeting=r"hmailserver|^imaprev1$",
        disabled=frozenset({"UIDPLUS"}),
    ),
)


def profile(
    *,
    host: str = "",
    greeting: str = "",
    identity: Mapping[str, str] | None = None,
    capabilities: Capabilities | None = None,
) -> Profile:
    """Everything known of this server, joined; the default where nothing is."""
    id_text = " ".join((identity or {}).values()).lower()
    names = capabilities.names if capabilities is not None else frozenset()
    found = [
        row
        for row in QUIRKS
        if _is_in(row.host, host)
        or _is_in(row.greeting, greeting)
        or _is_in(row.identity, id_text)
        or any(_is_in(row.capability, name) for name in names)
    ]
    if not found:
        return Profile()
    return Profile(
        name=", ".join(row.name for row in found),
        disabled=frozenset[str]().union(*(row.disabled for row in found)),
        command_line_bytes=min(row.command_line_bytes for row in found),
        max_in_flight=min(row.max_in_flight for row in found),
        identify_before_login=any(row.identify_before_login for row in found),
        recheck_capabilities=any(row.recheck_capabilities for row in found),
        garbles_mailbox_id=any(row.garbles_mailbox_id for row in found),
        unavailable_notice=next((row.unavailable_notice for row in found if row.unavailable_notice), None),
    )


def _is_in(pattern: str | None, text: str) -> bool:
    return pattern is not None and bool(text) and re.search(pattern, text.lower()) is not None
