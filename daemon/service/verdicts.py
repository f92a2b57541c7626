"""From an error to what it means for the account: the event for the state table, words for a person, when to retry.

Pure. Errors that stop only a message or a mailbox never get here; sync records them. `LocalProtocolError` does not
either: our own bugs go up to the supervisor.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from daemon.model.errors import (
    AuthenticationFailed,
    CredentialUnavailable,
    MailError,
    ServerRefused,
    StoreError,
    StoreForeign,
    Throttled,
    TlsFailed,
)
from daemon.service.states import AccountEvent


class LoginSpent(AuthenticationFailed):
    """This secret has been refused as often as is allowed: nothing was sent, or nothing will be any more."""


class Wait(StrEnum):
    """Which rule says when to try again."""

    BACKOFF = "backoff"
    TRUST = "trust"
    THROTTLE = "throttle"
    STORE = "store"
    HELD = "held"
    CREDENTIAL = "credential"
    LOGIN = "login"
    LASTING = "lasting"
    PERSON = "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an error means. `asked_seconds` is how long the server asked us to wait."""

    event: AccountEvent
    wait: Wait
    reason: str
    detail: str
    remedy: str | None = None
    asked_seconds: float | None = None


LASTING_REFUSAL: Final = "refused_lastingly"
"""The reason of [SYS/PERM] (RFC 3206 §4): nothing that we send changes it, a person has to."""

_TRUST_REASONS: Final = frozenset(
    {
        "tls_expired",
        "tls_not_yet_valid",
        "tls_hostname",
        "tls_untrusted",
        "starttls_missing",
        "starttls_injection",
    }
)
REMEDIES: Final = {
    "auth_failed": "correct the username or password, then reconnect",
    "credential_unavailable": "check the password command, file or variable in the configuration",
    "dns": "check the host name and this machine's name service",
    "refused": "check host and port; the server may be down",
    "unreachable": "check the network",
    "timeout": "check the network; the server may be overloaded",
    "not_imap": "check host and port; a captive portal may be in between",
    "tls_expired": "the server's certificate has expired: tell its operator, and check this machine's clock",
    "tls_not_yet_valid": "the server's certificate is not valid yet: check this machine's clock",
    "tls_hostname": "the certificate is for another name: check host",
    "tls_untrusted": "the certificate's issuer is not trusted here: set ca_file if the server is yours",
    "tls_handshake": "check port and tls: this port may expect another kind of connection",
    "starttls_missing": 'the server offers no STARTTLS here: use tls = "implicit" and its port',
    "starttls_injection": "someone on the network may be tampering with the connection: do not log in from here",
    "disk_full": "free some space; the account goes on by itself",
    "store_readonly": "make the store writable for the service's user",
    "store_io": "check the disk",
    LASTING_REFUSAL: "ask the server's operator, or look into its settings: POP access may have to be switched on there",
    "store_foreign": "mount or restore the account's tree, or approve the one that is there",
}


def verdict_on(error: MailError) -> Verdict:
    """What `error` means for its account."""
    event, wait = _rule(error)
    asked = error.retry_after_seconds if isinstance(error, Throttled) else None
    reason = LASTING_REFUSAL if wait is Wait.LASTING else error.reason
    return Verdict(
        event=event,
        wait=wait,
        reason=reason,
        detail=str(error),
        remedy=error.remedy or REMEDIES.get(_remedy_key(error, reason)),
        asked_seconds=asked,
    )


def _rule(error: MailError) -> tuple[AccountEvent, Wait]:
    match error:
        case Throttled():
            return AccountEvent.THROTTLED, Wait.THROTTLE
        case ServerRefused(reason="listing_doubtful"):  # S10: the server seems to have lost its mailboxes
            return AccountEvent.HELD, Wait.HELD
        case ServerRefused(code="SYS/PERM"):  # P6
            return AccountEvent.FAULTED, Wait.LASTING
        case LoginSpent():
            return AccountEvent.LOGIN_REFUSED, Wait.PERSON
        case AuthenticationFailed(reason="auth_unsupported"):  # N24: no secret of ours changes that
            return AccountEvent.LOGIN_REFUSED, Wait.TRUST
        case AuthenticationFailed():
            return AccountEvent.LOGIN_REFUSED, Wait.LOGIN
        case CredentialUnavailable():
            return AccountEvent.FAULTED, Wait.CREDENTIAL
        case TlsFailed(reason=reason):
            return AccountEvent.FAULTED, Wait.TRUST if reason in _TRUST_REASONS else Wait.BACKOFF
        case StoreForeign():
            return AccountEvent.HELD, Wait.HELD
        case StoreError():
            return AccountEvent.FAULTED, Wait.STORE
        case (
            _
        ):  # ConnectionLost, RemoteProtocolError, ServerRefused: the far side, which may be well again soon
            return AccountEvent.LINE_LOST, Wait.BACKOFF


def _remedy_key(error: MailError, reason: str) -> str:
    # A NO to a command and a refused TCP connection share a code but not a remedy.
    return "" if isinstance(error, ServerRefused) and reason == error.reason else reason
