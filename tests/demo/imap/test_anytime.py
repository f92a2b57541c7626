import base64

import pytest


def plain(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def test_capability_tells_what_is_switched_on(connect):
    talk = await connect(without=["QRESYNC", "MOVE"], is_logged_in=False)
    (said,) = await talk.ok("CAPABILITY")
    assert {b"IMAP4rev1", b"AUTH=PLAIN", b"UIDPLUS"} <= set(said.split())
    assert not {b"QRESYNC", b"MOVE"} & set(said.split())


async def test_plain_comes_with_the_command_or_after_it(connect):
    talk = await connect(is_logged_in=False)
    assert (await talk("AUTHENTICATE PLAIN " + plain("\0demo\0secret"))).is_ok
    talk = await connect(is_logged_in=False)
    assert (await talk("AUTHENTICATE PLAIN", plain("demo\0demo\0secret").encode())).is_ok


async def test_initial_response_is_refused_without_sasl_ir(connect):
    talk = await connect(without=["SASL-IR"], is_logged_in=False)
    assert (await talk("AUTHENTICATE PLAIN " + plain("\0demo\0secret"))).tagged.startswith(b"BAD")
    assert (await talk("AUTHENTICATE PLAIN", plain("\0demo\0secret").encode())).is_ok


@pytest.mark.parametrize(
    ("command", "verdict"),
    [
        ("LOGIN demo wrong", b"NO [AUTHENTICATIONFAILED]"),
        ("LOGIN nobody secret", b"NO [AUTHENTICATIONFAILED]"),
        ("AUTHENTICATE PLAIN " + plain("\0demo\0wrong"), b"NO [AUTHENTICATIONFAILED]"),
        ("AUTHENTICATE PLAIN " + plain("root\0demo\0secret"), b"NO [AUTHORIZATIONFAILED]"),
        ("AUTHENTICATE PLAIN " + plain("demo secret"), b"BAD"),
        ("AUTHENTICATE PLAIN !", b"BAD"),
        ("AUTHENTICATE PLAIN *", b"BAD"),
        ("AUTHENTICATE XOAUTH2 abc", b"NO"),
        ("LOGIN demo", b"BAD"),
    ],
)
async def test_stranger_is_not_let_in(connect, command, verdict):
    talk = await connect(is_logged_in=False)
    assert (await talk(command)).tagged.startswith(verdict)
    assert (await talk("SELECT INBOX")).tagged.startswith(b"BAD")


async def test_enable_names_only_what_is_known_and_on(connect):
    talk = await connect(without=["QRESYNC"])
    assert await talk.ok("ENABLE CONDSTORE QRESYNC UTF8=ACCEPT") == [b"* ENABLED CONDSTORE"]


async def test_namespace_and_id_answer(talk):
    assert await talk.ok("NAMESPACE") == [b'* NAMESPACE (("" "/")) NIL NIL']
    assert await talk.ok('ID ("name" "x")') == [b'* ID ("name" "mailsyncd demo")']
    assert await talk.ok("ID NIL") == [b'* ID ("name" "mailsyncd demo")']
    assert await talk.ok("NOOP") == []
