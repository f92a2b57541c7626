import pytest

from daemon.model.errors import ServerRefused, Throttled
from daemon.wire.imap import refusals
from daemon.wire.imap.grammar import parse_response


def answer(line: bytes):
    return parse_response(b"A1 " + line)


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        (b"BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds", 92.415),
        (b"NO [THROTTLED] slow down", None),
        (b"NO [LIMIT] too many", None),
        (b"NO [OVERQUOTA] Account exceeded command or bandwidth limits. d1", None),
        (b"NO Too many simultaneous connections. (Failure)", None),
        (b"BAD User is authenticated but not connected.", None),
        (b"NO Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)", None),
        (b"BAD Request is throttled. Suggested Backoff Time: 999999999 milliseconds", 3600.0),
    ],
)
def test_throttling_is_told_with_its_patience(line, seconds):
    """S3."""
    error = refusals.refusal(answer(line))
    assert isinstance(error, Throttled)
    assert error.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"NO [OVERQUOTA] Quota exceeded (mailbox for user is full)", "OVERQUOTA"),
        (b"NO [NONEXISTENT] Unknown Mailbox", "NONEXISTENT"),
        (b"BAD Unknown command", None),
        (b"NO [UNAVAILABLE] Service temporarily unavailable", "UNAVAILABLE"),
    ],
)
def test_other_refusals_are_not_throttling(line, code):
    """S4."""
    error = refusals.refusal(answer(line), doing="UID COPY")
    assert type(error) is ServerRefused
    assert error.code == code
    assert str(error).startswith("UID COPY: server answered ")


def test_bye_is_a_refusal_as_well():
    error = refusals.refusal(parse_response(b"* BYE [UNAVAILABLE] later"))
    assert (error.status, error.code) == ("BYE", "UNAVAILABLE")


@pytest.mark.parametrize(
    ("line", "is_credential"),
    [
        (b"NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)", True),
        (b"NO [EXPIRED] password expired", True),
        (b"NO Login failed.", True),
        (b"NO [UNAVAILABLE] Temporary authentication failure.", False),
        (b"NO [INUSE] x", False),
        (b"NO [LIMIT] x", False),
        (b"NO Too many concurrent connections", False),
        (b"NO Temporary failure, try again later", False),
        (b"OK in", False),
    ],
)
def test_busy_server_is_no_wrong_password(line, is_credential):
    """S5: never lock the user out, never call a busy server a wrong password."""
    assert refusals.is_credential_failure(answer(line)) is is_credential
