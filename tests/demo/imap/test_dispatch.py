import pytest

from daemon.demo.imap.dispatch import COMMANDS, Needs
from daemon.demo.imap.session import EXTENSIONS


@pytest.mark.parametrize(
    "line", ["NONSENSE", "UID NONSENSE", "UID", "SELECT", "LIST", "FETCH 1 FLAGS extra", "STARTTLS", ""]
)
async def test_what_cannot_be_read_is_bad_and_the_line_goes_on(inbox, line):
    assert (await inbox(line)).tagged.startswith(b"BAD")
    assert (await inbox("NOOP")).is_ok


async def test_line_without_a_tag_is_answered_without_one(talk):
    talk.writer.write(b"\r\n(x\r\n")
    assert (await talk.response()).startswith(b"* BAD")
    assert (await talk.response()).startswith(b"* BAD")


@pytest.mark.parametrize("name", sorted(name for name, rule in COMMANDS.items() if rule.needs >= Needs.LOGIN))
async def test_command_before_login_is_bad(connect, name):
    talk = await connect(is_logged_in=False)
    assert (await talk(name)).tagged == b"BAD log in first"


@pytest.mark.parametrize(
    "name", sorted(name for name, rule in COMMANDS.items() if rule.needs is Needs.MAILBOX)
)
async def test_command_without_a_mailbox_is_bad(talk, name):
    assert (await talk(name)).tagged == b"BAD select a mailbox first"


async def test_second_login_is_bad(talk):
    assert (await talk("LOGIN demo secret")).tagged.startswith(b"BAD")


async def test_pipelined_commands_are_answered_in_order(inbox):
    inbox.writer.write(b"a NOOP\r\nb UID FETCH 1 (UID)\r\nc NOOP\r\n")
    said = [await inbox.response() for _ in range(4)]
    assert [line.split()[0] for line in said] == [b"a", b"*", b"b", b"c"]


def test_every_rule_names_a_known_extension():
    assert {rule.extension for rule in COMMANDS.values()} - {None} <= EXTENSIONS
