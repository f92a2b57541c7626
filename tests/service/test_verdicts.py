"""Each kind of error: what the account shows and which rule says when to try again."""

import pytest

from daemon.model.errors import (
    AuthenticationFailed,
    ConnectionLost,
    CredentialUnavailable,
    MailError,
    RemoteProtocolError,
    ServerRefused,
    StoreError,
    StoreForeign,
    Throttled,
    TlsFailed,
)
from daemon.service.states import AccountEvent as E
from daemon.service.verdicts import LoginSpent, Wait, verdict_on

CASES = [
    (ConnectionLost("closed"), E.LINE_LOST, Wait.BACKOFF, "closed"),
    (ConnectionLost("no such name", reason="dns"), E.LINE_LOST, Wait.BACKOFF, "dns"),
    (ConnectionLost("HTTP/1.1 302", reason="not_imap"), E.LINE_LOST, Wait.BACKOFF, "not_imap"),
    (RemoteProtocolError("nonsense"), E.LINE_LOST, Wait.BACKOFF, "protocol"),
    (ServerRefused("later", status="NO", code="UNAVAILABLE"), E.LINE_LOST, Wait.BACKOFF, "refused"),
    (ServerRefused("gone", status="-ERR", code="SYS/PERM"), E.FAULTED, Wait.LASTING, "refused_lastingly"),
    (TlsFailed("expired", reason="tls_expired"), E.FAULTED, Wait.TRUST, "tls_expired"),
    (TlsFailed("early", reason="tls_not_yet_valid"), E.FAULTED, Wait.TRUST, "tls_not_yet_valid"),
    (TlsFailed("name", reason="tls_hostname"), E.FAULTED, Wait.TRUST, "tls_hostname"),
    (TlsFailed("issuer", reason="tls_untrusted"), E.FAULTED, Wait.TRUST, "tls_untrusted"),
    (TlsFailed("none", reason="starttls_missing"), E.FAULTED, Wait.TRUST, "starttls_missing"),
    (TlsFailed("bytes", reason="starttls_injection"), E.FAULTED, Wait.TRUST, "starttls_injection"),
    (TlsFailed("closed in it"), E.FAULTED, Wait.BACKOFF, "tls_handshake"),
    (Throttled("slow down", status="NO"), E.THROTTLED, Wait.THROTTLE, "throttled"),
    (AuthenticationFailed("no"), E.LOGIN_REFUSED, Wait.LOGIN, "auth_failed"),
    (LoginSpent("no"), E.LOGIN_REFUSED, Wait.PERSON, "auth_failed"),
    (CredentialUnavailable("no file"), E.FAULTED, Wait.CREDENTIAL, "credential_unavailable"),
    (StoreForeign("other id"), E.HELD, Wait.HELD, "store_foreign"),
    (StoreError("full", reason="disk_full"), E.FAULTED, Wait.STORE, "disk_full"),
]


@pytest.mark.parametrize(("error", "event", "wait", "reason"), CASES, ids=str)
def test_error_has_its_event_wait_and_reason(error: MailError, event: E, wait: Wait, reason: str) -> None:
    verdict = verdict_on(error)
    assert (verdict.event, verdict.wait, verdict.reason) == (event, wait, reason)
    assert verdict.detail == str(error)


def test_servers_request_for_patience_is_passed_on() -> None:
    assert verdict_on(Throttled("busy", status="BAD", retry_after_seconds=137)).asked_seconds == 137


def test_known_reason_gets_a_remedy_and_the_errors_own_wins() -> None:
    assert "ca_file" in (verdict_on(TlsFailed("x", reason="tls_untrusted")).remedy or "")
    assert verdict_on(TlsFailed("x", reason="tls_untrusted", remedy="call Bob")).remedy == "call Bob"


def test_refused_command_does_not_get_the_remedy_of_a_refused_connection() -> None:
    assert verdict_on(ConnectionLost("x", reason="refused")).remedy is not None
    assert verdict_on(ServerRefused("x", status="NO")).remedy is None


def test_lasting_refusal_says_what_a_person_can_do() -> None:
    assert "operator" in (verdict_on(ServerRefused("x", status="-ERR", code="SYS/PERM")).remedy or "")


def test_spent_login_is_still_a_failed_authentication() -> None:
    assert isinstance(LoginSpent("no"), AuthenticationFailed)
