"""Logging in: the mechanism, the refusals and what is switched on afterwards."""

import base64

import pytest

from daemon.model.errors import (
    AuthenticationFailed,
    ConnectionLost,
    RemoteProtocolError,
    ServerRefused,
    Throttled,
)
from daemon.model.secret import Secret
from daemon.net.imap.client import CredentialKind

SECRET = Secret("pass word")
PLAIN = base64.b64encode(b"\0joe\0pass word")


async def refused(client):
    with pytest.raises(Exception) as caught:
        await client.authenticate("joe", SECRET)
    assert SECRET.reveal() not in str(caught.value)
    return caught.value


async def test_initial_response_is_sent_with_sasl_ir(play):
    async def script(part):
        await part.answer(b"AUTHENTICATE PLAIN " + PLAIN, with_=b"OK [CAPABILITY IMAP4rev1 IDLE] in")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 AUTH=PLAIN SASL-IR", word=b"OK")
    await client.authenticate("joe", SECRET)
    assert client.caps.has("IDLE")


@pytest.mark.parametrize("plus", [b"+ ", b"+"])
async def test_without_sasl_ir_the_response_waits_for_the_challenge(play, plus):
    async def script(part):
        tag = await part.hear(b"AUTHENTICATE PLAIN\r\n")
        await part.say(plus)
        await part.hear(PLAIN)
        await part.say(tag + b" OK in")
        await part.answer(b"CAPABILITY", b"* CAPABILITY IMAP4rev1 MOVE")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 AUTH=PLAIN", word=b"OK")
    await client.authenticate("joe", SECRET)
    assert client.caps.has("MOVE")


async def test_login_is_used_when_no_mechanism_is_named(play):
    async def script(part):
        await part.answer(b'LOGIN joe "pass word"', with_=b"OK [CAPABILITY IMAP4rev1] in")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1", word=b"OK")
    await client.authenticate("joe", SECRET)


async def test_logindisabled_sends_nothing(play):
    """N24."""
    parts = []

    async def script(part):
        parts.append(part)
        await part.hear()

    client = await play(script, caps=b"IMAP4rev1 LOGINDISABLED AUTH=GSSAPI", word=b"OK")
    error = await refused(client)
    assert isinstance(error, AuthenticationFailed)
    assert error.reason == "auth_unsupported"
    assert "GSSAPI" in str(error)
    assert not parts[0].lines


@pytest.mark.parametrize(
    "code", [b"[AUTHENTICATIONFAILED]", b"[EXPIRED]", b"[AUTHORIZATIONFAILED]", b"[PRIVACYREQUIRED]", b""]
)
async def test_refused_credential_is_told_in_the_servers_words(play, code):
    """S5."""

    async def script(part):
        await part.answer(b"AUTHENTICATE", with_=b"NO " + code + b" no \x1b[1m" + b"y" * 900)
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 AUTH=PLAIN SASL-IR", word=b"OK")
    error = await refused(client)
    assert isinstance(error, AuthenticationFailed)
    assert error.reason == "auth_failed"
    assert "\x1b" not in str(error)
    assert code.decode() in str(error)
    assert len(str(error)) < 800


@pytest.mark.parametrize(
    ("answer", "kind", "seconds"),
    [
        (b"NO [UNAVAILABLE] backend down", ServerRefused, None),
        (b"NO [LIMIT] too many", Throttled, None),
        (b"NO Too many simultaneous connections. (Failure)", Throttled, None),
        (b"BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds", Throttled, 92.415),
    ],
)
async def test_busy_server_is_no_wrong_password(play, answer, kind, seconds):
    """S2 and S3."""

    async def script(part):
        await part.answer(b"AUTHENTICATE", with_=answer)
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 AUTH=PLAIN SASL-IR", word=b"OK")
    error = await refused(client)
    assert type(error) is kind
    if kind is Throttled:
        assert error.retry_after_seconds == seconds


async def test_bye_during_login_is_a_lost_line(play):
    """S1."""

    async def script(part):
        await part.hear(b"AUTHENTICATE")
        await part.say(b"* BYE restarting")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 AUTH=PLAIN SASL-IR", word=b"OK")
    error = await refused(client)
    assert isinstance(error, ConnectionLost)
    assert "restarting" in str(error)


async def test_server_that_cannot_prove_itself_is_left(play):
    """SCRAM: a server that sends nonsense learns no more, and the line is dropped."""

    async def script(part):
        await part.hear(b"AUTHENTICATE SCRAM-SHA-256")
        await part.say(b"+ " + base64.b64encode(b"r=other,s=c2FsdA==,i=4096"))
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 AUTH=SCRAM-SHA-256 SASL-IR", word=b"OK")
    error = await refused(client)
    assert isinstance(error, AuthenticationFailed | RemoteProtocolError)
    assert client.is_lost


@pytest.mark.parametrize(
    ("caps", "enabled", "qresync"),
    [
        (b"ENABLE QRESYNC CONDSTORE", b"QRESYNC", True),
        (b"ENABLE CONDSTORE", b"CONDSTORE", False),
    ],
)
async def test_best_extension_is_enabled(play, caps, enabled, qresync):
    async def script(part):
        await part.answer(b"LOGIN", with_=b"OK [CAPABILITY IMAP4rev1 " + caps + b"] in")
        await part.answer(b"ENABLE " + enabled, b"* ENABLED " + enabled)
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1", word=b"OK")
    await client.authenticate("joe", SECRET)
    assert client.has_qresync is qresync
    assert client.has_condstore


async def test_refused_enable_and_id_are_not_fatal(play):
    async def script(part):
        await part.answer(b"LOGIN", with_=b"OK [CAPABILITY IMAP4rev1 ENABLE QRESYNC ID] in")
        for _ in range(2):
            tag = await part.hear()
            await part.say(tag + b" BAD no")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1", word=b"OK")
    await client.authenticate("joe", SECRET)
    assert not client.has_qresync


async def test_identity_of_the_server_takes_away_what_it_promises_wrongly(play):
    async def script(part):
        await part.answer(b"LOGIN", with_=b"OK [CAPABILITY IMAP4rev1 CONDSTORE ID] in")
        await part.answer(b"ID (", b'* ID ("name" "SmarterMail")')
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1", word=b"OK")
    await client.authenticate("joe", SECRET)
    assert not client.has_condstore


async def test_authenticated_but_not_connected_is_throttling(play):
    """Microsoft 365: LOGIN OK, then BAD on everything."""

    async def script(part):
        await part.answer(b"LOGIN", with_=b"OK [CAPABILITY IMAP4rev1] in")
        while True:
            tag = await part.hear()
            await part.say(tag + b" BAD User is authenticated but not connected.")

    client = await play(script, caps=b"IMAP4rev1", word=b"OK")
    await client.authenticate("joe", SECRET)
    with pytest.raises(Throttled):
        await client.list_mailboxes()


BEARER = base64.b64encode(b"user=joe\x01auth=Bearer pass word\x01\x01")


@pytest.mark.parametrize(
    ("kind", "offered", "taken"),
    [
        (CredentialKind.TOKEN, b"AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER", b"OAUTHBEARER"),
        (CredentialKind.TOKEN, b"AUTH=PLAIN AUTH=XOAUTH2", b"XOAUTH2"),
        (CredentialKind.XOAUTH2, b"AUTH=XOAUTH2 AUTH=OAUTHBEARER", b"XOAUTH2"),
        (CredentialKind.OAUTHBEARER, b"AUTH=XOAUTH2 AUTH=OAUTHBEARER", b"OAUTHBEARER"),
    ],
)
async def test_token_goes_by_its_own_mechanisms_only(play, kind, offered, taken):
    async def script(part):
        await part.answer(b"AUTHENTICATE " + taken + b" ", with_=b"OK [CAPABILITY IMAP4rev1] in")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 SASL-IR " + offered, word=b"OK")
    await client.authenticate("joe", SECRET, kind=kind)


@pytest.mark.parametrize("kind", [CredentialKind.TOKEN, CredentialKind.XOAUTH2])
async def test_token_is_never_sent_as_a_password(play, kind):
    """N24."""

    async def script(part):
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 AUTH=PLAIN AUTH=LOGIN", word=b"OK")
    with pytest.raises(AuthenticationFailed) as caught:
        await client.authenticate("joe", SECRET, kind=kind)
    assert caught.value.reason == "auth_unsupported"
    assert "PLAIN" in str(caught.value)


async def test_xoauth2_error_challenge_is_answered_and_its_status_told(play):
    """N24, and Google's protocol: the challenge has the reason, an empty line lets the NO come."""
    challenge = base64.b64encode(b'{"status":"401","schemes":"bearer","scope":"https://mail.google.com/"}')

    async def script(part):
        tag = await part.hear(b"AUTHENTICATE XOAUTH2 " + BEARER + b"\r\n")
        await part.say(b"+ " + challenge)
        assert await part.reader.readline() == b"\r\n"
        await part.say(tag + b" NO SASL authentication failed")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 SASL-IR AUTH=XOAUTH2", word=b"OK")
    with pytest.raises(AuthenticationFailed) as caught:
        await client.authenticate("joe", SECRET, kind=CredentialKind.TOKEN)
    assert caught.value.reason == "token_refused"
    assert "401" in str(caught.value)
    assert SECRET.reveal() not in str(caught.value)


async def test_oauthbearer_error_challenge_is_answered_by_a_control_a(play):
    """RFC 7628 §3.2.3."""
    challenge = base64.b64encode(b'{"status":"invalid_token"}')

    async def script(part):
        tag = await part.hear(b"AUTHENTICATE OAUTHBEARER\r\n")
        await part.say(b"+ ")
        line = await part.reader.readline()
        said = base64.b64decode(line)
        assert said.startswith(b"n,a=joe,\x01host=localhost\x01port=%d\x01auth=Bearer " % part.port)
        await part.say(b"+ " + challenge)
        assert await part.reader.readline() == base64.b64encode(b"\x01") + b"\r\n"
        await part.say(tag + b" NO no")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 AUTH=OAUTHBEARER", word=b"OK")
    with pytest.raises(AuthenticationFailed) as caught:
        await client.authenticate("joe", SECRET, kind=CredentialKind.OAUTHBEARER)
    assert "invalid_token" in str(caught.value)


async def test_busy_server_is_no_refusal_of_the_token(play):
    async def script(part):
        await part.answer(b"AUTHENTICATE", with_=b"NO [UNAVAILABLE] try again")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 SASL-IR AUTH=XOAUTH2", word=b"OK")
    with pytest.raises(ServerRefused):
        await client.authenticate("joe", SECRET, kind=CredentialKind.TOKEN)


@pytest.mark.parametrize(
    ("caps", "wanted"),
    [
        (b"IMAP4rev1 QRESYNC", b"ENABLE QRESYNC\r\n"),
        (b"IMAP4rev1 ENABLE CONDSTORE UTF8=ACCEPT", b"ENABLE CONDSTORE UTF8=ACCEPT\r\n"),
        (b"IMAP4rev1 IMAP4rev2 QRESYNC UTF8=ACCEPT", b"ENABLE QRESYNC IMAP4rev2 UTF8=ACCEPT\r\n"),
        (b"IMAP4rev1 ENABLE UTF8=ONLY", b"ENABLE UTF8=ACCEPT\r\n"),
    ],
)
async def test_everything_that_helps_is_enabled_at_once(play, caps, wanted):
    async def script(part):
        await part.answer(wanted, b"* ENABLED " + wanted.split(b" ", 1)[1].strip())
        await part.answer(b"NOOP")
        await part.stay()

    client = await play(script, caps=caps)
    await client.authenticate("joe", SECRET)
    await client.noop()


async def test_server_that_chokes_on_the_rest_gets_the_first_alone(play):
    async def script(part):
        await part.answer(b"ENABLE QRESYNC IMAP4rev2", with_=b"BAD what")
        await part.answer(b"ENABLE QRESYNC\r\n", b"* ENABLED QRESYNC")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 IMAP4rev2 QRESYNC")
    await client.authenticate("joe", SECRET)
    assert client.has_qresync
