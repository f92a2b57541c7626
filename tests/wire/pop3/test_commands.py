import pytest

from daemon.model.errors import LocalProtocolError
from daemon.model.secret import Secret
from daemon.wire.pop3 import commands


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (commands.capa(), b"CAPA\r\n"),
        (commands.stls(), b"STLS\r\n"),
        (commands.utf8(), b"UTF8\r\n"),
        (commands.user("a b"), b"USER a b\r\n"),
        (commands.password(Secret(" p w ")), b"PASS  p w \r\n"),
        (commands.password(Secret("pä")), b"PASS p\xc3\xa4\r\n"),
        (commands.auth("PLAIN"), b"AUTH PLAIN\r\n"),
        (commands.auth("EXTERNAL", b"="), b"AUTH EXTERNAL =\r\n"),
        (commands.stat(), b"STAT\r\n"),
        (commands.list_sizes(), b"LIST\r\n"),
        (commands.list_sizes(2), b"LIST 2\r\n"),
        (commands.list_uidls(), b"UIDL\r\n"),
        (commands.list_uidls(2), b"UIDL 2\r\n"),
        (commands.top(3, 0), b"TOP 3 0\r\n"),
        (commands.retr(3), b"RETR 3\r\n"),
        (commands.dele(3), b"DELE 3\r\n"),
        (commands.noop(), b"NOOP\r\n"),
        (commands.rset(), b"RSET\r\n"),
        (commands.leave(), b"QUIT\r\n"),
    ],
)
def test_command_is_one_line(command, line):
    assert command.line == line
    assert line.count(b"\n") == 1


def test_answers_of_several_lines_are_known_by_the_command():
    several = (
        commands.capa(),
        commands.list_sizes(),
        commands.list_uidls(),
        commands.top(1, 0),
        commands.retr(1),
    )
    single = (commands.list_sizes(1), commands.list_uidls(1), commands.stat(), commands.dele(1))
    assert all(command.is_multiline for command in several)
    assert not any(command.is_multiline for command in single)


@pytest.mark.parametrize("text", ["a\rb", "a\nb", "a\0b", ""])
def test_what_would_break_out_of_the_line_is_refused(text):
    for build in (commands.user, lambda one: commands.password(Secret(one))):
        with pytest.raises(LocalProtocolError):
            build(text)


@pytest.mark.parametrize(
    "build",
    [
        lambda: commands.retr(0),
        lambda: commands.dele(-1),
        lambda: commands.top(1, -1),
        lambda: commands.list_sizes(0),
        lambda: commands.auth("PLAIN x"),
        lambda: commands.auth("PLAIN", b"a\r\nDELE 1"),
    ],
)
def test_argument_no_server_could_read_is_refused(build):
    with pytest.raises(LocalProtocolError):
        build()


def test_secrets_are_shown_nowhere():
    """I8."""
    for command in (
        commands.user("ada"),
        commands.password(Secret("lovelace")),
        commands.auth("PLAIN", b"bG92ZWxhY2U="),
    ):
        for shown in (command.describe(), repr(command)):
            assert "lovelace" not in shown
            assert "bG92" not in shown
            assert "ada" not in shown
    assert commands.retr(7).describe() == "RETR 7"


def test_initial_response_must_fit_a_command_line():
    assert commands.fits_initial("PLAIN", b"x" * 242)
    assert not commands.fits_initial("PLAIN", b"x" * 243)
    assert len(commands.auth("PLAIN", b"x" * 242).line) == 255
