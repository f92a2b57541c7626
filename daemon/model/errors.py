"""What can go wrong with mail, whose fault it is, how far it reaches and whether to try again.

    MailError
    |- LocalProtocolError        our bug: an illegal move in a protocol state          never
    |- RemoteProtocolError       the server broke its protocol                         reconnect
    |- ServerRefused             NO, BAD or -ERR with its response code                later
    |  |- Throttled              asked to slow down, with seconds where told           later
    |- ConnectionLost            closed, reset, deadline passed, name not found        reconnect
    |- TlsFailed                 no trust in the line; no credential was sent          later
    |- AuthenticationFailed      the credential is not accepted                        never
    |- CredentialUnavailable     the secret could not be read                          later
    |- UidValidityChanged        every UID known of this mailbox is void               resync
    |- MessageUnavailable        this one message cannot be had                        later
    |- StoreError                the local disk or database                            later
    |  |- StoreInUse             another process holds the lock                        never
    |  |- StoreForeign           tree missing, empty or of another store               never
    |- NotFound                  no such account, message or operation                 never
    |- InvalidRequest            what was asked for cannot be done as it stands        never
    |- ConfigError               problems in the configuration, all of them            never

`reason` is a stable code for status, events and dashboards; `str()` is the sentence for a person. Server words
are quoted data: escaped and cut to 512 bytes by whoever raises.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Final


class Retry(StrEnum):
    """When the same thing may be tried again."""

    NEVER = "never"
    RECONNECT = "reconnect"
    LATER = "later"
    RESYNC = "resync"


class Blast(StrEnum):
    """What an error stops; everything larger goes on."""

    MESSAGE = "message"
    MAILBOX = "mailbox"
    ACCOUNT = "account"
    SERVICE = "service"


class MailError(Exception):
    """Root of all errors that callers are expected to handle."""

    retry: ClassVar[Retry] = Retry.LATER
    blast: ClassVar[Blast] = Blast.ACCOUNT
    default_reason: ClassVar[str] = "error"

    def __init__(self, detail: str, *, reason: str | None = None, remedy: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason or self.default_reason
        self.remedy = remedy


class LocalProtocolError(MailError):
    """We asked for something the protocol state does not allow."""

    retry = Retry.NEVER
    default_reason = "internal"


class RemoteProtocolError(MailError):
    """The server sent what no grammar or limit allows; the connection is of no further use."""

    retry = Retry.RECONNECT
    default_reason = "protocol"


class ServerRefused(MailError):
    """The server answered NO, BAD or -ERR.

    `code` is the response code's name in capitals (`TRYCREATE`, `IN-USE`) or None; `status` the word itself.
    """

    blast = Blast.MAILBOX
    default_reason = "refused"

    def __init__(
        self,
        detail: str,
        *,
        status: str,
        code: str | None = None,
        reason: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(detail, reason=reason, remedy=remedy)
        self.status = status
        self.code = code


class Throttled(ServerRefused):
    """The server asks for patience; `retry_after_seconds` where it says how much."""

    blast = Blast.ACCOUNT
    default_reason = "throttled"

    def __init__(
        self, detail: str, *, status: str, code: str | None = None, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(detail, status=status, code=code)
        self.retry_after_seconds = retry_after_seconds


class ConnectionLost(MailError):
    """The line is gone, or never came to be. Reasons: dns, refused, unreachable, timeout, closed, not_imap, too_slow,
    compress_broken.
    """

    retry = Retry.RECONNECT
    default_reason = "closed"


class TlsFailed(MailError):
    """The line cannot be trusted. Reasons: tls_expired, tls_not_yet_valid, tls_hostname, tls_untrusted, tls_handshake,
    starttls_missing, starttls_injection.
    """

    default_reason = "tls_handshake"


class AuthenticationFailed(MailError):
    """The server does not accept who we say we are."""

    retry = Retry.NEVER
    default_reason = "auth_failed"


class CredentialUnavailable(MailError):
    """The password command, file or variable gave nothing usable."""

    default_reason = "credential_unavailable"


class UidValidityChanged(MailError):
    """The mailbox was recreated or renumbered; nothing downstream may run with the UIDs known so far."""

    retry = Retry.RESYNC
    blast = Blast.MAILBOX
    default_reason = "uidvalidity_changed"


class MessageUnavailable(MailError):
    """One message cannot be fetched or sent; it is retried by itself and holds up nothing."""

    blast = Blast.MESSAGE
    default_reason = "message_unavailable"


class StoreError(MailError):
    """The local disk or database refused. Reasons: disk_full, store_readonly, store_io, store_damaged, store_newer."""

    default_reason = "store_io"


class StoreInUse(StoreError):
    """Another process owns the store; `pid` is its id where known."""

    retry = Retry.NEVER
    blast = Blast.SERVICE
    default_reason = "store_in_use"

    def __init__(self, detail: str, *, pid: int | None) -> None:
        super().__init__(detail)
        self.pid = pid


class StoreForeign(StoreError):
    """The tree is missing, empty or marked with another store's id: nothing may be inferred from it or written to it."""

    retry = Retry.NEVER
    default_reason = "store_foreign"


class NotFound(MailError):
    """What was named does not exist. Reasons: account_unknown, message_unknown, mailbox_unknown, operation_unknown."""

    retry = Retry.NEVER
    blast = Blast.MESSAGE
    default_reason = "not_found"


_LIKE_AN_ACCOUNT: Final = re.compile(r"[A-Za-z0-9_-]{1,32}\Z")


def no_account(asked: str, known: Iterable[str]) -> NotFound:
    """For an account that nobody has; named only if an account could be: the text may come from anywhere."""
    name = repr(asked) if _LIKE_AN_ACCOUNT.match(asked) else "of that name"
    return NotFound(
        f"there is no account {name}",
        reason="account_unknown",
        remedy=f"there are: {', '.join(sorted(known)) or 'none'}",
    )


class InvalidRequest(MailError):
    """What was asked for cannot be done as it stands; nothing was changed. Reasons: flag_invalid, flags_contradict,
    flags_empty, limit_invalid.
    """

    retry = Retry.NEVER
    blast = Blast.MESSAGE
    default_reason = "invalid_request"


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One mistake: where it stands, what is wrong and what to do."""

    file: Path | None
    key: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.file}: " if self.file else ""
        return f"{where}{self.key}: {self.problem}; {self.remedy}"


class ConfigError(MailError):
    """The configuration cannot be used; `problems` has every mistake found, in the order of the file."""

    retry = Retry.NEVER
    blast = Blast.SERVICE
    default_reason = "config"

    def __init__(self, problems: tuple[ConfigProblem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
