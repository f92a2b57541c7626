import pytest

from daemon.model.errors import RemoteProtocolError
from daemon.wire.pop3.responses import Status, is_ok_line, parse_status, printable


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"+OK", Status(is_ok=True)),
        (b"+ok  ready  ", Status(is_ok=True, text="ready")),
        (b"+OK [x] y", Status(is_ok=True, text="[x] y")),
        (b"-ERR", Status(is_ok=False)),
        (b"-err no", Status(is_ok=False, text="no")),
        (b"-ERR [IN-USE] busy", Status(is_ok=False, code="IN-USE", text="busy")),
        (b"-ERR  [sys/temp]later", Status(is_ok=False, code="SYS/TEMP", text="later")),
        (b"-ERR [LOGIN-DELAY 30] wait", Status(is_ok=False, code="LOGIN-DELAY", text="wait")),
        (b"-ERR [] odd", Status(is_ok=False, text="[] odd")),
        (b"-ERR [open", Status(is_ok=False, text="[open")),
    ],
)
def test_status_line_is_taken_apart(line, status):
    assert parse_status(line) == status
    assert is_ok_line(line) is status.is_ok


@pytest.mark.parametrize(
    "line", [b"* OK IMAP4 ready", b"220 ESMTP", b"HTTP/1.1 200 OK", b"", b"\0+OK", b"+ OK"]
)
def test_what_is_neither_ok_nor_err_is_refused(line):
    with pytest.raises(RemoteProtocolError):
        parse_status(line)


def test_words_of_a_server_are_safe_to_show_and_cut():
    shown = printable(b"\x1b[31m\xff\xe2\x80\xae" + b"x" * 5000)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert len(shown) == 512
