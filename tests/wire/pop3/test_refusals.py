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


BUSY, WRONG, PERMANENT = Throttled, AuthenticationFailed, ServerRefused

SAID_BY_SERVERS = [
    # RFC 1939, RFC 2449, RFC 3206
    (b"-ERR maildrop already locked", BUSY),
    (b"-ERR unable to lock maildrop", BUSY),
    (b"-ERR invalid password", WRONG),
    (b"-ERR sorry, no mailbox for frated here", WRONG),
    (b"-ERR permission denied", WRONG),
    (b"-ERR [IN-USE] Do you have another POP session running?", BUSY),
    (b"-ERR [LOGIN-DELAY] minimum time between mail checks violation", BUSY),
    (b"-ERR [SYS/PERM] mailbox corrupt, user must call", PERMANENT),
    # Dovecot
    (b"-ERR [AUTH] Authentication failed.", WRONG),
    (b"-ERR Authentication failed.", WRONG),
    (b"-ERR [SYS/TEMP] Temporary authentication failure. [mail:2026-01-01 00:00:00]", BUSY),
    (b"-ERR Temporary authentication failure.", BUSY),
    (b"-ERR [SYS/TEMP] Internal error occurred. Refer to server log for more information.", BUSY),
    (b"-ERR [IN-USE] Couldn't open INBOX: Timeout while waiting for lock", BUSY),
    (b"-ERR Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)", BUSY),
    # Courier
    (b"-ERR Login failed.", WRONG),
    (b"-ERR Temporary problem, please try again later", BUSY),
    # Cyrus
    (b"-ERR [AUTH] Invalid login", WRONG),
    (b"-ERR [IN-USE] Unable to lock maildrop: Mailbox is locked by POP server", BUSY),
    (b"-ERR Unable to lock maildrop: Mailbox is locked by POP server", BUSY),
    (b"-ERR [SYS/PERM] Unable to open maildrop: Mailbox does not exist", PERMANENT),
    # Exchange, Office 365
    (b"-ERR Logon failure: unknown user name or bad password.", WRONG),
    (b"-ERR Server Unavailable. 21", BUSY),
    # qpopper
    (b"-ERR [IN-USE] /var/mail/.me.pop lock busy! Is another session active? (11)", BUSY),
    (b"-ERR /var/mail/.me.pop lock busy!  Is another session active? (11)", BUSY),
    (b'-ERR [AUTH] Password supplied for "me" is incorrect.', WRONG),
    (b'-ERR Password supplied for "me" is incorrect.', WRONG),
    # vpopmail
    (b"-ERR authorization failed", WRONG),
    # Gmail
    (b"-ERR [AUTH] Username and password not accepted.", WRONG),
    (b"-ERR Username and password not accepted.", WRONG),
    (b"-ERR [AUTH] Application-specific password required", WRONG),
    (b"-ERR [AUTH] Web login required, please try again later", WRONG),
    (b"-ERR [SYS/TEMP] Temporary system problem. Please try again later.", BUSY),
    (b"-ERR [SYS/PERM] Your account is not enabled for POP access.", PERMANENT),
    (b"-ERR Account exceeded bandwidth limits", BUSY),
    # Yahoo
    (b"-ERR [AUTH] Incorrect username or password.", WRONG),
    (b"-ERR [SYS/TEMP] Server error - Please try again later.", BUSY),
    # Yandex, mail.ru, GMX: what they say to a person in one breath
    (b"-ERR [AUTH] login failure or POP3 disabled, try later. sc=1", WRONG),
    (b"-ERR login failure or POP3 disabled, try later. sc=1", WRONG),
    (b"-ERR [AUTH] Application password is REQUIRED", WRONG),
    (b"-ERR Invalid username or password. Please try again.", WRONG),
    (b"-ERR Authentication failed, account blocked", WRONG),
    (b"-ERR Your account has been locked. Please wait and try again later.", WRONG),
    (b"-ERR account temporarily disabled", WRONG),
    (b"-ERR login failed, please try again later", WRONG),
    (b"-ERR wrong password, too many logins", WRONG),
    (b"-ERR account is locked by another session", BUSY),
    (b"-ERR login failed, mailbox in use", BUSY),
    (b"-ERR you log in too often, wait 15 minutes", BUSY),
    (b"-ERR user is already logged in", BUSY),
    # words are words
    (b"-ERR access blocked", WRONG),
    (b"-ERR awaiting approval by the operator", WRONG),
    (b"-ERR clocks differ", WRONG),
]


@pytest.mark.parametrize("caps", [NOTHING, Capabilities(["RESP-CODES"])], ids=["bare", "coded"])
@pytest.mark.parametrize(("line", "kind"), SAID_BY_SERVERS, ids=lambda value: str(value)[:60])
def test_what_servers_say_to_a_login_is_taken_as_they_mean_it(line, kind, caps):
    """A wrong password that is taken for a busy server is sent for ever, and its owner locked out."""
    assert type(login(line, caps)) is kind


@pytest.mark.parametrize("command", ["STAT", "LIST", "UIDL", "NOOP", "RSET", "QUIT"])
@pytest.mark.parametrize(
    "line", [b"-ERR [SYS/TEMP] storage is away", b"-ERR [IN-USE] gone", b"-ERR busy", b"-ERR maildrop locked"]
)
def test_temporary_trouble_with_the_whole_maildrop_asks_for_patience(line, command):
    error = refusals.refusal(parse_status(line), doing=command, caps=CODED)
    assert type(error) is Throttled
    assert str(error).startswith(f"{command}: server answered -ERR")


@pytest.mark.parametrize("line", [b"-ERR [SYS/PERM] try again never", b"-ERR unknown command", b"-ERR"])
def test_lasting_trouble_with_the_whole_maildrop_is_a_refusal(line):
    assert type(refusals.refusal(parse_status(line), doing="STAT", caps=CODED)) is ServerRefused


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
        (b"-ERR UIDL command unavailable", False),
        (b"-ERR UIDL unavailable", False),
        (b"-ERR command UIDL is not available", False),
        (b"-ERR unknown command, please try again", False),
        (b"-ERR UIDL not supported, please wait for an update", False),
        (b"-ERR UIDL command temporarily unavailable", True),
        (b"-ERR UIDL command unavailable, try again later", True),
        (b"-ERR [SYS/TEMP] UIDL command unavailable", True),
        (b"-ERR the list is unavailable", True),
        (b"-ERR maildrop locked, command not supported", True),
        (b"-ERR Too many commands, command invalid", True),
        (b"-ERR service unavailable", True),
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
        (b"-ERR The TOP command is not available", True),
        (b"-ERR TOP unavailable", True),
        (b"-ERR message 3 is unavailable", False),
        (b"-ERR unknown message", False),
        (b"-ERR no such message", False),
        (b"-ERR [SYS/TEMP] unknown command", False),
        (b"-ERR", False),
    ],
)
def test_unknown_command_is_told_from_an_unknown_message(line, expected):
    assert refusals.is_unknown_command(parse_status(line)) is expected
