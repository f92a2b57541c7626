"""Who we are: the best mechanism offered, one attempt, and refusals told apart."""

import base64

import pytest

from daemon.model.errors import AuthenticationFailed, ConnectionLost, ServerRefused, Throttled
from daemon.model.secret import Secret

PLAIN = base64.b64encode(b"\0ada\0lovelace")


async def log_in(client, secret="lovelace"):
    await client.authenticate("ada", Secret(secret))


async def test_best_mechanism_goes_with_its_initial_response(play):
    async def script(part):
        await part.answer(b"AUTH PLAIN " + PLAIN, b"+OK in")
        await part.stay()

    client = await play(
        script, caps=(b"SASL LOGIN PLAIN X-ODD", b"USER", b"UIDL", b"PIPELINING"), login=False
    )
    await log_in(client)
    assert client.is_pipelining


async def test_initial_response_too_long_for_a_line_is_the_first_answer(play):
    secret = "s" * 300

    async def script(part):
        assert await part.hear() == b"AUTH PLAIN"
        await part.say(b"+ ")
        assert base64.b64decode(await part.hear()) == b"\0ada\0" + secret.encode()
        await part.say(b"+OK in")
        await part.stay()

    client = await play(script, caps=(b"SASL PLAIN", b"UIDL", b"PIPELINING"), login=False)
    await log_in(client, secret)


async def test_ok_for_plus_means_go_on(play):
    """QUIRK MailKit."""
    secret = "s" * 300

    async def script(part):
        await part.answer(b"AUTH PLAIN", b"+OK")
        await part.answer(b"", b"+OK in")
        await part.stay()

    client = await play(script, caps=(b"SASL PLAIN", b"UIDL", b"PIPELINING"), login=False)
    await log_in(client, secret)


async def test_mechanism_in_which_the_server_speaks_first(play):
    async def script(part):
        await part.answer(b"AUTH LOGIN", b"+ " + base64.b64encode(b"Username:"))
        assert base64.b64decode(await part.hear()) == b"ada"
        await part.say(b"+ " + base64.b64encode(b"Password:"))
        assert base64.b64decode(await part.hear()) == b"lovelace"
        await part.say(b"+OK")
        await part.stay()

    await log_in(await play(script, caps=(b"SASL LOGIN", b"UIDL", b"PIPELINING"), login=False))


async def test_user_and_pass_where_no_mechanism_is_offered(play):
    """Servers without CAPA too; the APOP timestamp in the greeting is no invitation (P16)."""

    async def script(part):
        await part.answer(b"USER ada", b"+OK")
        await part.answer(b"PASS lovelace", b"+OK")
        await part.answer(b"NOOP", b"+OK")
        await part.stay()

    client = await play(script, caps=None, login=False)
    await log_in(client)
    await client.noop()


@pytest.mark.parametrize("sasl", [b"SASL GSSAPI KERBEROS_V4", b"SASL"])
async def test_nothing_is_sent_where_nothing_is_fit(play, sasl):
    """N24."""

    async def script(part):
        await part.stay()

    client = await play(script, caps=(sasl, b"UIDL"), login=False)
    sent = client.bytes_sent
    with pytest.raises(AuthenticationFailed) as caught:
        await log_in(client)
    assert caught.value.reason == "auth_unsupported"
    assert client.bytes_sent == sent


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"-ERR [AUTH] Authentication failed.", AuthenticationFailed),
        (b"-ERR [IN-USE] maildrop locked", Throttled),
        (b"-ERR [LOGIN-DELAY] too soon", Throttled),
        (b"-ERR [SYS/TEMP] backend down", Throttled),
        (b"-ERR [SYS/PERM] mailbox corrupt", ServerRefused),
    ],
)
@pytest.mark.parametrize("way", ["auth", "user", "pass"])
async def test_refusals_are_told_apart_and_tried_once(play, line, kind, way):
    """P6."""

    async def script(part):
        if way == "auth":
            await part.answer(b"AUTH", line)
        elif way == "user":
            await part.answer(b"USER", line)
        else:
            await part.answer(b"USER", b"+OK")
            await part.answer(b"PASS", line)
        assert await part.reader.readline() == b""

    caps = (b"SASL PLAIN" if way == "auth" else b"USER", b"UIDL", b"PIPELINING", b"LOGIN-DELAY 120")
    client = await play(script, caps=caps, login=False)
    with pytest.raises(kind) as caught:
        await log_in(client)
    assert type(caught.value) is kind
    assert "lovelace" not in str(caught.value)
    assert client.is_lost
    if b"LOGIN-DELAY" in line:
        assert caught.value.retry_after_seconds == 120


async def test_utf8_is_switched_on_where_offered_and_its_refusal_is_no_matter(play):
    async def script(part):
        await part.answer(b"UTF8", b"-ERR [SYS/TEMP] not today")
        await part.answer(b"USER", b"+OK")
        await part.answer(b"PASS", b"+OK")
        await part.stay()

    await log_in(await play(script, caps=(b"UTF8", b"USER", b"UIDL", b"PIPELINING"), login=False))


async def test_capabilities_are_asked_again_where_they_are_per_user(play):
    async def script(part):
        await part.answer(b"USER", b"+OK")
        await part.answer(b"PASS", b"+OK")
        await part.answer(b"CAPA", b"+OK", b"EXPIRE 14 USER", b"UIDL", b"PIPELINING", b".")
        await part.stay()

    client = await play(script, caps=(b"USER", b"EXPIRE 0 USER", b"UIDL", b"PIPELINING"), login=False)
    await log_in(client)
    assert client.caps.expire.days == 14


async def test_silence_after_the_secret_is_a_lost_line(play):
    """P14."""

    async def script(part):
        await part.answer(b"USER", b"+OK")
        await part.stay()

    client = await play(script, caps=(b"USER", b"UIDL", b"PIPELINING"), login=False)
    with pytest.raises(ConnectionLost) as caught:
        await log_in(client)
    assert caught.value.reason == "timeout"


async def test_real_server_tells_a_wrong_password(log_in):
    with pytest.raises(AuthenticationFailed):
        await log_in(password="wrong")
