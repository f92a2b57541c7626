"""P6: who is busy is no wrong password, and only a wrong password counts as one."""

import pytest

from daemon.model.errors import AuthenticationFailed, ServerRefused, Throttled
from daemon.wire.pop3 import refusals
from daemon.wire.pop3.capabilities import Capabilities
from daemon.wire.pop3.responses import parse_status

NOTHING = Capabilities()
CODED = Capabilities(["RESP-CODES", "AUTH-RESP-CODE", "LOGIN-DELAY 900"])


def login(line: bytes, caps: Capabilities = NOTHING):
    return refusals.login_refusal(parse_status(line), host="mail.example.org", caps=caps)


@pytest.mark.parametrize("caps", [NOTHING, CODED])
@pytest.mark.parametrize(
    "line",
    [
        b"-ERR [IN-USE] Do you have another POP session running?",
        b"-ERR [LOGIN-DELAY] minimum time between mail checks violation",
        b"-ERR [SYS/TEMP] Temporary authentication failure.",
        b"-ERR maildrop already locked",
        b"-ERR can't lock maildrop, please wait",
        b"-ERR mailbox is busy",
        b"-ERR mailbox in use",
        b"-ERR Please try again later",
        b"-ERR Too many connections from your IP",
        b"-ERR login rate limit exceeded",
    ],
)
def test_busy_maildrop_is_throttling(line, caps):
    error = login(line, caps)
    assert isinstance(error, Throttled)
    assert "login" in str(error)


@pytest.mark.parametrize(
    "line",
    [
        b"-ERR [AUTH] Authentication failed.",
        b"-ERR [AUTH] account locked",
        b"-ERR invalid username or password",
        b"-ERR no",
        b"-ERR",
        b"-ERR [mrose] unknown",
    ],
)
def test_wrong_credential_is_told_in_the_servers_words(line):
    error = login(line)
    assert isinstance(error, AuthenticationFailed)
    assert "mail.example.org" in str(error)
    assert error.remedy


def test_permanent_trouble_of_the_server_is_no_wrong_credential():
    error = login(b"-ERR [SYS/PERM] mailbox corrupt, user must call", CODED)
    assert type(error) is ServerRefused
    assert error.code == "SYS/PERM"


def test_server_that_promises_auth_codes_and_says_none_means_something_else():
    """RFC 3206 §6; words about credentials still count, lest a loose server be asked for ever."""
    assert type(login(b"-ERR disk on fire", CODED)) is ServerRefused
    assert isinstance(login(b"-ERR invalid password", CODED), AuthenticationFailed)
    assert isinstance(login(b"-ERR disk on fire", NOTHING), AuthenticationFailed)


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        (b"-ERR [LOGIN-DELAY] come back later", 900),
        (b"-ERR [LOGIN-DELAY] wait 90 seconds", 90),
        (b"-ERR [LOGIN-DELAY] wait 15 minutes", 900),
        (b"-ERR [IN-USE] locked", None),
        (b"-ERR [IN-USE] retry in 5 min", 300),
        (b"-ERR [LOGIN-DELAY] 999999 minutes", 3600),
    ],
)
def test_delay_asked_for_is_honoured_up_to_an_hour(line, seconds):
    assert login(line, CODED).retry_after_seconds == seconds


def test_login_delay_not_told_is_unknown():
    assert login(b"-ERR [LOGIN-DELAY] later").retry_after_seconds is None


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"-ERR message locked", ServerRefused),
        (b"-ERR [SYS/TEMP] cannot read this message", ServerRefused),
        (b"-ERR message contains a virus", ServerRefused),
        (b"-ERR [IN-USE] gone", Throttled),
        (b"-ERR Account exceeded bandwidth limits", Throttled),
    ],
)
def test_after_login_locked_is_about_one_message(line, kind):
    """P9."""
    error = refusals.refusal(parse_status(line), doing="RETR", caps=CODED)
    assert type(error) is kind
    assert error.status == "-ERR"
    assert str(error).startswith("RETR: server answered -ERR")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"-ERR [SYS/TEMP] x", True),
        (b"-ERR try again", True),
        (b"-ERR unknown command", False),
        (b"-ERR", False),
    ],
)
def test_busy_is_told_from_unknown(line, expected):
    assert refusals.is_busy(parse_status(line)) is expected
    assert isinstance(refusals.throttled(parse_status(line)), Throttled)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"-ERR unknown command", True),
        (b"-ERR Unrecognized POP3 command", True),
        (b"-ERR command TOP is not implemented", True),
        (b"-ERR unknown message", False),
        (b"-ERR no such message", False),
        (b"-ERR [SYS/TEMP] unknown command", False),
        (b"-ERR", False),
    ],
)
def test_unknown_command_is_told_from_an_unknown_message(line, expected):
    assert refusals.is_unknown_command(parse_status(line)) is expected
